"""Tells the workers that a conversation has something to do: a Redis stream, or this process's own queue."""

from __future__ import annotations

import asyncio

from conversations.redis_link import RedisLink

STREAM = "inbox"
_LONGEST_STREAM = 100_000


class Announcer:
    """Announces conversations.

    What is announced is only a hint. The rows are the truth, and a hint that is lost (Redis gone, process
    killed in between) is made good by the workers' sweep.

    Attributes:
        local: conversations announced while Redis was away, for the worker inside this process.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self.local: asyncio.Queue[str] = asyncio.Queue()

    async def announce(self, conversation_id: str) -> None:
        """Tell the workers; never raises."""
        entry = await self._redis.call(
            lambda client: client.xadd(
                self._redis.key(STREAM),
                {"conversation": conversation_id},
                maxlen=_LONGEST_STREAM,
                approximate=True,
            )
        )
        if entry is None:
            self.local.put_nowait(conversation_id)
