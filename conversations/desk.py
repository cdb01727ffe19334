"""What operators do with conversations: see, take, answer, give back, close. No HTTP, no SQL.

One field says who has a conversation: the bot, the queue or a person. Taking it is one conditional UPDATE, so
that of two who click at once one gets it and the other is told who has it. Writing is allowed to whoever
holds it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository, windows
from conversations.errors import (
    ConversationNotFoundError,
    HeldByOtherError,
    InvalidReplyError,
    NotHeldError,
)
from conversations.events import DESK, LiveEvents
from conversations.outbox import Outbox
from conversations.replies import queue_message
from conversations.repository import Row
from conversations.schemas import (
    MAX_TEXT,
    Author,
    BotMessage,
    ConversationDetail,
    ConversationFilter,
    ConversationView,
    MessageView,
    clean_text,
)
from conversations.topics import conversation_topic
from conversations.writing import say_in
from database.base import new_id
from database.clock import Clock
from database.engine import Database
from vntext.catalogue import say

log = structlog.get_logger(__name__)

_TOLD_AFTER = timedelta(seconds=60)
_TOLD_AT_ONCE = 50


class Desk:
    """The operators' side of the conversations.

    Args:
        database: where the rows are.
        clock: the time of what is done.
        outbox: sends what operators write.
        events: tells the other consoles and the citizen's page.
    """

    def __init__(self, database: Database, clock: Clock, outbox: Outbox, events: LiveEvents) -> None:
        self._database = database
        self._clock = clock
        self._outbox = outbox
        self._events = events

    async def list_conversations(
        self,
        wanted: ConversationFilter | None = None,
        *,
        limit: int = 50,
        before: datetime | None = None,
    ) -> list[ConversationView]:
        """Return conversations: the queue longest wait first, everything else newest activity first.

        Args:
            wanted: which ones; None: all.
            limit: at most so many, 200 at the most.
            before: last activity of the last one already shown, to go on after it.
        """
        async with self._database.read() as session:
            found = await repository.list_conversations(
                session, wanted or ConversationFilter(), limit=max(1, min(limit, 200)), before=before
            )
        return [self._with_sending(view) for view in found]

    async def counts(self) -> dict[str, int]:
        """Return how many conversations `bot`, `queue` and `person` hold."""
        async with self._database.read() as session:
            found = await repository.count_by_owner(session)
        return {owner: found.get(owner, 0) for owner in ("bot", "queue", "person")}

    async def open(self, conversation_id: str, *, limit: int = 200) -> ConversationDetail:
        """Return a conversation and its newest messages, oldest first.

        Raises:
            ConversationNotFoundError: there is none.
        """
        async with self._database.read() as session:
            conversation = await repository.find(session, conversation_id)
            if conversation is None:
                raise ConversationNotFoundError
            messages = await repository.latest(session, conversation_id, limit)
            return await repository.detail(session, self._with_sending(conversation), messages)

    async def history(self, conversation_id: str, *, after: int = 0, limit: int = 200) -> list[MessageView]:
        """Return messages after a sequence, oldest first."""
        async with self._database.read() as session:
            return await repository.history(session, conversation_id, after=after, limit=limit)

    async def mark_read(self, conversation_id: str, operator_id: str) -> None:
        """Note that whoever holds the conversation has read it; others change nothing."""
        async with self._database.write() as session:
            row = await repository.lock(session, conversation_id)
            if row is None or row["assigned_to"] != operator_id or row["unread"] == 0:
                return
            await repository.change_conversation(session, conversation_id, unread=0)
        await self._events.publish(DESK, type="read", conversation=conversation_id)

    async def claim(
        self, conversation_id: str, operator_id: str, *, take_over: bool = False
    ) -> ConversationView:
        """Take a conversation; taking one's own again changes nothing.

        Args:
            conversation_id: which one.
            operator_id: who takes it.
            take_over: take it from somebody else too (a supervisor's right; the caller checks it).

        Raises:
            ConversationNotFoundError: there is none.
            HeldByOtherError: somebody else was first.
        """
        async with self._database.write() as session:
            if not await repository.claim_for_person(session, conversation_id, operator_id):
                row = await self._locked(session, conversation_id)
                if row["assigned_to"] != operator_id:
                    if not take_over:
                        raise HeldByOtherError(row["assigned_to"])
                    await repository.change_conversation(
                        session, conversation_id, assigned_to=operator_id, unread=0
                    )
            view = await repository.find(session, conversation_id)
        assert view is not None
        await self._tell_owner(view.id, "person")
        return view

    async def release(self, conversation_id: str, operator_id: str) -> ConversationView:
        """Put a conversation one holds back into the queue.

        Raises:
            ConversationNotFoundError, NotHeldError: nothing was changed.
        """
        return await self._give(
            conversation_id,
            operator_id,
            "queue",
            # The citizen is not told again where they stand: nothing changed for them but the name.
            {"waiting_since": self._clock.now(), "queue_told_at": self._clock.now()},
        )

    async def hand_back(self, conversation_id: str, operator_id: str) -> ConversationView:
        """Give a conversation one holds back to the bot; the citizen is told in one sentence.

        Raises:
            ConversationNotFoundError, NotHeldError: nothing was changed.
        """
        return await self._give(
            conversation_id, operator_id, "bot", {"handoff_reason": None}, say("conversation.handed_back")
        )

    async def close(self, conversation_id: str, operator_id: str) -> ConversationView:
        """End a conversation one holds; the citizen's next message starts a new session with the bot.

        Raises:
            ConversationNotFoundError, NotHeldError: nothing was changed.
        """
        changes = {"handoff_reason": None, "closed_at": self._clock.now()}
        return await self._give(conversation_id, operator_id, "bot", changes, say("conversation.closed"))

    async def reply(self, conversation_id: str, operator_id: str, text: str, *, key: str) -> MessageView:
        """Write to the citizen; the same `key` writes once, whatever the network does to the click.

        Args:
            conversation_id: the conversation, held by the operator.
            operator_id: who writes.
            text: what is said.
            key: idempotency key, made by the page for each click; at most 80 characters.

        Raises:
            InvalidReplyError: the text is empty or too long, or the key is.
            ConversationNotFoundError, NotHeldError: nothing was written.
        """
        said = _checked(text, key)
        own_key = f"operator:{key}"
        async with self._database.write() as session:
            row = await self._locked(session, conversation_id)
            known = await repository.find_by_key(session, conversation_id, own_key)
            if known is not None:
                return known
            self._check_holder(row, operator_id)
            rows = await self._say(
                session, row, said, author="operator", author_id=operator_id, key=own_key, unread=0
            )
            view = await repository.get_message(session, rows[0]["id"])
        self._outbox.kick(conversation_id)
        await self._events.publish(DESK, type="message", conversation=conversation_id)
        assert view is not None
        return view

    async def tell_waiting(self) -> int:
        """Tell everybody who has waited for a minute where they stand, once; return how many were told."""
        now = self._clock.now()
        async with self._database.read() as session:
            waiting = await repository.waiting_untold(session, now - _TOLD_AFTER, _TOLD_AT_ONCE)
        for conversation_id in waiting:
            async with self._database.write() as session:
                row = await repository.lock(session, conversation_id)
                if row is None or row["owner"] != "queue" or row["queue_told_at"] is not None:
                    continue
                position = await repository.queue_position(session, row["waiting_since"])
                # Being told is no activity of the conversation's own, but it is what is shown last.
                await say_in(
                    session,
                    row,
                    (queue_message(position),),
                    author="system",
                    key=f"waiting:{new_id()}",
                    able=self._outbox.capabilities(row["channel"]),
                    now=now,
                    queue_told_at=now,
                )
            self._outbox.kick(conversation_id)
        return len(waiting)

    async def _give(
        self,
        conversation_id: str,
        operator_id: str,
        owner: str,
        changes: dict[str, Any],
        sentence: str | None = None,
    ) -> ConversationView:
        async with self._database.write() as session:
            row = await self._locked(session, conversation_id)
            self._check_holder(row, operator_id)
            changes = {"owner": owner, "assigned_to": None, "unread": 0, **changes}
            if sentence is None:
                await repository.change_conversation(session, conversation_id, **changes)
            else:
                await self._say(
                    session, row, sentence, author="system", author_id=None, key=f"desk:{new_id()}", **changes
                )
            view = await repository.find(session, conversation_id)
        if sentence is not None:
            self._outbox.kick(conversation_id)
        await self._tell_owner(conversation_id, owner)
        assert view is not None
        return view

    async def _say(
        self,
        session: AsyncSession,
        row: Row,
        text: str,
        *,
        author: Author,
        author_id: str | None,
        key: str,
        **changes: Any,
    ) -> Sequence[dict[str, Any]]:
        return await say_in(
            session,
            row,
            (BotMessage(text=text),),
            author=author,
            author_id=author_id,
            key=key,
            able=self._outbox.capabilities(row["channel"]),
            now=self._clock.now(),
            **changes,
        )

    def _with_sending(self, view: ConversationView) -> ConversationView:
        able = self._outbox.capabilities(view.channel)
        return replace(view, sending=windows.sending(view, able, self._clock.now()))

    async def _locked(self, session: AsyncSession, conversation_id: str) -> Row:
        row = await repository.lock(session, conversation_id)
        if row is None:
            raise ConversationNotFoundError
        return row

    def _check_holder(self, row: Row, operator_id: str) -> None:
        if row["owner"] == "person" and row["assigned_to"] == operator_id:
            return
        if row["owner"] == "person":
            raise HeldByOtherError(row["assigned_to"])
        raise NotHeldError

    async def _tell_owner(self, conversation_id: str, owner: str) -> None:
        await self._events.publish(
            conversation_topic(conversation_id), DESK, type="owner", conversation=conversation_id, owner=owner
        )


def _checked(text: str, key: str) -> str:
    try:
        said = clean_text(text)
    except ValueError as error:
        raise InvalidReplyError from error
    if not said or len(said) > MAX_TEXT or not 1 <= len(key) <= 80:
        raise InvalidReplyError
    return said
