"""How long people wait for an operator, as the last hour shows it, and how they are told.

What is said is no promise: it is what happened to others just now, rounded up, or that it cannot be said.
"""

from __future__ import annotations

import math
import statistics
from datetime import datetime, timedelta

from conversations.desk import repository
from conversations.desk.hours import DeskHours
from database.clock import Clock, local
from database.engine import Database
from vntext.catalogue import say

_LOOKED_BACK = timedelta(hours=1)
_REFRESHED_EVERY = timedelta(seconds=30)
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
        self._read_at: datetime | None = None
        self._median: float | None = None

    async def refresh(self) -> None:
        """Look at the last hour again, when the last look is some time ago."""
        now = self._clock.now()
        if self._read_at is not None and now - self._read_at < _REFRESHED_EVERY:
            return
        async with self._database.read() as session:
            taken = await repository.waits(session, now - _LOOKED_BACK, _MOST)
            # Whoever waits now has waited at least so long: a queue that grows shows before it is worked off.
            still = [(now - since).total_seconds() for since in await repository.waiting(session, _MOST)]
        self._median = statistics.median([*taken, *still]) if len(taken) >= _FEWEST else None
        self._read_at = now

    @property
    def minutes(self) -> int | None:
        """How long people wait, rounded up; None when too few were answered to say."""
        return None if self._median is None else max(1, math.ceil(self._median / 60))

    def sentence(self) -> str:
        """Return the sentence that says when a person will answer."""
        now = self._clock.now()
        if not self._hours.is_open(now):
            opening = self._hours.next_opening(now)
            is_today = opening.date() == local(now).date()
            day = say("desk.wait.today") if is_today else f"{opening:%d/%m}"
            return say("desk.wait.closed", time=f"{opening:%H:%M}", day=day)
        minutes = self.minutes
        if minutes is None:
            return say("desk.wait.unknown")
        return say("desk.wait.long" if minutes > _HALF_HOUR else "desk.wait.about", minutes=minutes)
