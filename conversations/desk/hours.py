"""When a person sits at the desk."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta

from database.clock import local

_SATURDAY = 5


@dataclass(frozen=True)
class DeskHours:
    """When a person sits at the desk. The province's plan for 1022 says 24 hours a day, 7 days a week.

    `periods` are the local working hours Monday to Friday, used where `always_open` is off.
    """

    always_open: bool = True
    periods: tuple[tuple[time, time], ...] = ((time(7, 0), time(11, 30)), (time(13, 0), time(16, 30)))

    def is_open(self, instant: datetime) -> bool:
        """Return whether a person is at the desk at `instant`."""
        if self.always_open:
            return True
        here = local(instant)
        return here.weekday() < _SATURDAY and any(start <= here.time() < end for start, end in self.periods)

    def next_opening(self, instant: datetime) -> datetime:
        """Return when (local time) the desk opens next; `instant` itself where it is open.

        Raises:
            ValueError: it never does.
        """
        here = local(instant)
        if self.is_open(instant):
            return here
        for days in range(8):
            day = here + timedelta(days=days)
            if day.weekday() >= _SATURDAY:
                continue
            for start, _ in self.periods:
                opening = day.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
                if opening > here:
                    return opening
        raise ValueError("the desk has no opening hours")
