"""Takes in what citizens say, exactly once, and shows them what was said before."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import arrival, fragments, replies, repository, watch
from conversations.announce import Announcer
from conversations.channel import Delivery
from conversations.claims import ClaimNames
from conversations.desk.repository import add_event
from conversations.errors import StorageUnavailableError
from conversations.events import DESK, LiveEvents
from conversations.job import LEASE, Job
from conversations.media import fetch_repository
from conversations.outbox import Outbox
from conversations.replies import Reply
from conversations.repository import Row
from conversations.schemas import (
    Button,
    ConversationDetail,
    ConversationView,
    InboundMessage,
    MessageView,
    Received,
)
from conversations.topics import conversation_topic, visitor_topic
from conversations.writing import preview, say_in
from database.base import new_id
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database
from vntext.catalogue import lookup, say
from vntext.emergency_news import is_news

log = structlog.get_logger(__name__)

SETTLE = timedelta(seconds=0.3)
"""How long a message waits for an earlier one that the provider may deliver after it."""

FILES_PATIENCE = timedelta(seconds=4)
"""How long a message waits for its files before it is read without them."""

_STORE_SECONDS = 10.0
_EMERGENCY_STORE_SECONDS = 2.0
"""A database that hangs must not keep somebody in danger waiting for the number to call."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What is shown before the first message; it is not part of the history."""

    text: str
    buttons: tuple[Button, ...]


def greeting(privacy_url: str) -> Greeting:
    """Return the greeting; `privacy_url` is where people read how their data is used."""
    return Greeting(
        text=say("conversation.greeting.text", privacy_url=privacy_url),
        buttons=tuple(Button(**button) for button in lookup("conversation.greeting.buttons")),
    )


class _Duplicate(Exception):  # noqa: N818 - control flow: rolls the unit of work back
    pass


@dataclass(slots=True)
class _Stored:
    conversation: Row
    message_id: str
    sequence: int
    answer: list[dict[str, Any]]
    delivery: Delivery | None
    job: Job | None
    hold: timedelta
    emergency: Reply | None


