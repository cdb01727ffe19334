"""The gauges about the instance, brought up to date when somebody asks for the metrics."""

from __future__ import annotations

import asyncio
import math
import time
from datetime import datetime

from sqlalchemy.pool import QueuePool

from api.readiness import readiness
from api.services import Services
from conversations.arrival import SESSION_IDLE
from conversations.figures import Figures, read_figures
from database.engine import STORAGE_DOWN
from telemetry import labels, metrics

_FRESH_SECONDS = 5.0
_PATIENCE = 2.0
_STATES = ("received", "processing", "pending")
_OWNERS = ("bot", "queue", "person")


class FigureKeeper:
    """Sets the gauges, at most once in five seconds however often it is asked.

    Args:
        services: the process's parts.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._read_at = -math.inf
        self._reading = asyncio.Lock()

    async def refresh(self) -> None:
        """Bring the gauges up to date; what cannot be known now becomes NaN. Never raises."""
        async with self._reading:
            if time.monotonic() - self._read_at < _FRESH_SECONDS:
                return
            await self._parts()
            await self._channels()
            self._conversations(await self._figures())
            self._own()
            self._read_at = time.monotonic()

    async def _parts(self) -> None:
        state = await readiness(self._services)
        for part, is_up in state.parts.items():
            if is_up != "off":
                metrics.part_up.labels(part).set(is_up == "up")
        resting = self._services.bot.resting()
        metrics.bots.set(len(resting))
        metrics.bots_resting.set(sum(resting))

    async def _channels(self) -> None:
        try:
            async with asyncio.timeout(_PATIENCE):
                reports = await self._services.health.reports()
        except (*STORAGE_DOWN, TimeoutError):
            return
        now = self._services.clock.now()
        for report in reports:
            channel = labels.channel(report.channel)
            metrics.channel_up.labels(channel).set(report.state in ("ok", "limited"))
            metrics.channel_quiet.labels(channel).set(report.is_quiet)
            metrics.channel_queue.labels(channel).set(report.queue)
            for gauge, at in (
                (metrics.channel_last_event, report.last_event_at),
                (metrics.channel_last_success, report.last_success_at),
            ):
                gauge.labels(channel).set(math.nan if at is None else _age(at, now))
            credentials = report.credentials
            expires = credentials.expires_at if credentials else None
            left = (expires - now).total_seconds() if expires else math.nan
            metrics.channel_token.labels(channel).set(left)
            needs_login = report.fault in ("needs_login", "refused_credentials")
            metrics.channel_login.labels(channel).set(needs_login)

    async def _figures(self) -> Figures | None:
        lately = self._services.clock.now() - SESSION_IDLE
        try:
            async with asyncio.timeout(_PATIENCE), self._services.database.read() as session:
                return await read_figures(session, lately=lately)
        except (*STORAGE_DOWN, TimeoutError):
            return None

    def _conversations(self, figures: Figures | None) -> None:
        now = self._services.clock.now()
        for state in _STATES:
            metrics.backlog.labels(state).set(figures.backlog.get(state, 0) if figures else math.nan)
        for owner in _OWNERS:
            metrics.sessions.labels(owner).set(figures.sessions.get(owner, 0) if figures else math.nan)
        if figures is None:
            for gauge in (metrics.oldest_waiting, metrics.oldest_unsent, metrics.queue_oldest):
                gauge.set(math.nan)
            return
        unanswered = [
            figures.oldest[state] for state in ("received", "processing") if state in figures.oldest
        ]
        metrics.oldest_waiting.set(_age(min(unanswered, default=None), now))
        metrics.oldest_unsent.set(_age(figures.oldest.get("pending"), now))
        metrics.queue_oldest.set(_age(figures.queue_since, now))

    def _own(self) -> None:
        knowledge = self._services.knowledge
        if knowledge is not None:
            metrics.knowledge_version.set(knowledge.version)
            metrics.knowledge_entries.set(knowledge.size)
        pool = self._services.database.engine.pool
        if isinstance(pool, QueuePool):
            metrics.pool_connections.labels("in_use").set(pool.checkedout())
            metrics.pool_connections.labels("idle").set(pool.checkedin())
            # The library keeps the room for more under no public name; below zero means no limit.
            overflow: int = getattr(pool, "_max_overflow", 0)
            metrics.pool_limit.set(pool.size() + overflow if overflow >= 0 else math.inf)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max(0.0, (now - since).total_seconds())
