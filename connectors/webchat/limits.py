"""How much one visitor and one address may send: counted in this process, shared with the others by Redis.

The limits are generous: behind one address there may be a family, an office or a whole mobile network. They
stop a script, not a person in a hurry.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from conversations.redis_link import RedisClient, RedisLink
from conversations.tasks import end_tasks

_REMEMBERED = 50_000
_SHARE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` things in each window of `seconds`."""

    name: str
    count: int
    seconds: int


class RateLimiter:
    """Counts by fixed windows.

    A message is counted in this process: nobody waits for Redis while it is received. What was counted
    is told to the other processes within a second; one sender spread over all of them may have that second
    more than the limit.

    Args:
        redis: where the processes tell each other; while it is away each counts for itself.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._untold: dict[str, _Count] = {}
        self._telling: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        """Stop telling; counts are of use for a minute only."""
        if self._telling is not None:
            await end_tasks([self._telling])
            self._telling = None

    def allow(self, *uses: tuple[Limit, str]) -> Limit | None:
        """Count one use of each (limit, who); return the first limit exceeded, None when all allow it."""
        exceeded = None
        for limit, who in uses:
            if self._count(limit, who) > limit.count and exceeded is None:
                exceeded = limit
        if self._telling is None and self._redis.is_up:
            self._telling = asyncio.create_task(self._share_later(), name="limits-shared")
        return exceeded

    def _count(self, limit: Limit, who: str) -> int:
        key = _key(limit, who)
        count = self._counts.get(key)
        if count is None:
            count = self._counts[key] = _Count(limit.seconds * 2)
            if len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        else:
            self._counts.move_to_end(key)
        count.here += 1
        self._untold[key] = count
        if len(self._untold) > _REMEMBERED:
            self._untold.clear()  # Redis has been away for long: what is counted here holds
        return count.here + count.elsewhere

    async def share(self) -> None:
        """Tell the other processes what was counted here, and learn what they counted of the same."""
        untold, self._untold = self._untold, {}
        if not untold:
            return
        # A second more or less of counting is not worth trying again.
        await self._redis.call(lambda client: self._tell(client, untold))

    async def _share_later(self) -> None:
        await asyncio.sleep(_SHARE_SECONDS)
        try:
            await self.share()
        finally:
            # Not before: two at a time would tell the same uses twice, and stopping would not wait for it.
            self._telling = None

    async def _tell(self, client: RedisClient, untold: dict[str, _Count]) -> None:
        async with client.pipeline(transaction=False) as pipeline:
            told = [(count, count.here) for count in untold.values()]
            for key, count in untold.items():
                name = self._redis.key(key)
                pipeline.incrby(name, count.here - count.told)
                pipeline.expire(name, count.kept_seconds)
            totals = (await pipeline.execute())[::2]
        for (count, here), total in zip(told, totals, strict=True):
            count.told, count.elsewhere = here, max(0, int(total) - here)


@dataclass(slots=True)
class _Count:
    kept_seconds: int
    here: int = 0
    told: int = 0
    """How much of `here` the other processes know."""
    elsewhere: int = 0
    """What the others had counted when this process last told them something."""


def _key(limit: Limit, who: str) -> str:
    # Addresses are personal data: only a short hash of them leaves this process.
    digest = hashlib.blake2b(who.encode(), digest_size=12).hexdigest()
    return f"limit:{limit.name}:{digest}:{int(time.time() // limit.seconds)}"