class Inbox:
    """Receives messages.

    An emergency is recognised and answered here, in the transaction that stores the message: it waits neither
    for the queue nor for the bot, nor for earlier messages of the same conversation.

    Args:
        database: where rows are kept.
        clock: the time of receiving.
        announcer: tells the workers.
        outbox: sends the answers to emergencies.
        events: tells consoles and other open pages.
        claims: names for the claims of work that this process goes on with itself.
        join_pieces: pieces of one message are read together, so that some have to wait.
        settle: how long a message waits for earlier ones where the provider may deliver out of order.
        files_come: tells whoever fetches attachments from their provider, for which their message waits a
            little; None: nobody does.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        announcer: Announcer,
        outbox: Outbox,
        events: LiveEvents,
        claims: ClaimNames,
        *,
        join_pieces: bool = True,
        settle: timedelta = SETTLE,
        files_come: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._announcer = announcer
        self._outbox = outbox
        self._events = events
        self._claims = claims
        self._join_pieces = join_pieces
        self._settle = settle
        self._files_come = files_come
        self._storing: set[asyncio.Task[_Stored | None]] = set()

    @watch.receiving
    async def receive(self, message: InboundMessage) -> Received:
        """Store a message once and see that it is worked on.

        When this returns, the message is on disk and will be answered whatever happens to this process.

        Raises:
            StorageUnavailableError: the database does not answer; nothing was stored. In an emergency the
            error
                carries the reply, which the connector must show all the same.
        """
        emergency = None if message.postback else replies.emergency(message.text)
        try:
            stored = await self._store_in_time(message, emergency)
            if stored is None:
                return await self._known(message)
        except STORAGE_DOWN as error:
            log.error("storage_down", error=type(error).__name__)
            said = emergency.messages[0].text if emergency else None
            raise StorageUnavailableError(said) from error
        emergency = stored.emergency
        conversation_id: str = stored.conversation["id"]
        if self._files_come is not None and self._has_files_to_come(message):
            self._files_come()
        if emergency is not None:
            watch.answered(message.channel, emergency.turn, correlation_id=stored.message_id)
        if stored.job is not None:
            self._announcer.hand_over(stored.job)
        elif stored.hold:
            self._announcer.announce_later(conversation_id, stored.hold.total_seconds())
        elif emergency is None:
            await self._announcer.announce(conversation_id)
        elif stored.delivery is not None:
            self._outbox.deliver_soon(stored.conversation, stored.answer, stored.delivery)
        topics = [conversation_topic(conversation_id), DESK]
        if stored.sequence == 1:
            topics.append(visitor_topic(message.channel, message.external_user_id))
        await self._events.publish(
            *topics,
            type="message",
            conversation=conversation_id,
            sequence=stored.sequence,
        )
        return Received(stored.message_id, conversation_id, stored.sequence, duplicate=False)

    async def conversation_of(self, channel: str, external_user_id: str) -> ConversationView | None:
        """Return a person's conversation on a channel."""
        async with self._database.read() as session:
            return await repository.find_by_user(session, channel, external_user_id)

    async def conversation(self, conversation_id: str) -> ConversationView | None:
        """Return a conversation by id."""
        async with self._database.read() as session:
            return await repository.find(session, conversation_id)

    async def history(self, conversation_id: str, *, after: int = 0, limit: int = 200) -> list[MessageView]:
        """Return what was said after a sequence, oldest first."""
        async with self._database.read() as session:
            return await repository.history(session, conversation_id, after=after, limit=limit)

    async def state(
        self, channel: str, external_user_id: str, *, after: int | None = None, limit: int = 200
    ) -> ConversationDetail | None:
        """Return a person's conversation with its messages, all as they were at one moment.

        Read apart, a message and the hand-over it speaks of could contradict each other.

        Args:
            channel: the channel's name.
            external_user_id: who it is there.
            after: messages after this sequence, oldest first; None for the newest ones.
            limit: the most messages.
        """
        async with self._database.read() as session:
            conversation = await repository.find_by_user(session, channel, external_user_id)
            if conversation is None:
                return None
            if after is None:
                messages = await repository.latest(session, conversation.id, limit)
            else:
                messages = await repository.history(session, conversation.id, after=after, limit=limit)
            return await repository.detail(session, conversation, messages)

    async def backlog(self) -> dict[str, int]:
        """Return how many messages wait in each unfinished state."""
        async with self._database.read() as session:
            return await repository.backlog(session)

    async def _known(self, message: InboundMessage) -> Received:
        async with self._database.read() as session:
            row = await repository.find_by_provider_id(session, message.channel, message.provider_message_id)
        assert row is not None
        return Received(row["id"], row["conversation_id"], row["sequence"], duplicate=True)

    async def _store_in_time(self, message: InboundMessage, emergency: Reply | None) -> _Stored | None:
        """Store a message, or raise TimeoutError while the database hangs.

        Should it get stored after all, a repeat of the same message finds it, and so do the workers.
        """
        storing = asyncio.create_task(self._store(message, emergency))
        self._storing.add(storing)
        storing.add_done_callback(self._forget)
        patience = _STORE_SECONDS if emergency is None else _EMERGENCY_STORE_SECONDS
        done, _late = await asyncio.wait({storing}, timeout=patience)
        if not done:
            raise TimeoutError("the database does not answer")
        return storing.result()

    def _forget(self, storing: asyncio.Task[_Stored | None]) -> None:
        self._storing.discard(storing)
        if not storing.cancelled():
            storing.exception()  # whoever waited has heard of it

    async def _store(self, message: InboundMessage, emergency: Reply | None) -> _Stored | None:
        """Write the message; None when it was here before."""
        now = self._clock.now()
        try:
            async with self._database.write() as session:
                conversation = await arrival.open_conversation(
                    session, message.channel, message.external_user_id, now
                )
                return await self._write(session, conversation, message, emergency, now)
        except _Duplicate:
            return None

    async def _write(
        self,
        session: AsyncSession,
        conversation: Row,
        message: InboundMessage,
        emergency: Reply | None,
        now: datetime,
    ) -> _Stored:
        able = self._outbox.capabilities(message.channel)
        changes = arrival.started_anew(conversation, now) | arrival.heard(conversation, message, now)
        sequence: int = conversation["next_sequence"]
        taken_back = await arrival.taken_back(session, message, able)
        if taken_back is not None:
            message, emergency = arrival.emptied(message), None
        elif emergency is not None and "session" not in changes and is_news(message.text):
            # Sounds like an emergency, but may only tell how one goes on.
            talk = conversation["session"]
            if await repository.emergency_before(session, conversation["id"], talk, sequence):
                emergency = None
        kind, text, payload = await arrival.content(session, conversation["id"], message)
        message_id = new_id()
        hold = timedelta() if emergency or taken_back else self._hold(message)
        row = {
            "id": message_id,
            "conversation_id": conversation["id"],
            "sequence": sequence,
            "session": changes.get("session", conversation["session"]),
            "direction": "in",
            "author": "citizen",
            "channel": message.channel,
            "provider_message_id": message.provider_message_id,
            "kind": kind,
            "text": text,
            "payload": payload,
            "turn": {**emergency.turn, "latency_ms": 0} if emergency else None,
            "state": "done" if emergency or taken_back else "received",
            "attempts": 0,
            "read_with": None,
            "next_attempt_at": now + hold if hold else None,
            # Without a provider's time the order is that of receiving, also when the clock is set back.
            "provider_timestamp": message.provider_timestamp or max(now, conversation["last_activity_at"]),
            "created_at": now,
            "handled_at": now if emergency or taken_back else None,
            "withdrawn_at": taken_back,
        }
        job = None
        if row["state"] == "received":
            job = await self._claim_work(session, {**conversation, **changes}, row, now)
        if job is not None:
            changes |= {"work_claim": job.claim, "work_until": now + LEASE}
            row = {**row, "state": "processing", "attempts": 1, "read_with": message_id}
        is_new = await repository.add_inbound(session, row)
        if not is_new:
            raise _Duplicate
        if self._files_come is not None:
            await fetch_repository.add(session, message_id, payload, now)
        await self._note(session, conversation, changes, emergency, now)
        owner = changes.get("owner", conversation["owner"])
        changes |= {
            "last_message": preview(text) if taken_back is None else say("channels.withdrawn"),
            "last_author": "citizen",
            "unread": changes.get("unread", conversation["unread"]) + (owner != "bot"),
            "next_sequence": sequence + 1,
        }
        delivery = self._outbox.begin(conversation, now) if emergency else None
        if delivery is not None:
            changes |= delivery.changes
        answer = await say_in(
            session,
            {**conversation, "session": changes.get("session", conversation["session"])},
            emergency.messages if emergency else (),
            author="bot",
            key=f"answer:{message_id}",
            able=able,
            now=now,
            **changes,
        )
        if delivery is not None and delivery.claim is not None:
            # Earlier messages that still wait go first.
            answer = [dict(row) for row in await repository.pending(session, conversation["id"], 50)]
        return _Stored(
            {**conversation, **changes}, message_id, sequence, answer, delivery, job, hold, emergency
        )

    def _hold(self, message: InboundMessage) -> timedelta:
        """Return how long to wait before a message is worked on: for earlier ones, and for its files."""
        hold = self._settle if self._outbox.capabilities(message.channel).reorders else timedelta()
        if self._has_files_to_come(message):
            hold = max(hold, FILES_PATIENCE)
        return hold

    def _has_files_to_come(self, message: InboundMessage) -> bool:
        return self._files_come is not None and any(
            fetch_repository.lies_elsewhere(file) for file in message.attachments
        )

    async def _note(
        self,
        session: AsyncSession,
        conversation: Row,
        changes: dict[str, Any],
        emergency: Reply | None,
        now: datetime,
    ) -> None:
        """Write down that a session begins anew, or that an emergency puts it before others."""
        if "session" in changes:
            held_by = conversation["assigned_to"]
            more = {"held_by": held_by} if held_by else {}
            await add_event(session, conversation, "new_session", actor="citizen", at=now, **more)
        if emergency is not None and not changes.get("urgent", conversation["urgent"]):
            changes["urgent"] = True
            await add_event(
                session, conversation, "urgent", actor="system", at=now, reason=say("desk.emergency")
            )

    async def _claim_work(
        self, session: AsyncSession, conversation: Row, row: dict[str, Any], now: datetime
    ) -> Job | None:
        """Return the message as work that this process does next; None when somebody else takes it, or later.

        It saves a unit of work a message. Should the process die, the claim is found as any other.
        """
        if row["next_attempt_at"] is not None or not self._announcer.has_room:
            return None
        if conversation["work_until"] is not None and conversation["work_until"] >= now:
            return None
        if self._join_pieces and fragments.wait_for_more([row], now) > 0:
            return None
        previous = None
        if row["sequence"] > 1:
            if await repository.has_unhandled(session, conversation["id"]):
                return None
            previous = await repository.previous_turn(session, conversation["id"], row["sequence"])
        return Job(conversation, [row], previous, self._claims.new())
