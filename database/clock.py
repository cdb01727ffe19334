"""The clock, injected wherever the time of day matters, so that tests own it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

LOCAL_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


class Clock(Protocol):
    """Anything that tells the time."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        """Return the current instant, aware, in UTC."""
        return datetime.now(UTC)


def local(instant: datetime) -> datetime:
    """Return `instant` in the province's time zone (Asia/Ho_Chi_Minh)."""
    return instant.astimezone(LOCAL_ZONE)
