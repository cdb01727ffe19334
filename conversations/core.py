"""Puts the parts of the conversation core together, for the app, for a worker process and for commands."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from conversations.announce import Announcer
from conversations.bot_client import Bot
from conversations.channel import Channel
from conversations.circuit import ChannelObserver
from conversations.claims import ClaimNames
from conversations.desk.calls import Calls
from conversations.desk.canned import CannedAnswers
from conversations.desk.hours import DeskHours
from conversations.desk.notes import Notes
from conversations.desk.ownership import SILENCE, DeskParts
from conversations.desk.people import People
from conversations.desk.presence import Presence
from conversations.desk.search import Search
from conversations.desk.service import Desk
from conversations.desk.waiting import WaitTimes
from conversations.dispatch import Dispatcher
from conversations.events import LiveEvents
from conversations.intake import ChannelIntake
from conversations.media.download import Downloader
from conversations.media.fetch import Fetcher
from conversations.media.service import Media
from conversations.outbox import ECHO_PATIENCE, Outbox
from conversations.outgoing import no_files
from conversations.redis_link import RedisLink
from conversations.service import SETTLE, Inbox
from conversations.withdrawals import Learned
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
        media: keeps files; without it none is sent or fetched.
        download: fetches attachments from where their provider has them; None: nobody does.
        observer: keeps count of what passes through the channels.
        learned: forgets what was learned from messages that are taken back.
        settle: how long a message waits for earlier ones where the provider delivers out of order.
        echo_patience: how long a message that may have gone out waits for its echo.
        hours: when somebody is at the desk.
        silence: how long an operator may keep a citizen waiting.

    Attributes:
        desk, notes, canned, people, calls, presence, search: what operators work with.
        waits: how long people wait for them.
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
        media: Media | None = None,
        download: Downloader | None = None,
        observer: ChannelObserver | None = None,
        learned: Learned | None = None,
        settle: timedelta = SETTLE,
        echo_patience: timedelta = ECHO_PATIENCE,
        hours: DeskHours | None = None,
        silence: timedelta = SILENCE,
    ) -> None:
        self._channels = {channel.name: channel for channel in channels}
        claims = self._claims = ClaimNames()
        self.events = LiveEvents(redis)
        self.people = People(database, clock, self.events)
        self.outbox = Outbox(
            database,
            clock,
            self._channels,
            claims,
            self.people,
            find_file=media.outbound if media is not None else no_files,
            observer=observer,
            echo_patience=echo_patience,
        )
        self.announcer = Announcer(redis)
        self.fetcher: Fetcher | None = None
        if media is not None and download is not None:
            self.fetcher = Fetcher(
                database, clock, media, download, self.announcer, self.events, settle=settle
            )
        self.inbox = Inbox(
            database,
            clock,
            self.announcer,
            self.outbox,
            self.events,
            claims,
            join_pieces=join_pieces,
            settle=settle,
            files_come=self.fetcher.wake if self.fetcher is not None else None,
        )
        self.intake = ChannelIntake(
            database,
            clock,
            self.inbox,
            self.outbox,
            self.events,
            media=media,
            learned=learned,
            observer=observer,
        )
        self.search = Search(database, clock)
        self.waits = WaitTimes(database, clock, hours)
        parts = DeskParts(database, clock, self.outbox, self.events, silence)
        self.desk = Desk(parts, self.search, self.waits, self._windows)
        self.notes = Notes(database, clock, self.events)
        self.canned = CannedAnswers(database, clock)
        self.calls = Calls(database, clock, self.events)
        self.presence = Presence(redis, self.events)
        self.dispatcher = Dispatcher(
            database, clock, bot, self.outbox, self.events, claims, self.waits, join_pieces=join_pieces
        )
        self.worker = Worker(
            database,
            clock,
            self.dispatcher,
            self.announcer,
            redis,
            claims,
            self.desk,
            self.outbox,
            concurrency=concurrency,
        )

    def _windows(self) -> dict[str, timedelta]:
        every = {name: channel.capabilities.window for name, channel in self._channels.items()}
        return {name: window for name, window in every.items() if window is not None}

    def add_channel(self, channel: Channel) -> None:
        """Send the messages of a channel through this connector."""
        self._channels[channel.name] = channel

    @property
    def channels(self) -> list[str]:
        """Names of the channels that are on."""
        return sorted(self._channels)

    async def start(self, *, worker: bool = True) -> None:
        """Begin to work; with `worker=False` this process only receives, sends and shows."""
        self.events.start()
        await self.outbox.wait_anew()
        self.outbox.start()
        if self.fetcher is not None:
            self.fetcher.start()
        self.waits.start()
        if worker:
            await self.worker.start()
            self.search.start()

    async def stop(self) -> None:
        """Finish what is under way, then stop: first the work, then the sending, then the events."""
        if self.fetcher is not None:
            await self.fetcher.stop()
        await self.announcer.stop()
        await self.worker.stop()
        await self.search.stop()
        await self.waits.stop()
        await self.outbox.stop()
        await self.events.stop()
        self._claims.retire()
