"""Takes in what a provider delivers: messages, and everything it tells about them.

What a person of ours answers in the provider's own tool comes here as an echo that is not ours. It joins the
history, and the bot steps aside: the conversation belongs to "a person", without a name. It comes back to the
bot when an operator takes it here and hands it back or closes it, or with the citizen's first message after a
day of silence, as with every conversation a person held.

Everything is stored when a call returns, and doing it again changes nothing. It is on disk, but for receipts:
there are more of them than messages, and a power cut may take a tick at a message.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from datetime import datetime, timedelta
from typing import Any

import structlog

from conversations import echoes, intake_repository, repository, withdrawals
from conversations.channel_events import (
    ChannelEvent,
    Echo,
    OtherEvent,
    Receipt,
    Relation,
    Withdrawal,
)
from conversations.circuit import ChannelObserver, Nobody
from conversations.errors import StorageUnavailableError
from conversations.events import DESK, LiveEvents
from conversations.media.service import Media, Person
from conversations.outbox import Outbox
from conversations.schemas import InboundMessage, OutboundMessage, Received
from conversations.service import Inbox
from conversations.topics import conversation_topic
from conversations.withdrawals import Learned
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database
from telemetry import labels, metrics

log = structlog.get_logger(__name__)

KEPT = timedelta(days=30)
"""How long events are kept as they came: they hold personal data."""

_STORE_SECONDS = 10.0
_LONGEST_PAYLOAD = 20_000


class ChannelIntake:
    """Where the connectors of providers put what was delivered.

    Args:
        database: where everything is kept.
        clock: the time of receiving.
        inbox: takes the messages.
        outbox: goes on behind a message that an echo has settled, and says what cannot wait for the database.
        events: tells open pages.
        media: deletes the files of what was taken back.
        learned: forgets what was learned from what was taken back.
        observer: keeps count.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        inbox: Inbox,
        outbox: Outbox,
        events: LiveEvents,
        *,
        media: Media | None = None,
        learned: Learned | None = None,
        observer: ChannelObserver | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._inbox = inbox
        self._outbox = outbox
        self._events = events
        self._media = media
        self._learned = learned
        self._observer: ChannelObserver = observer or Nobody()

    async def receive(self, message: InboundMessage) -> Received:
        """Take one message of a citizen; a repeat changes nothing.

        Raises:
            StorageUnavailableError: nothing was stored; the provider must deliver again. An emergency is
                answered all the same, in the background.
        """
        self._count(message.channel, "message")
        try:
            return await self._inbox.receive(message)
        except StorageUnavailableError as error:
            if error.emergency_reply is not None:
                self._outbox.send_unstored(_unstored(message, error.emergency_reply, self._clock.now()))
            raise

    async def note(self, event: ChannelEvent) -> None:
        """Take anything else; a repeat changes nothing.

        Raises:
            StorageUnavailableError: nothing was stored; the provider must deliver again.
        """
        kind: str
        match event:
            case Receipt():
                kind, take = event.kind, self._receipt(event)
            case Echo():
                kind, take = "echo", self._echo(event)
            case Withdrawal():
                kind, take = "withdrawal", self._withdrawal(event)
            case Relation():
                kind, take = event.kind, self._relation(event)
            case OtherEvent():
                kind, take = "known" if event.known else "unknown", self._other(event)
        self._count(event.channel, kind)
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                await take
        except STORAGE_DOWN as error:
            log.error("storage_down", error=type(error).__name__)
            raise StorageUnavailableError from error

    async def forget(self) -> int:
        """Delete events that were kept long enough; return how many."""
        async with self._database.write() as session:
            return await intake_repository.forget(session, self._clock.now() - KEPT)

    def _count(self, channel: str, kind: str) -> None:
        metrics.channel_events.labels(labels.channel(channel), kind).inc()
        self._observer.event(channel, kind)

    # --- receipts and relations ---------------------------------------------------------------------------

    async def _receipt(self, event: Receipt) -> None:
        now = self._clock.now()
        async with self._database.write(durable=False) as session:
            conversation_id = await intake_repository.conversation_of(
                session, event.channel, event.external_user_id
            )
            columns = ("delivered_at", "read_at") if event.kind == "read" else ("delivered_at",)
            changed = False
            rows = (
                await intake_repository.ours_by_provider_id(
                    session, event.channel, event.provider_message_ids
                )
                if event.provider_message_ids
                else []
            )
            missing = set(event.provider_message_ids) - {row["provider_message_id"] for row in rows}
            for provider_id in sorted(missing):
                # The receipt was quicker than the answer of the send call.
                await intake_repository.add_sign(
                    session, event.channel, provider_id, event.kind, event.at, now
                )
            for column in columns:
                ids = [row["id"] for row in rows if row["direction"] == "out" and row[column] is None]
                if event.watermark is not None and conversation_id is not None:
                    ids += await intake_repository.unread_until(
                        session, conversation_id, event.watermark, column
                    )
                if ids:
                    await repository.change_messages(session, sorted(set(ids)), **{column: event.at})
                    changed = True
        if changed and conversation_id is not None:
            await self._tell_changed(conversation_id)

    async def _relation(self, event: Relation) -> None:
        left = event.at if event.kind == "unfollow" else None
        async with self._database.write() as session:
            conversation_id = await intake_repository.conversation_of(
                session, event.channel, event.external_user_id
            )
            if conversation_id is not None:
                await repository.change_conversation(session, conversation_id, unfollowed_at=left)
        if conversation_id is not None:
            await self._tell_changed(conversation_id)

    # --- echoes and withdrawals ---------------------------------------------------------------------------

    async def _echo(self, event: Echo) -> None:
        async with self._database.read() as session:
            ids = [event.provider_message_id]
            if await intake_repository.ours_by_provider_id(session, event.channel, ids):
                return  # nearly always: our own message, whose send call has told its id already
        async with self._database.write() as session:
            found = await echoes.take(session, event, self._clock.now())
        if found.is_foreign:
            self._count(event.channel, "answered_elsewhere")
            log.info("answered_elsewhere", channel=event.channel, conversation_id=found.conversation_id)
        if found.is_unknown:
            # Ours, but of nothing we have written: the provider's own greeting, for instance.
            payload = {"message": event.provider_message_id, "text": event.text}
            await self._other(OtherEvent(event.channel, "echo", payload, event.at, known=True))
        if found.conversation_id is not None:
            topics = (conversation_topic(found.conversation_id), DESK)
            kind = "message" if found.is_foreign else "changed"
            more: dict[str, Any] = {"sequence": found.sequence} if found.is_foreign else {}
            await self._events.publish(*topics, type=kind, conversation=found.conversation_id, **more)
            if found.owner_changed:
                await self._events.publish(
                    *topics, type="owner", conversation=found.conversation_id, owner="person"
                )
            if found.has_settled:
                self._outbox.kick(found.conversation_id)

    async def _withdrawal(self, event: Withdrawal) -> None:
        async with self._database.write() as session:
            found = await withdrawals.take(session, event, self._clock.now(), self._learned)
        if found is None:
            return
        if found.files and self._media is not None:
            await self._media.delete(Person(event.channel, event.external_user_id), found.files)
        log.info("message_withdrawn", message_id=found.message_id, conversation_id=found.conversation_id)
        await self._tell_changed(found.conversation_id, message_id=found.message_id)

    # --- everything else ----------------------------------------------------------------------------------

    async def _other(self, event: OtherEvent) -> None:
        content = json.dumps(event.payload, sort_keys=True, ensure_ascii=False, default=str)
        digest = hashlib.blake2b(f"{event.channel}\n{event.name}\n{content}".encode(), digest_size=24)
        payload = event.payload if len(content) <= _LONGEST_PAYLOAD else {"cut": content[:_LONGEST_PAYLOAD]}
        if not event.known:
            log.warning("unknown_event", channel=event.channel, name=event.name[:60])
        async with self._database.write() as session:
            await intake_repository.add_event(
                session,
                {
                    "id": digest.hexdigest(),
                    "channel": event.channel,
                    "name": event.name[:100],
                    "known": event.known,
                    "payload": payload,
                    "at": event.at,
                    "received_at": self._clock.now(),
                },
            )

    async def _tell_changed(self, conversation_id: str, **more: Any) -> None:
        await self._events.publish(
            conversation_topic(conversation_id), DESK, type="changed", conversation=conversation_id, **more
        )


def _unstored(message: InboundMessage, reply: str, now: datetime) -> OutboundMessage:
    """Return an emergency's reply; its id is the message's, so that repeats of the delivery are one."""
    key = f"{message.channel}:{message.provider_message_id}"
    return OutboundMessage(
        id=hashlib.blake2b(key.encode(), digest_size=16).hexdigest(),
        conversation_id="",
        channel=message.channel,
        external_user_id=message.external_user_id,
        sequence=0,
        text=reply,
        buttons=(),
        author="bot",
        attempt=1,
        created_at=now,
        last_heard_at=now,
    )
