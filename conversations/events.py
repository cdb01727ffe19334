"""Live events for web chats and consoles: small JSON notes by topic, by Redis pub/sub between processes.

An event is a hint that something is new; whoever must not miss anything reads the database after it. Inside
one process events are handed over directly, so that they work while Redis is away. To the other processes
they go a moment later, all of that moment as one note; what comes back with this process's own mark is
dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import structlog

from conversations.redis_link import UNAVAILABLE, RedisClient, RedisLink, connect
from conversations.tasks import end_tasks
from database.base import new_id

log = structlog.get_logger(__name__)

DESK = "desk"
"""Topic of everything the operators' list shows. An event of the type `gap` says that some may be lost."""

_QUEUE_LIMIT = 200
_RECONNECT_SECONDS = 1.0
_GATHER_SECONDS = 0.01
_MARK_LENGTH = 12
_ALONE_SECONDS = 1.0
"""How long it is believed that no other process listens."""

Event = dict[str, Any]
Gathered = list[tuple[tuple[str, ...], Event]]
"""Events with their topics."""


class LiveEvents:
    """Publishes and receives live events.

    Args:
        redis: the link other processes are reached by.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self._channel = redis.key("live")
        self._origin = new_id()[:_MARK_LENGTH]
        self._takers: dict[str, set[Callable[[Event], None]]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None
        self._gathered: Gathered = []
        self._sender: asyncio.Task[None] | None = None
        self._is_listening = False
        self._alone_until = 0.0

    def start(self) -> None:
        """Begin to listen to the other processes."""
        if self._redis.url and self._listener is None:
            self._listener = asyncio.create_task(self._listen(self._redis.url), name="live-events")

    async def stop(self) -> None:
        """Tell what has not been told, and stop listening."""
        if self._sender is not None:
            await end_tasks([self._sender])
            self._sender = None
            await self._send()
        if self._listener is not None:
            await end_tasks([self._listener])
            self._listener = None

    async def publish(self, *topics: str, **event: Any) -> None:
        """Tell everybody who listens to any of `topics`; never raises and never waits."""
        self.tell(topics, event)

    def tell(self, topics: tuple[str, ...], event: Event) -> None:
        """Do the same, as a plain call inside the running loop."""
        self._deliver(topics, event)
        if not self._redis.is_up or time.monotonic() < self._alone_until:
            return
        self._gathered.append((topics, event))
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_gathered(), name="live-events-sender")

    async def _send_gathered(self) -> None:
        while self._gathered:
            await asyncio.sleep(_GATHER_SECONDS)
            await self._send()
        self._sender = None

    async def _send(self) -> None:
        gathered, self._gathered = self._gathered, []
        if gathered:
            await self._redis.call(lambda client: self._publish(client, gathered))

    async def _publish(self, client: RedisClient, gathered: Gathered) -> None:
        body = self._origin + json.dumps(gathered, ensure_ascii=False)
        heard = await client.publish(self._channel, body)
        # One process with its worker inside is the usual case: telling nobody would cost as much as telling.
        is_alone = heard <= self._is_listening
        self._alone_until = time.monotonic() + _ALONE_SECONDS if is_alone else 0.0

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[asyncio.Queue[Event]]:
        """Yield a queue of the topic's events; one who does not read loses the oldest, not memory."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_QUEUE_LIMIT)

        def take(event: Event) -> None:
            if queue.full():
                queue.get_nowait()
            queue.put_nowait(event)

        with self.taking(topic, take):
            yield queue

    @contextmanager
    def taking(self, topic: str, take: Callable[[Event], None]) -> Iterator[None]:
        """Have `take` called with each of the topic's events; it must neither wait nor raise."""
        self._takers[topic].add(take)
        try:
            yield
        finally:
            self._takers[topic].discard(take)
            if not self._takers[topic]:
                del self._takers[topic]

    def _deliver(self, topics: tuple[str, ...] | list[str], event: Event) -> None:
        for topic in topics:
            for take in tuple(self._takers.get(topic, ())):
                take(event)

    async def _listen(self, url: str) -> None:
        is_first = True
        while True:
            # No answer limit: silence is normal here.
            client = connect(url, answer_seconds=None)
            try:
                await self._read(client, is_first=is_first)
            except UNAVAILABLE as error:
                log.debug("live_events_disconnected", error=type(error).__name__)
            finally:
                self._is_listening = False
                with contextlib.suppress(*UNAVAILABLE):
                    await client.aclose()
            is_first = False
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _read(self, client: RedisClient, *, is_first: bool) -> None:
        async with client.pubsub() as pubsub:
            await pubsub.subscribe(self._channel)
            if not is_first:
                self._deliver((DESK,), {"type": "gap"})
            async for note in pubsub.listen():
                if note["type"] == "subscribe":
                    self._is_listening = True
                    # Whoever believes to be alone hears that this is over.
                    await self._redis.call(lambda client: self._publish(client, []))
                    continue
                body: str = note["data"]
                if not body.startswith(self._origin):
                    self._alone_until = 0.0
                    for topics, event in json.loads(body[_MARK_LENGTH:]):
                        self._deliver(topics, event)
