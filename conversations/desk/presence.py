"""Who of the operators has a conversation open, and who is writing: a sign of life that runs out by itself.

It is no lock and decides nothing. Between processes it lies in Redis; without Redis each process knows its
own operators.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from conversations.desk.schemas import Watcher
from conversations.events import DESK, LiveEvents
from conversations.redis_link import RedisClient, RedisLink

LIVES_SECONDS = 30
"""How long a sign of life counts; a page gives one every ten seconds, and at each beginning of writing."""

_TYPING_SECONDS = 8.0


class Presence:
    """Knows who looks at what.

    Args:
        redis: the link by which processes share it.
        events: tells the consoles when it changes (`type` is `presence`).
        seconds: a clock that never goes back.
    """

    def __init__(
        self, redis: RedisLink, events: LiveEvents, *, seconds: Callable[[], float] = time.time
    ) -> None:
        self._redis = redis
        self._events = events
        self._seconds = seconds
        self._own: dict[str, dict[str, tuple[float, float]]] = {}

    async def seen(self, conversation_id: str, operator_id: str, *, typing: bool = False) -> None:
        """Note that an operator has a conversation open now, and whether they are writing."""
        now = self._seconds()
        signs = (now, now if typing else 0.0)
        before = await self.of(conversation_id)
        self._forget_old(now)
        self._own.setdefault(conversation_id, {})[operator_id] = signs
        key = self._key(conversation_id)

        async def keep(client: RedisClient) -> bool:
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.hset(key, operator_id, f"{signs[0]}:{signs[1]}")
                pipeline.expire(key, LIVES_SECONDS)
                await pipeline.execute()
            return True

        await self._redis.call(keep)
        if Watcher(operator_id, typing) not in before:
            await self._tell(conversation_id)

    async def left(self, conversation_id: str, operator_id: str) -> None:
        """Note that an operator has closed it."""
        own = self._own.get(conversation_id, {})
        own.pop(operator_id, None)
        if not own:
            self._own.pop(conversation_id, None)
        await self._redis.call(lambda client: client.hdel(self._key(conversation_id), operator_id))
        await self._tell(conversation_id)

    async def of(self, conversation_id: str) -> list[Watcher]:
        """Return who has a conversation open, by id."""
        now = self._seconds()
        signs = dict(self._own.get(conversation_id, {}))
        shared: dict[str, str] | None = await self._redis.call(
            lambda client: client.hgetall(self._key(conversation_id))
        )
        for operator_id, value in (shared or {}).items():
            seen, typed = map(float, value.split(":"))
            signs[operator_id] = max(signs.get(operator_id, (0.0, 0.0)), (seen, typed))
        return [
            Watcher(operator_id, now - typed < _TYPING_SECONDS)
            for operator_id, (seen, typed) in sorted(signs.items())
            if now - seen < LIVES_SECONDS
        ]

    def _forget_old(self, now: float) -> None:
        for conversation_id, signs in list(self._own.items()):
            living = {who: sign for who, sign in signs.items() if now - sign[0] < LIVES_SECONDS}
            if living:
                self._own[conversation_id] = living
            else:
                del self._own[conversation_id]

    def _key(self, conversation_id: str) -> str:
        return self._redis.key(f"presence:{conversation_id}")

    async def _tell(self, conversation_id: str) -> None:
        event: dict[str, Any] = {"type": "presence", "conversation": conversation_id}
        self._events.tell((DESK,), event)
