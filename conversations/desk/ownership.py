"""Who has a conversation, and how it changes hands.

One field says it: the bot, the queue or a person. Taking a conversation is one conditional UPDATE, so that of
two who click at once one gets it and the other is told who has it. Writing is allowed to whoever holds it. A
holder who keeps the citizen waiting loses the sole right to it after a while, and after twice that while it
is back in the queue, with the wait it had. Every change is a row of the conversation's history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository
from conversations.desk import repository as desk_repository
from conversations.desk.errors import InvalidReasonError
from conversations.desk.repository import WITH_BOT
from conversations.desk.schemas import LONGEST_REASON, EventKind
from conversations.errors import ConversationNotFoundError, HeldByOtherError, NotHeldError
from conversations.events import DESK, LiveEvents
from conversations.outbox import Outbox
from conversations.repository import Row
from conversations.schemas import Author, BotMessage, ConversationView, clean_text
from conversations.topics import conversation_topic
from conversations.writing import say_in
from database.base import new_id
from database.clock import Clock
from database.engine import Database
from vntext.catalogue import say

log = structlog.get_logger(__name__)

SILENCE = timedelta(minutes=5)
"""How long a holder may keep a citizen waiting before others may take the conversation."""

_RETURNED_AT_ONCE = 50


def operator_topic(operator_id: str) -> str:
    """Return the topic of what one operator alone is told live: `taken_over`, `returned`, `mentioned`."""
    return f"operator:{operator_id}"


@dataclass(frozen=True, slots=True)
class DeskParts:
    """What operators' work on conversations needs.

    Attributes:
        database: where the rows are.
        clock: the time of what is done.
        outbox: sends what the citizen is told.
        events: tells the other consoles and the citizen's page.
        silence: how long a holder may keep a citizen waiting.
    """

    database: Database
    clock: Clock
    outbox: Outbox
    events: LiveEvents
    silence: timedelta = SILENCE


class Ownership:
    """Hands conversations from one to another."""

    def __init__(self, parts: DeskParts) -> None:
        self._database = parts.database
        self._clock = parts.clock
        self._outbox = parts.outbox
        self._events = parts.events
        self._silence = parts.silence

    def is_abandoned(self, conversation: ConversationView) -> bool:
        """Tell whether the holder has kept the citizen waiting so long that others may take over."""
        since = conversation.silent_since
        return since is not None and since < self._clock.now() - self._silence

    async def claim(
        self, conversation_id: str, operator_id: str, *, take_over: bool = False, reason: str = ""
    ) -> ConversationView:
        """Take a conversation; taking one's own again changes nothing.

        A closed one is taken up again. The former holder, if there was one, is told live.

        Args:
            conversation_id: which one.
            operator_id: who takes it.
            take_over: take it from somebody else too (a supervisor's right; the caller checks it).
            reason: why, for the history.

        Raises:
            ConversationNotFoundError: there is none.
            HeldByOtherError: somebody else was first.
            InvalidReasonError: the reason is too long.
        """
        said = checked_reason(reason)
        async with self._database.write() as session:
            row = await self._locked(session, conversation_id)
            changed = await self._take(session, row, operator_id, take_over=take_over, reason=said)
            view = await repository.find(session, conversation_id)
        assert view is not None
        if changed:
            await self._tell_taken(row, operator_id)
        return view

    async def claim_next(self, operator_id: str) -> ConversationView | None:
        """Take the conversation whose turn it is: urgent ones first, then the longest wait.

        Of several who ask at once each gets another one.

        Returns:
            The conversation; None when nobody waits.
        """
        async with self._database.write() as session:
            row = await desk_repository.next_in_queue(session)
            if row is None:
                return None
            await self._take(session, row, operator_id, take_over=False, reason="")
            view = await repository.find(session, row["id"])
        assert view is not None
        await self._tell_taken(row, operator_id)
        return view

    async def release(self, conversation_id: str, operator_id: str, *, reason: str = "") -> ConversationView:
        """Put a conversation one holds back into the queue, where the citizen keeps the wait they have.

        Raises:
            ConversationNotFoundError, NotHeldError, HeldByOtherError, InvalidReasonError: nothing changed.
        """
        said = checked_reason(reason)
        now = self._clock.now()
        async with self._database.write() as session:
            row = await self._held(session, conversation_id, operator_id)
            await repository.change_conversation(
                session,
                conversation_id,
                owner="queue",
                assigned_to=None,
                silent_since=None,
                waiting_since=row["waiting_since"] or now,
                # The citizen is not told again where they stand: nothing changed for them but the name.
                queue_told_at=now,
            )
            await self._note(session, row, "released", operator_id, said)
            view = await repository.find(session, conversation_id)
        await self._tell_owner(conversation_id, "queue")
        assert view is not None
        return view

    async def hand_back(
        self, conversation_id: str, operator_id: str, *, reason: str = ""
    ) -> ConversationView:
        """Give a conversation one holds back to the bot; the citizen is told in one sentence.

        Raises:
            ConversationNotFoundError, NotHeldError, HeldByOtherError, InvalidReasonError: nothing changed.
        """
        return await self._to_bot(
            conversation_id, operator_id, "handed_back", say("conversation.handed_back"), reason
        )

    async def close(self, conversation_id: str, operator_id: str, *, reason: str = "") -> ConversationView:
        """End a conversation one holds; the citizen's next message starts a new session with the bot.

        Raises:
            ConversationNotFoundError, NotHeldError, HeldByOtherError, InvalidReasonError: nothing changed.
        """
        return await self._to_bot(
            conversation_id, operator_id, "closed", say("conversation.closed"), reason, closed=True
        )

    async def mark_urgent(
        self, conversation_id: str, operator_id: str, *, urgent: bool, reason: str = ""
    ) -> ConversationView:
        """Put a conversation before the others in the queue, or back among them (a supervisor's right).

        Raises:
            ConversationNotFoundError, InvalidReasonError: nothing was changed.
        """
        said = checked_reason(reason)
        async with self._database.write() as session:
            row = await self._locked(session, conversation_id)
            if row["urgent"] != urgent:
                await repository.change_conversation(session, conversation_id, urgent=urgent)
                await self._note(session, row, "urgent" if urgent else "not_urgent", operator_id, said)
            view = await repository.find(session, conversation_id)
        await self._events.publish(DESK, type="changed", conversation=conversation_id)
        assert view is not None
        return view

    async def keep(self, conversation_id: str, operator_id: str) -> None:
        """Note that the holder is writing: the citizen is not being forgotten."""
        now = self._clock.now()
        async with self._database.write(durable=False) as session:
            row = await repository.lock(session, conversation_id)
            if row is None or row["assigned_to"] != operator_id or row["silent_since"] is None:
                return
            await repository.change_conversation(session, conversation_id, silent_since=now)

    async def return_silent(self) -> int:
        """Put back into the queue what holders have kept waiting twice the time; return how many."""
        before = self._clock.now() - 2 * self._silence
        async with self._database.read() as session:
            found = await desk_repository.silent(session, before, _RETURNED_AT_ONCE)
        returned = 0
        for conversation_id in found:
            returned += await self._return(conversation_id, before)
        return returned

    async def _return(self, conversation_id: str, before: datetime) -> bool:
        now = self._clock.now()
        async with self._database.write() as session:
            row = await repository.lock(session, conversation_id)
            if row is None or row["silent_since"] is None or row["silent_since"] >= before:
                return False
            await repository.change_conversation(
                session,
                conversation_id,
                owner="queue",
                assigned_to=None,
                silent_since=None,
                waiting_since=row["waiting_since"] or now,
            )
            reason = say("desk.returned", minutes=round((now - row["silent_since"]).total_seconds() / 60))
            await self._note(session, row, "returned", "system", reason, held_by=row["assigned_to"])
        log.info("conversation_returned", conversation_id=conversation_id)
        await self._events.publish(
            operator_topic(row["assigned_to"]), type="returned", conversation=conversation_id
        )
        await self._tell_owner(conversation_id, "queue")
        return True

    async def _take(
        self, session: AsyncSession, row: Row, operator_id: str, *, take_over: bool, reason: str
    ) -> bool:
        """Give a locked conversation to an operator; False when it is theirs already."""
        now = self._clock.now()
        held_by = row["assigned_to"] if row["owner"] == "person" else None
        if held_by == operator_id:
            return False
        kind: EventKind = "reopened" if row["closed_at"] is not None else "claimed"
        if not await desk_repository.claim(
            session, row["id"], operator_id, now=now, silent_before=now - self._silence
        ):
            if not take_over:
                raise HeldByOtherError(held_by)
            kind = "taken_over"
            await repository.change_conversation(
                session,
                row["id"],
                assigned_to=operator_id,
                last_held_by=operator_id,
                silent_since=now if row["waiting_since"] is not None else None,
                unread=0,
            )
        data: dict[str, Any] = {"from": row["owner"]}
        if held_by is not None:
            data["held_by"] = held_by
        if row["owner"] == "queue":
            data["waited"] = round((now - row["waiting_since"]).total_seconds())
        await self._note(session, row, kind, operator_id, reason, **data)
        return True

    async def _to_bot(
        self,
        conversation_id: str,
        operator_id: str,
        kind: EventKind,
        sentence: str,
        reason: str,
        *,
        closed: bool = False,
    ) -> ConversationView:
        said = checked_reason(reason)
        async with self._database.write() as session:
            row = await self._held(session, conversation_id, operator_id)
            await self._say(
                session,
                row,
                BotMessage(text=sentence),
                author="system",
                key=f"desk:{new_id()}",
                closed_at=self._clock.now() if closed else None,
                **WITH_BOT,
            )
            await self._note(session, row, kind, operator_id, said)
            view = await repository.find(session, conversation_id)
        self._outbox.kick(conversation_id)
        await self._tell_owner(conversation_id, "bot")
        assert view is not None
        return view

    async def _say(
        self,
        session: AsyncSession,
        row: Row,
        message: BotMessage,
        *,
        author: Author,
        author_id: str | None = None,
        key: str,
        **changes: Any,
    ) -> list[dict[str, Any]]:
        return await say_in(
            session,
            row,
            (message,),
            author=author,
            author_id=author_id,
            key=key,
            able=self._outbox.capabilities(row["channel"]),
            now=self._clock.now(),
            **changes,
        )

    async def _locked(self, session: AsyncSession, conversation_id: str) -> Row:
        row = await repository.lock(session, conversation_id)
        if row is None:
            raise ConversationNotFoundError
        return row

    async def _held(self, session: AsyncSession, conversation_id: str, operator_id: str) -> Row:
        """Return a conversation that this operator holds, locked."""
        row = await self._locked(session, conversation_id)
        check_holder(row, operator_id)
        return row

    async def _note(
        self, session: AsyncSession, row: Row, kind: EventKind, actor: str, reason: str, **data: Any
    ) -> None:
        await desk_repository.add_event(
            session, row, kind, actor=actor, at=self._clock.now(), reason=reason, **data
        )

    async def _tell_taken(self, before: Row, operator_id: str) -> None:
        held_by = before["assigned_to"]
        if before["owner"] == "person" and held_by is not None:
            await self._events.publish(
                operator_topic(held_by), type="taken_over", conversation=before["id"], by=operator_id
            )
        await self._tell_owner(before["id"], "person")

    async def _tell_owner(self, conversation_id: str, owner: str) -> None:
        await self._events.publish(
            conversation_topic(conversation_id), DESK, type="owner", conversation=conversation_id, owner=owner
        )


def check_holder(row: Row, operator_id: str) -> None:
    """See that an operator holds a conversation.

    Raises:
        HeldByOtherError: somebody else does.
        NotHeldError: nobody does.
    """
    if row["owner"] == "person" and row["assigned_to"] == operator_id:
        return
    if row["owner"] == "person":
        raise HeldByOtherError(row["assigned_to"])
    raise NotHeldError


def checked_reason(reason: str) -> str:
    """Return a reason as one line.

    Raises:
        InvalidReasonError: it is too long, or no text.
    """
    try:
        line = " ".join(clean_text(reason).split())
    except ValueError as error:
        raise InvalidReasonError from error
    if len(line) > LONGEST_REASON:
        raise InvalidReasonError
    return line
