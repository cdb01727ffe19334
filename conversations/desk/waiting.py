"""How long people wait for an operator, as the last hour shows it, and how they are told.

What is said is no promise: it is what happened to others just now, rounded up, or that it cannot be said.
"""

from __future__ import annotations

import asyncio
import math
import statistics
from datetime import datetime, timedelta

import structlog

from conversations.desk import repository
from conversations.desk.hours import DeskHours
from conversations.tasks import end_tasks
from database.clock import Clock, local
from database.engine import Database
from vntext.catalogue import say

log = structlog.get_logger(__name__)

_LOOKED_BACK = timedelta(hours=1)
_REFRESHED_SECONDS = 30.0
_FEWEST = 3
_MOST = 200
_HALF_HOUR = 30


class WaitTimes:
    """Knows how long it takes.

    Args:
        database: where the history of hand-overs is.
        clock: the time.
        hours: when somebody is at the desk.
    """

    def __init__(self, database: Database, clock: Clock, hours: DeskHours | None = None) -> None:
        self._database = database
        self._clock = clock
        self._hours = hours or DeskHours()
        self._task: asyncio.Task[None] | None = None
        self._median: float | None = None

    async def refresh(self) -> None:
        """Look at the last hour again."""
        now = self._clock.now()
        async with self._database.read() as session:
            taken = await repository.waits(session, now - _LOOKED_BACK, _MOST)
            # Whoever waits now has waited at least so long: a queue that grows shows before it is worked off.
            still = [(now - since).total_seconds() for since in await repository.waiting(session, _MOST)]
        self._median = statistics.median([*taken, *still]) if len(taken) >= _FEWEST else None

    @property
    def minutes(self) -> int | None:
        """How long people wait, rounded up; None when too few were answered to say."""
        return None if self._median is None else max(1, math.ceil(self._median / 60))

    def sentence(self) -> str:
        """Return the sentence that says when a person will answer."""
        return wait_sentence(self._hours, self._clock.now(), self.minutes)

    def start(self) -> None:
        """Begin to look again and again."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="wait-times")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None

    async def _follow(self) -> None:
        while True:
            try:
                await self.refresh()
            except Exception as error:
                # The last figure stays; the next look may find the database back.
                log.warning("wait_times_failed", error=type(error).__name__)
            await asyncio.sleep(_REFRESHED_SECONDS)


def wait_sentence(hours: DeskHours, now: datetime, minutes: int | None) -> str:
    """Return the sentence that says when a person will answer.

    Args:
        hours: when somebody is at the desk.
        now: the time.
        minutes: how long people wait; None: it cannot be said.
    """
    if not hours.is_open(now):
        opening = hours.next_opening(now)
        is_today = opening.date() == local(now).date()
        day = say("desk.wait.today") if is_today else f"{opening:%d/%m}"
        return say("desk.wait.closed", time=f"{opening:%H:%M}", day=day)
    if minutes is None:
        return say("desk.wait.unknown")
    return say("desk.wait.long" if minutes > _HALF_HOUR else "desk.wait.about", minutes=minutes)
