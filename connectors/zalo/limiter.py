"""Keeps the calls under the provider's rate limit, as its own headers tell it.

`X-RateLimit-Limit` is how many calls a minute takes, `X-RateLimit-Remain` how many are left of it. Calls are
spread by a bucket that refills at the limit's pace; what the provider says is left overrules our own count,
because other processes call too. Nobody waits here for long: a message that would have to is tried again by
the outbox, which keeps the order.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping

_MINUTE = 60.0
_LONGEST_WAIT = 2.0
_SMALLEST_BURST = 10.0


class RateLimitedError(Exception):
    """No call may be made for `retry_after` seconds."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"rate limited for {retry_after:.1f} s")
        self.retry_after = retry_after


class RateLimit:
    """The limit of one account, as this process sees it.

    Args:
        per_minute: until a header says another.
        monotonic: seconds that only grow.
    """

    def __init__(self, per_minute: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._pace = per_minute / _MINUTE
        self._level = self._burst
        self._filled_at = monotonic()
        self._closed_until = 0.0
        self._window_from = monotonic()
        self._remain: int | None = None

    @property
    def _burst(self) -> float:
        return max(_SMALLEST_BURST, self._pace)

    async def acquire(self) -> None:
        """Take the right to one call, after a short wait where one is enough.

        Raises:
            RateLimitedError: it would not be enough.
        """
        now = self._monotonic()
        if self._closed_until > now:
            await self._wait(self._closed_until - now)
        self._fill()
        self._level -= 1
        if self._level < 0:
            wait = -self._level / self._pace
            if wait > _LONGEST_WAIT:
                self._level += 1
                raise RateLimitedError(wait)
            await asyncio.sleep(wait)

    def learn(self, headers: Mapping[str, str]) -> None:
        """Take over what the headers of an answer say."""
        limit = _count(headers.get("X-RateLimit-Limit"))
        remain = _count(headers.get("X-RateLimit-Remain"))
        now = self._monotonic()
        if limit:
            self._pace = limit / _MINUTE
        if remain is None:
            return
        if self._remain is None or remain > self._remain or now - self._window_from >= _MINUTE:
            self._window_from = now
        self._remain = remain
        self._fill()
        self._level = min(self._level, float(remain))
        if remain == 0:
            self._closed_until = max(self._closed_until, self._window_from + _MINUTE)

    def close(self, seconds: float | None = None) -> float:
        """The provider refused for the rate: make no calls for a while; return for how long."""
        now = self._monotonic()
        if seconds is None:
            seconds = max(1.0, self._window_from + _MINUTE - now)
        self._closed_until = max(self._closed_until, now + seconds)
        return self._closed_until - now

    def _fill(self) -> None:
        now = self._monotonic()
        self._level = min(self._burst, self._level + (now - self._filled_at) * self._pace)
        self._filled_at = now

    async def _wait(self, seconds: float) -> None:
        if seconds > _LONGEST_WAIT:
            raise RateLimitedError(seconds)
        await asyncio.sleep(seconds)


def _count(value: str | None) -> int | None:
    return int(value) if value is not None and value.strip().isdecimal() else None
