"""How much one visitor and one address may send: counted in Redis, in this process while Redis is away.

The limits are generous: behind one address there may be a family, an office or a whole mobile network. They
stop a script, not a person in a hurry.
"""

from __future__ import annotations

import hashlib
import time
from collections import OrderedDict
from dataclasses import dataclass

from conversations.redis_link import RedisClient, RedisLink

_REMEMBERED = 50_000


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count` things in each window of `seconds`."""

    name: str
    count: int
    seconds: int


class RateLimiter:
    """Counts by fixed windows.

    Args:
        redis: shared counters; when it is away each process counts for itself.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self._own: OrderedDict[str, int] = OrderedDict()

    async def allow(self, *uses: tuple[Limit, str]) -> Limit | None:
        """Count one use of each (limit, who); return the first limit exceeded, None when all allow it."""
        keys = [self._redis.key(_key(limit, who)) for limit, who in uses]

        async def count(client: RedisClient) -> list[int]:
            async with client.pipeline(transaction=False) as pipeline:
                for key, (limit, _who) in zip(keys, uses, strict=True):
                    pipeline.incr(key)
                    pipeline.expire(key, limit.seconds * 2)
                return [int(value) for value in (await pipeline.execute())[::2]]

        counted = await self._redis.call(count)
        if counted is None:
            counted = [self._count_here(key) for key in keys]
        for (limit, _who), value in zip(uses, counted, strict=True):
            if value > limit.count:
                return limit
        return None

    def _count_here(self, key: str) -> int:
        value = self._own.pop(key, 0) + 1
        self._own[key] = value
        if len(self._own) > _REMEMBERED:
            self._own.popitem(last=False)
        return value


def _key(limit: Limit, who: str) -> str:
    # Addresses are personal data: only a short hash of them leaves this process.
    digest = hashlib.blake2b(who.encode(), digest_size=12).hexdigest()
    return f"limit:{limit.name}:{digest}:{int(time.time() // limit.seconds)}"
