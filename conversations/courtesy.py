"""Lets receiving go first: who begins something that can wait lets a busy event loop work off a little first.

When a provider is back after an outage, thousands of answers wait to be sent, while each one sent brings
echoes and receipts that have to be acknowledged at once. Sent as fast as it goes, they would leave these a
queue to wait in. So sends begin one after the other, each when a round of the loop is short, or after a
moment all the same: the backlog still goes, at some seventy a second on a loop that is never idle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

_SHORT_ROUND = 0.002
_LONGEST = 0.015


class Courtesy:
    """Keeps those who can wait in line.

    Args:
        now: a clock in seconds that is never set.
    """

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._line = asyncio.Lock()

    async def wait(self) -> None:
        """Return when it is one's turn and the loop is not busy, or has had its time."""
        async with self._line:
            asked = self._now()
            until = asked + _LONGEST
            while True:
                await asyncio.sleep(0)
                now = self._now()
                if now - asked < _SHORT_ROUND or now >= until:
                    return
                asked = now
