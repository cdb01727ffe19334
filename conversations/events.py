"""Live events for web chats and consoles: small JSON notes by topic, by Redis pub/sub between processes.

An event is a hint that something is new; whoever must not miss anything reads the database after it. Inside
one process events are handed over directly, so that they work while Redis is away; what comes back from Redis
with this process's own mark is dropped.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import structlog

from conversations.redis_link import UNAVAILABLE, RedisClient, RedisLink, connect
from conversations.tasks import end_tasks
from database.base import new_id

log = structlog.get_logger(__name__)

DESK = "desk"
"""Topic of everything the operators' list shows."""

_QUEUE_LIMIT = 200
_RECONNECT_SECONDS = 1.0

Event = dict[str, Any]


class LiveEvents:
    """Publishes and receives live events.

    Args:
        redis: the link other processes are reached by.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self._channel = redis.key("live")
        self._origin = new_id()[:12]
        self._queues: dict[str, set[asyncio.Queue[Event]]] = defaultdict(set)
        self._listener: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to listen to the other processes."""
        if self._redis.url and self._listener is None:
            self._listener = asyncio.create_task(self._listen(self._redis.url), name="live-events")

    async def stop(self) -> None:
        """Stop listening."""
        if self._listener is not None:
            await end_tasks([self._listener])
            self._listener = None

    async def publish(self, *topics: str, **event: Any) -> None:
        """Tell everybody who listens to any of `topics`; never raises and never waits long."""
        self._deliver(topics, event)
        body = json.dumps({"from": self._origin, "topics": topics, "event": event}, ensure_ascii=False)
        await self._redis.call(lambda client: client.publish(self._channel, body))

    @asynccontextmanager
    async def subscribe(self, topic: str) -> AsyncIterator[asyncio.Queue[Event]]:
        """Yield a queue of the topic's events; one who does not read loses the oldest, not memory."""
        queue: asyncio.Queue[Event] = asyncio.Queue(_QUEUE_LIMIT)
        self._queues[topic].add(queue)
        try:
            yield queue
        finally:
            self._queues[topic].discard(queue)
            if not self._queues[topic]:
                del self._queues[topic]

    def _deliver(self, topics: tuple[str, ...] | list[str], event: Event) -> None:
        for topic in topics:
            for queue in self._queues.get(topic, ()):
                if queue.full():
                    queue.get_nowait()
                queue.put_nowait(event)

    async def _listen(self, url: str) -> None:
        while True:
            # No answer limit: silence is normal here.
            client = connect(url, answer_seconds=None)
            try:
                await self._read(client)
            except UNAVAILABLE as error:
                log.debug("live_events_disconnected", error=type(error).__name__)
            finally:
                with contextlib.suppress(*UNAVAILABLE):
                    await client.aclose()
            await asyncio.sleep(_RECONNECT_SECONDS)

    async def _read(self, client: RedisClient) -> None:
        async with client.pubsub(ignore_subscribe_messages=True) as pubsub:
            await pubsub.subscribe(self._channel)
            async for note in pubsub.listen():
                content = json.loads(note["data"])
                if content["from"] != self._origin:
                    self._deliver(content["topics"], content["event"])
