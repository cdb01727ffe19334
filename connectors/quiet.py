"""Notices that a webhook went quiet: nothing came in a time in which, on other days, much did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median

HOUR = timedelta(hours=1)
DAYS = 14
"""Days before, at whose same hours is looked."""

_ENOUGH_DAYS = 3
_LOOKED_BACK = timedelta(hours=24)
_TOO_MANY = 15.0


def whole_hour(at: datetime) -> datetime:
    """Return the beginning of the hour."""
    return at.replace(minute=0, second=0, microsecond=0)


def expected(history: Mapping[datetime, int], since: datetime, until: datetime) -> float:
    """Return how many events the same hours of earlier days let expect between two moments.

    For each hour of the span the median of that hour on earlier days is taken, for a part of one its share.
    Hours in which nothing was counted hold 0, from the first hour in `history` on.

    Args:
        history: events by hour (UTC; the province has no summer time, so an hour is the same one every day).
        since, until: the span.
    """
    if not history:
        return 0.0
    first = min(history)
    total = 0.0
    hour = whole_hour(since)
    while hour < until:
        same: Sequence[int] = [
            history.get(hour - timedelta(days=days), 0)
            for days in range(1, DAYS + 1)
            if hour - timedelta(days=days) >= first
        ]
        if len(same) >= _ENOUGH_DAYS:
            share = (min(until, hour + HOUR) - max(since, hour)) / HOUR
            total += median(same) * share
        hour += HOUR
    return total


def is_quiet(
    history: Mapping[datetime, int], last: datetime | None, now: datetime, *, limit: timedelta | None
) -> bool:
    """Tell whether it has been quiet for too long.

    Args:
        history: events by hour.
        last: when the last event came; None: never.
        now: the time.
        limit: silence that is always too long; None: only the comparison with earlier days decides.
    """
    if last is None:
        return False
    if limit is not None and now - last > limit:
        return True
    return expected(history, max(last, now - _LOOKED_BACK), now) >= _TOO_MANY
