"""How each channel is: what came, what went, what failed, how its credentials stand, and what to do next."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal

import structlog

from connectors import health_repository
from connectors.credentials import ChannelCredentials, Credentials
from connectors.quiet import DAYS, is_quiet, whole_hour
from conversations import intake_repository, sending_repository
from conversations.circuit import State
from conversations.intake import KEPT
from conversations.schemas import SendResult
from conversations.tasks import end_tasks
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database

log = structlog.get_logger(__name__)

REFUSED = "bad_signature"
"""The kind of a delivery that the provider has not signed."""

Fault = Literal[
    "needs_login", "refused_credentials", "renewal", "expires", "down", "limited", "quiet", "forged", "none"
]

_FLUSH_SECONDS = 5.0
_LOOK_SECONDS = 60.0
_DAY = timedelta(hours=24)
_EXPIRES_SOON = timedelta(days=3)
_MANY_FORGED = 20
_KEPT_HOURS = timedelta(days=60)


@dataclass(slots=True)
class _Gathered:
    events: int = 0
    sent: int = 0
    refused: int = 0
    errors: Counter[str] = field(default_factory=Counter)
    health: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """One channel at one moment.

    Attributes:
        state: `ok`, `down`, `limited` or `auth`, since `state_since`.
        last_event_at: when the provider last delivered something.
        last_success_at: when it last took a message.
        queue: messages that wait to be sent; `queue_since`: since when the oldest does.
        sent, events, refused: of the last 24 hours: taken by the provider, delivered by it, badly signed.
        errors: short codes of failed tries of the last 24 hours with their counts, most frequent first.
        unknown: names of events we do not know, of the last 30 days, with counts.
        credentials: what the channel logs in with; None where nothing is stored.
        is_quiet: nothing has come for longer than usual.
        fault: what is wrong first of all.
    """

    channel: str
    state: str
    state_since: datetime | None
    last_event_at: datetime | None
    last_success_at: datetime | None
    queue: int
    queue_since: datetime | None
    sent: int
    events: int
    refused: int
    errors: tuple[tuple[str, int], ...]
    unknown: tuple[tuple[str, int], ...]
    credentials: Credentials | None
    is_quiet: bool
    fault: Fault


class ChannelHealth:
    """Counts in memory, writes down every few seconds, and reports.

    Args:
        database: where it is kept, for all processes together.
        clock: the time.
        credentials: what the channels log in with.
        quiet_after: silence of a channel that is always too long; None: only what is usual decides.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        credentials: ChannelCredentials,
        *,
        quiet_after: timedelta | None = None,
    ) -> None:
        self._database = database
        self._clock = clock
        self._credentials = credentials
        self._quiet_after = quiet_after
        self._gathered: defaultdict[str, _Gathered] = defaultdict(_Gathered)
        self._states: dict[str, State] = {}
        self._known_faults: dict[str, Fault] = {}
        self._loops: list[asyncio.Task[None]] = []
        self._channels: Callable[[], list[str]] = list

    def watch(self, channels: Callable[[], list[str]]) -> None:
        """Say which channels are on."""
        self._channels = channels

    def start(self) -> None:
        """Begin to write down what is counted, and to look for faults."""
        if not self._loops:
            self._loops = [
                asyncio.create_task(self._flush_for_ever(), name="channel-health"),
                asyncio.create_task(self._look_for_ever(), name="channel-faults"),
            ]

    async def stop(self) -> None:
        """Write down what is left."""
        await end_tasks(self._loops)
        self._loops = []
        try:
            await self.flush()
        except STORAGE_DOWN as error:
            log.warning("health_not_kept", error=type(error).__name__)

    # --- counting -----------------------------------------------------------------------------------------

    def event(self, channel: str, kind: str) -> None:
        """The provider delivered something, or somebody else did in its name (`REFUSED`)."""
        gathered = self._gathered[channel]
        if kind == REFUSED:
            gathered.refused += 1
            return
        gathered.events += 1
        gathered.health["last_event_at"] = self._clock.now()

    def sent(self, channel: str, result: SendResult) -> None:
        """One try to send, and what the provider said."""
        gathered = self._gathered[channel]
        now = self._clock.now()
        if result.status == "accepted":
            gathered.sent += 1
            gathered.health["last_success_at"] = now
        else:
            code = (result.error or result.status)[:60]
            gathered.errors[code] += 1
            gathered.health |= {"last_error_at": now, "error": code}

    def state(self, channel: str, state: State, error: str | None) -> None:
        """A channel's switch has moved."""
        self._states[channel] = state
        self._gathered[channel].health |= {"state": state, "state_since": self._clock.now()}

    async def flush(self) -> None:
        """Write down what was counted."""
        gathered, self._gathered = self._gathered, defaultdict(_Gathered)
        if not gathered:
            return
        now = self._clock.now()
        try:
            async with self._database.write(durable=False) as session:
                for channel, one in sorted(gathered.items()):
                    is_well = one.sent and "state" not in one.health and self._is_well(channel)
                    # A process that is gone may have left another state behind.
                    if is_well and await health_repository.state_of(session, channel) not in (None, "ok"):
                        one.health |= {"state": "ok", "state_since": now}
                    await health_repository.change(session, channel, now, one.health)
                    await health_repository.add_to_hour(
                        session,
                        channel,
                        whole_hour(now),
                        events=one.events,
                        sent=one.sent,
                        refused=one.refused,
                        errors=one.errors,
                    )
        except BaseException:
            for channel, one in gathered.items():
                self._put_back(channel, one)
            raise

    def _is_well(self, channel: str) -> bool:
        return self._states.get(channel, "ok") == "ok"

    def _put_back(self, channel: str, one: _Gathered) -> None:
        newer = self._gathered[channel]
        newer.events += one.events
        newer.sent += one.sent
        newer.refused += one.refused
        newer.errors += one.errors
        newer.health = {**one.health, **newer.health}

    # --- reporting ----------------------------------------------------------------------------------------

    async def reports(self) -> list[ChannelReport]:
        """Return how every channel that is on stands."""
        now = self._clock.now()
        channels = self._channels()
        async with self._database.read() as session:
            states = await health_repository.states(session)
            hours = await health_repository.hours(session, now - timedelta(days=DAYS + 1))
            queues = await sending_repository.queues(session)
            unknown = {
                channel: tuple(
                    (name, count)
                    for name, known, count in await intake_repository.counts(session, channel, now - KEPT)
                    if not known
                )
                for channel in channels
            }
        found = []
        for channel in channels:
            own = [row for row in hours if row["channel"] == channel]
            lately = [row for row in own if row["hour"] > now - _DAY]
            errors: Counter[str] = Counter()
            for row in lately:
                errors.update(row["errors"])
            state = states.get(channel, {})
            history = {row["hour"]: row["events"] for row in own}
            last_event: datetime | None = state.get("last_event_at")
            quiet = is_quiet(history, last_event, now, limit=self._quiet_after)
            refused = sum(row["refused"] for row in lately)
            credentials = await self._credentials.get(channel)
            count, since = queues.get(channel, (0, None))
            found.append(
                ChannelReport(
                    channel=channel,
                    state=state.get("state", "ok"),
                    state_since=state.get("state_since"),
                    last_event_at=last_event,
                    last_success_at=state.get("last_success_at"),
                    queue=count,
                    queue_since=since,
                    sent=sum(row["sent"] for row in lately),
                    events=sum(row["events"] for row in lately),
                    refused=refused,
                    errors=tuple(errors.most_common()),
                    unknown=unknown[channel],
                    credentials=credentials,
                    is_quiet=quiet,
                    fault=_fault(state.get("state", "ok"), credentials, quiet, refused, now),
                )
            )
        return found

    async def look(self) -> None:
        """Say aloud, once, what has become wrong or right again."""
        for report in await self.reports():
            before = self._known_faults.get(report.channel, "none")
            self._known_faults[report.channel] = report.fault
            if report.fault == before:
                continue
            if report.fault == "none":
                log.info("channel_well", channel=report.channel, was=before)
            else:
                log.error("channel_fault", channel=report.channel, fault=report.fault)

    async def _flush_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception as error:
                log.warning("health_not_kept", error=type(error).__name__)

    async def _look_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            try:
                await self.look()
                async with self._database.write(durable=False) as session:
                    await health_repository.forget(session, self._clock.now() - _KEPT_HOURS)
            except Exception as error:
                log.warning("health_not_read", error=type(error).__name__)


def _fault(state: str, credentials: Credentials | None, quiet: bool, refused: int, now: datetime) -> Fault:
    """Return the one thing to see to first."""
    if credentials is not None and credentials.state == "needs_login":
        return "needs_login"
    if state == "auth":
        return "refused_credentials"
    if credentials is not None and credentials.expires_at is not None:
        left = credentials.expires_at - now
        is_short_lived = credentials.expires_at - credentials.refreshed_at < _EXPIRES_SOON
        if left <= timedelta():
            return "refused_credentials"
        if credentials.state == "failing":
            return "renewal"
        if left < _EXPIRES_SOON and not is_short_lived:
            return "expires"
    if state == "down":
        return "down"
    if quiet:
        return "quiet"
    if state == "limited":
        return "limited"
    return "forged" if refused >= _MANY_FORGED else "none"
