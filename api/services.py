"""Everything the routers work with, made once when the process starts and closed when it stops."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import structlog
from argon2 import PasswordHasher
from fastapi import Request

from accounts.parts import Rules
from accounts.service import AccountService
from actions.learning.samples import LearningSamples
from api.knowledge import KnowledgeLink
from api.messenger import MessengerParts, build_messenger
from api.open_sockets import Sockets
from api.privacy import PersonalData
from api.retention import Retention, periods_of
from api.settings import Settings
from api.startup import prepare_database
from api.zalo import zalo_channel
from connectors.credentials import ChannelCredentials
from connectors.health import ChannelHealth
from connectors.webchat.connector import CHANNEL as WEBCHAT
from connectors.webchat.connector import WebChat
from connectors.webchat.feed import Feed, Pulse
from connectors.webchat.limits import RateLimiter
from connectors.webchat.links import FileLinks
from connectors.webchat.visitors import Visitors
from connectors.zalo.channel import ZaloChannel
from conversations.bot_memory import BotMemoryHolder
from conversations.bot_pool import BotPool
from conversations.core import ConversationCore
from conversations.desk.hours import DeskHours
from conversations.desk.personal_data import DeskHolder
from conversations.desk.service import Desk
from conversations.events import LiveEvents
from conversations.intake import ChannelIntake
from conversations.intake_personal_data import IntakeHolder
from conversations.media.download import Downloader
from conversations.media.service import LARGEST_FILE, Media
from conversations.notices import TicketNotices
from conversations.redis_link import RedisLink
from conversations.service import Inbox
from conversations.tasks import end_tasks
from database.clock import Clock, SystemClock
from database.engine import STORAGE_DOWN, Database
from tickets.desk import TicketDesk
from tickets.follow import TicketFollow
from tickets.service import TicketService

if TYPE_CHECKING:
    from actions.server import ActionServer
    from api.routers.console.feed import DeskFeed
    from kb_index.service import KnowledgeBase

log = structlog.get_logger(__name__)

_REFRESH_SECONDS = 30.0
_LEARNING_SECONDS = 600.0
_FORGET_SECONDS = 3_600.0
_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 10.0


@dataclass(slots=True)
class Services:
    """The parts of one process.

    Attributes:
        secret: the instance's secret key.
        credentials: what the channels log in with.
        health: how the channels are.
        messenger, zalo: the channels; None while they are off.
        actions: answers the bot's action calls; None where this process does not serve them.
        knowledge: the knowledge base the actions search.
        library: the knowledge base for people, also where another process has it.
        desk_feed: tells the open desks what happens; None before the first one opens.
    """

    settings: Settings
    clock: Clock
    database: Database
    redis: RedisLink
    bot: BotPool
    core: ConversationCore
    accounts: AccountService
    tickets: TicketService
    ticket_desk: TicketDesk
    ticket_follow: TicketFollow
    learning: LearningSamples
    visitors: Visitors
    limits: RateLimiter
    links: FileLinks
    media: Media
    personal_data: PersonalData
    retention: Retention
    pulse: Pulse
    sockets: Sockets
    internal_token: str
    secret: str
    credentials: ChannelCredentials
    health: ChannelHealth
    library: KnowledgeLink = field(init=False)
    messenger: MessengerParts | None = None
    zalo: ZaloChannel | None = None
    knowledge: KnowledgeBase | None = None
    actions: ActionServer | None = None
    desk_feed: DeskFeed | None = None
    _actions_only: bool = False
    _http: aiohttp.ClientSession | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.library = KnowledgeLink(lambda: self.knowledge, self.settings.knowledge_url, self.internal_token)

    @property
    def inbox(self) -> Inbox:
        """Takes in what citizens say."""
        return self.core.inbox

    @property
    def intake(self) -> ChannelIntake:
        """Takes in what the channels' providers deliver."""
        return self.core.intake

    @property
    def desk(self) -> Desk:
        """The operators' side of the conversations."""
        return self.core.desk

    @property
    def events(self) -> LiveEvents:
        """Live events for open pages."""
        return self.core.events

    def feed(self, visitor: str, *, after: int) -> Feed:
        """Return what is new in a visitor's chat after a sequence."""
        return Feed(self.inbox, self.events, self.pulse, self.links, visitor, after=after)

    async def start(self, *, actions_only: bool = False) -> None:
        """Prepare the database, open the knowledge base, begin to work.

        With `actions_only` this process does nothing but answer the bot's action calls.

        While the database is away this returns all the same, and the rest follows when it is back: a process
        that has just started must answer emergencies too.
        """
        self._actions_only = actions_only
        try:
            await prepare_database(self.database)
        except STORAGE_DOWN as error:
            log.error("database_away", error=type(error).__name__)
            self._tasks.append(asyncio.create_task(self._begin_later(), name="begin-later"))
        else:
            await self._begin()

    async def _begin(self) -> None:
        if self.settings.serve_actions and self.actions is None:
            await self._try_actions()
        if self._actions_only:
            self.core.waits.start()
            return
        await self.core.start(worker=self.settings.run_worker)
        await self._open_credentials()
        self._tasks.append(asyncio.create_task(self.media.clean_for_ever(), name="file-cleaner"))
        self.health.start()
        if self.settings.run_worker:
            self._tasks.append(asyncio.create_task(self._learn_for_ever(), name="learning"))
            self._tasks.append(asyncio.create_task(self._forget_for_ever(), name="forget-events"))
            self._tasks.append(asyncio.create_task(self.retention.run_for_ever(), name="retention"))

    async def _open_credentials(self) -> None:
        if self.settings.older_secret_keys():
            log.info("credentials_sealed_anew", count=await self.credentials.reseal())
        if self.zalo is not None:
            self.zalo.start()

    async def _try_actions(self) -> None:
        """Open the actions; without them messages are taken all the same, and it is tried again later."""
        try:
            await self._open_actions()
        except STORAGE_DOWN:
            raise
        except Exception:
            log.exception("knowledge_away")
            self._tasks.append(asyncio.create_task(self._open_actions_later(), name="actions-later"))

    async def _open_actions_later(self) -> None:
        while self.actions is None:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await self._open_actions()
            except Exception as error:
                log.error("knowledge_away", error=type(error).__name__)
        log.info("knowledge_there")

    async def _begin_later(self) -> None:
        pause = _FIRST_PAUSE
        while True:
            await asyncio.sleep(pause)
            try:
                await prepare_database(self.database)
                await self._begin()
            except STORAGE_DOWN:
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                log.info("database_there")
                return

    async def stop(self) -> None:
        """Finish what is under way and close everything."""
        if self.desk_feed is not None:
            await self.desk_feed.stop()
        await end_tasks(self._tasks)
        await self.core.stop()
        await self.health.stop()
        await self.bot.close()
        await self.library.close()
        if self.messenger is not None:
            await self.messenger.close()
        if self.zalo is not None:
            await self.zalo.stop()
        if self._http is not None:
            await self._http.close()
        await self.limits.stop()
        await self.redis.close()
        await self.database.close()

    async def _open_actions(self) -> None:
        # Imported here: a process that serves no actions needs neither the index nor the model.
        from actions.dossiers import DossierClient, HttpDossiers, UnconnectedDossiers
        from actions.server import ActionServer
        from actions.services import Office
        from actions.services import Services as ActionServices
        from kb_index.service import KnowledgeBase

        settings = self.settings
        self.knowledge = await KnowledgeBase.open(self.database, settings.data_dir, settings.embedding_model)
        dossiers: DossierClient = UnconnectedDossiers()
        if settings.dossier_url:
            self._http = aiohttp.ClientSession()
            dossiers = HttpDossiers(
                self._http, settings.dossier_url, settings.dossier_token.get_secret_value()
            )
        office = Office(
            hotline=settings.hotline,
            reception_address=settings.reception_address,
            reception_hours=settings.reception_hours,
            retention=settings.retention,
            hours=_hours(settings),
        )
        self.actions = ActionServer(
            ActionServices(
                self.knowledge,
                self.tickets,
                dossiers,
                self.clock,
                office=office,
                waits=self.core.waits,
            )
        )
        self._tasks.append(
            asyncio.create_task(self._refresh_for_ever(self.knowledge), name="knowledge-refresh")
        )

    async def _refresh_for_ever(self, knowledge: KnowledgeBase) -> None:
        while True:
            await asyncio.sleep(_REFRESH_SECONDS)
            try:
                await knowledge.refresh()
            except Exception as error:
                # The index in use stays; the next look may find a whole one.
                log.warning("knowledge_refresh_failed", error=type(error).__name__)

    async def _forget_for_ever(self) -> None:
        while True:
            try:
                await self.intake.forget()
            except Exception as error:
                log.warning("events_not_forgotten", error=type(error).__name__)
            await asyncio.sleep(_FORGET_SECONDS)

    async def _learn_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LEARNING_SECONDS)
            try:
                kept, forgotten = await self.learning.collect(), await self.learning.forget()
            except Exception as error:
                # Nobody waits for it; what was missed is found the next time.
                log.warning("learning_failed", error=type(error).__name__)
            else:
                log.info("learning_collected", kept=kept, forgotten=forgotten)


