"""Redis that may be away: short time limits, and a pause before it is asked again.

Everything Redis does here can be done without it, only slower. What must never happen is that every message
waits for a server that is down or hangs, so after a failure nobody asks until a task of its own has found it
back.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from conversations.tasks import end_tasks

log = structlog.get_logger(__name__)

_PAUSE_SECONDS = 0.5
_CONNECT_SECONDS = 0.5
_ANSWER_SECONDS = 1.0

T = TypeVar("T")

# The library types every command as "a value or an awaitable of it"; what is awaited here is always the
# latter.
RedisClient = Any
UNAVAILABLE = (RedisError, OSError, TimeoutError)
"""What a Redis call raises when the server cannot be used."""


def connect(url: str, *, answer_seconds: float | None = _ANSWER_SECONDS) -> RedisClient:
    """Return a client that gives up quickly and does not retry by itself."""
    return Redis.from_url(
        url,
        decode_responses=True,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=answer_seconds,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=0,
    )


class RedisLink:
    """Redis with a memory of whether it works.

    Args:
        url: `redis://host:port/db`; None: there is no Redis, everything runs in this process.
        instance: keeps the keys of several instances on one Redis apart.
    """

    def __init__(self, url: str | None, instance: str = "") -> None:
        self.url = url
        self._prefix = f"1022:{instance}:" if instance else "1022:"
        self.client: RedisClient | None = connect(url) if url else None
        self._probe: asyncio.Task[None] | None = None

    def key(self, name: str) -> str:
        """Return this instance's name for a key, stream or channel."""
        return self._prefix + name

    @property
    def is_up(self) -> bool:
        """Whether it worked when it was last asked, or was never asked."""
        return self.client is not None and self._probe is None

    async def call(self, work: Callable[[RedisClient], Awaitable[T]]) -> T | None:
        """Run `work` with the client; None when Redis is away (which is logged once, not per message)."""
        if self.client is None or not self.is_up:
            return None
        try:
            return await work(self.client)
        except UNAVAILABLE as error:
            self._failed(error)
            return None

    def _failed(self, error: BaseException) -> None:
        if self._probe is None:
            log.warning("redis_down", error=type(error).__name__)
            self._probe = asyncio.create_task(self._until_back(), name="redis-probe")

    async def _until_back(self) -> None:
        assert self.client is not None
        while True:
            await asyncio.sleep(_PAUSE_SECONDS)
            try:
                await self.client.ping()
            except UNAVAILABLE:
                continue
            log.info("redis_back")
            self._probe = None
            return

    async def ping(self) -> bool:
        """Tell whether Redis answers now."""
        if self.client is None:
            return False
        try:
            await self.client.ping()
        except UNAVAILABLE as error:
            self._failed(error)
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._probe is not None:
            await end_tasks([self._probe])
        if self.client is not None:
            await self.client.aclose()
