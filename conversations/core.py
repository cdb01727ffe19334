"""Puts the parts of the conversation core together, for the app, for a worker process and for commands."""

from __future__ import annotations

from collections.abc import Iterable

from conversations.announce import Announcer
from conversations.bot_client import Bot
from conversations.claims import ClaimNames
from conversations.desk import Desk
from conversations.dispatch import Dispatcher
from conversations.events import LiveEvents
from conversations.outbox import Channel, Outbox
from conversations.redis_link import RedisLink
from conversations.service import Inbox
from conversations.worker import Worker
from database.clock import Clock
from database.engine import Database


class ConversationCore:
    """Inbox, dispatch, outbox and desk over one database, one Redis and one bot.

    Connectors may need the live events, so they are added with `add_channel` before `start`.

    Args:
        database: where everything is kept.
        clock: the time.
        redis: the link to Redis; it may be away.
        bot: who answers.
        join_pieces: read pieces of one message together.
        concurrency: conversations worked on at once in this process.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        redis: RedisLink,
        bot: Bot,
        *,
        channels: Iterable[Channel] = (),
        join_pieces: bool = True,
        concurrency: int = 8,
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        claims = self._claims = ClaimNames()
        self.events = LiveEvents(redis)
        self.outbox = Outbox(database, clock, self._channels, claims)
        self.announcer = Announcer(redis)
        self.inbox = Inbox(
            database, clock, self.announcer, self.outbox, self.events, claims, join_pieces=join_pieces
        )
        self.desk = Desk(database, clock, self.outbox, self.events)
        self.dispatcher = Dispatcher(
            database, clock, bot, self.outbox, self.events, claims, join_pieces=join_pieces
        )
        self.worker = Worker(
            database,
            clock,
            self.dispatcher,
            self.announcer,
            redis,
            claims,
            self.desk,
            concurrency=concurrency,
        )

    def add_channel(self, channel: Channel) -> None:
        """Send the messages of a channel through this connector."""
        self._channels[channel.name] = channel

    async def start(self, *, worker: bool = True) -> None:
        """Begin to work; with `worker=False` this process only receives, sends and shows."""
        self.events.start()
        self.outbox.start()
        if worker:
            await self.worker.start()

    async def stop(self) -> None:
        """Finish what is under way, then stop: first the work, then the sending, then the events."""
        await self.worker.stop()
        await self.outbox.stop()
        await self.events.stop()
        self._claims.retire()