def build_services(
    settings: Settings, clock: Clock | None = None, hasher: PasswordHasher | None = None
) -> Services:
    """Make the parts of a process; nothing is opened before `start`.

    Args:
        settings: of this process.
        clock: the machine's where not given.
        hasher: of passwords; tests may pass a cheaper one.
    """
    clock = clock or SystemClock()
    database = Database(settings.resolved_database_url(), settings.database_pool())
    redis = RedisLink(settings.redis_url or None, _instance(database))
    token = settings.resolved_internal_token()
    secret = settings.resolved_secret_key()
    bot = BotPool(settings.bot_urls(), token, timeout=settings.bot_timeout)
    credentials = ChannelCredentials(database, clock, secret, settings.older_secret_keys())
    quiet = settings.channel_quiet_minutes
    health = ChannelHealth(
        database, clock, credentials, quiet_after=timedelta(minutes=quiet) if quiet else None
    )
    media = Media(database, clock, settings.data_dir / "files")
    learning = LearningSamples(database, clock, timedelta(days=settings.learning_days))
    core = ConversationCore(
        database,
        clock,
        redis,
        bot,
        join_pieces=settings.join_pieces,
        concurrency=settings.worker_concurrency,
        hours=_hours(settings),
        silence=timedelta(minutes=settings.operator_silence_minutes),
        media=media,
        download=Downloader(LARGEST_FILE, allowed=settings.attachment_hosts),
        observer=health,
        learned=learning,
        settle=timedelta(seconds=settings.channel_settle_seconds),
        echo_patience=timedelta(seconds=settings.channel_echo_seconds),
    )
    core.add_channel(WebChat(core.events))
    # The web chat has no provider: there is nothing of it to watch.
    health.watch(lambda: [channel for channel in core.channels if channel != WEBCHAT])
    messenger = build_messenger(settings, credentials, clock)
    if messenger is not None:
        core.add_channel(messenger.connector)
    zalo = zalo_channel(settings, database, clock, credentials)
    if zalo is not None:
        core.add_channel(zalo.connector)
    accounts = AccountService(database, clock, hasher, secret=secret, rules=account_rules(settings))
    # The bot's memory first: the other holders forget what it is found by.
    holders = (BotMemoryHolder(database, redis), IntakeHolder(database), DeskHolder(database))
    personal_data = PersonalData(database, clock, media, accounts, more=holders)
    notices = TicketNotices(clock, core.outbox, core.events)
    tickets = TicketService(database, clock, notices, address=settings.resolved_public_url())
    return Services(
        settings=settings,
        clock=clock,
        database=database,
        redis=redis,
        bot=bot,
        core=core,
        accounts=accounts,
        tickets=tickets,
        ticket_desk=TicketDesk(database, clock, tickets),
        ticket_follow=TicketFollow(database, tickets),
        learning=learning,
        visitors=Visitors(secret),
        limits=RateLimiter(redis),
        links=FileLinks(secret, clock),
        media=media,
        personal_data=personal_data,
        retention=Retention(personal_data, clock, accounts, periods_of(settings)),
        pulse=Pulse(settings.event_heartbeat),
        sockets=Sockets(settings.chat_sockets),
        internal_token=token,
        secret=secret,
        credentials=credentials,
        health=health,
        messenger=messenger,
        zalo=zalo,
    )


def account_rules(settings: Settings) -> Rules:
    """Return the settings of log-ins as the accounts know them."""
    return Rules(
        idle=timedelta(minutes=settings.session_idle_minutes),
        longest=timedelta(hours=settings.session_hours),
        totp_roles=frozenset(settings.totp_roles),
    )


async def get_services(request: Request) -> Services:
    """Return the process's parts, for routers. A coroutine: a plain function would be run in a thread."""
    services: Services = request.app.state.services
    return services


def _hours(settings: Settings) -> DeskHours:
    return DeskHours(always_open=settings.desk_always_open)


def _instance(database: Database) -> str:
    """Return a short name of the instance: two with different databases may share one Redis."""
    where = f"{database.url.host}:{database.url.port}/{Path(database.url.database or '').absolute()}"
    return hashlib.blake2b(where.encode(), digest_size=6).hexdigest()
