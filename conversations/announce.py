"""Tells the workers that a conversation has something to do: this process's own, or any by a Redis stream."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from conversations.job import Job
from conversations.redis_link import RedisLink
from conversations.tasks import end_tasks

STREAM = "inbox"
_LONGEST_STREAM = 100_000


class Announcer:
    """Announces conversations.

    What is announced is only a hint. The rows are the truth, and a hint that is lost (Redis gone, process
    killed in between) is made good by the workers' sweep.

    Attributes:
        local: conversations for the worker inside this process, or work that is claimed for it already.
    """

    def __init__(self, redis: RedisLink) -> None:
        self._redis = redis
        self._has_room: Callable[[], bool] | None = None
        self._later: set[asyncio.Task[None]] = set()
        self.local: asyncio.Queue[str | Job] = asyncio.Queue()

    def attach(self, has_room: Callable[[], bool] | None) -> None:
        """Say how to ask the worker inside this process whether it has room; None: there is none."""
        self._has_room = has_room

    @property
    def has_room(self) -> bool:
        """Whether the worker inside this process can take more."""
        return self._has_room is not None and self._has_room()

    def hand_over(self, job: Job) -> None:
        """Give claimed work to the worker inside this process; only while it has room."""
        self.local.put_nowait(job)

    def announce_later(self, conversation_id: str, seconds: float) -> None:
        """Announce after a moment; a process that ends meanwhile leaves it to the sweep."""
        task = asyncio.create_task(self._wait_and_announce(conversation_id, seconds))
        self._later.add(task)
        task.add_done_callback(self._later.discard)

    async def stop(self) -> None:
        """Announce nothing more by oneself."""
        await end_tasks(self._later)

    async def _wait_and_announce(self, conversation_id: str, seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.announce(conversation_id)

    async def announce(self, conversation_id: str) -> None:
        """Tell a worker, the nearest one that has room; never raises."""
        if self.has_room:
            self.local.put_nowait(conversation_id)
            return
        entry = await self._redis.call(
            lambda client: client.xadd(
                self._redis.key(STREAM),
                {"conversation": conversation_id},
                maxlen=_LONGEST_STREAM,
                approximate=True,
            )
        )
        if entry is None and self._has_room is not None:
            self.local.put_nowait(conversation_id)
