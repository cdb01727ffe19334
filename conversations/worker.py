"""Works through what arrives: takes what is announced, looks for what never was, one conversation at a time.

What this process has received itself it works on while it has room. The rest goes to a stream that all
workers, in one process or in many, share through a consumer group. What a dead worker had taken is claimed by
another; what was stored but never announced is found in the database. Without Redis the worker lives from its
own process's queue and from the database alone.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import structlog
from redis.exceptions import ResponseError

from conversations import repository
from conversations.announce import STREAM, Announcer
from conversations.claims import ClaimNames
from conversations.desk.service import Desk
from conversations.dispatch import Dispatcher, Outcome
from conversations.job import Job
from conversations.outbox import Outbox
from conversations.redis_link import UNAVAILABLE, RedisClient, RedisLink, connect
from conversations.tasks import end_tasks
from database.base import new_id
from database.clock import Clock
from database.engine import Database

log = structlog.get_logger(__name__)

GROUP = "workers"
_BLOCK_MS = 2_000
_READ_SECONDS = 5.0
_SWEEP_SECONDS = 1.0
_HOUSEKEEPING_EVERY = 5
_RECLAIM_AFTER_MS = 30_000
_CONSUMER_FORGOTTEN_MS = 600_000
_LATE = timedelta(seconds=2)
_SWEPT = 200
_ERROR_PAUSE = 0.5


class Worker:
    """Takes conversations and has them handled.

    Args:
        database: where the rows are.
        clock: tells which rows are late.
        dispatcher: handles one message.
        announcer: its local queue is read too.
        redis: the link to the stream.
        claims: names of claims, to free those of dead processes.
        desk: sees to it that nobody waits unseen.
        outbox: knows what the claims of dead processes may have left half done.
        concurrency: how many conversations are worked on at once.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        dispatcher: Dispatcher,
        announcer: Announcer,
        redis: RedisLink,
        claims: ClaimNames,
        desk: Desk,
        outbox: Outbox,
        *,
        concurrency: int = 8,
    ) -> None:
        self._database = database
        self._clock = clock
        self._dispatcher = dispatcher
        self._announcer = announcer
        self._redis = redis
        self._claims = claims
        self._desk = desk
        self._outbox = outbox
        self._concurrency = concurrency
        self._slots = asyncio.Semaphore(concurrency)
        self._stream = redis.key(STREAM)
        self._consumer = f"{socket.gethostname()}-{os.getpid()}-{new_id()[:6]}"
        self._running: dict[str, bool] = {}
        self._given: dict[str, Job] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._loops: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to work."""
        if self._loops:
            return
        loops: list[tuple[str, Callable[[], Coroutine[Any, Any, None]]]] = [
            ("worker-local", self._read_local),
            ("worker-sweep", self._sweep_for_ever),
        ]
        if self._redis.url:
            loops.append(("worker-stream", self._read_stream))
        self._loops = [asyncio.create_task(loop(), name=name) for name, loop in loops]
        self._announcer.attach(self._has_room)

    async def stop(self, *, patience: float = 10.0) -> None:
        """Take nothing new, and let what is under way finish."""
        self._announcer.attach(None)
        await end_tasks(self._loops)
        self._loops = []
        while not self._announcer.local.empty():
            # Claimed for this process: nobody else looks at it before the claim runs out.
            if isinstance(item := self._announcer.local.get_nowait(), Job):
                await self._submit_job(item)
        if self._tasks:
            _done, late = await asyncio.wait(list(self._tasks), timeout=patience)
            await end_tasks(late)

    async def work_off(self) -> None:
        """Handle everything that waits now, without loops; used by tests and by commands that end."""
        while True:
            now = self._clock.now()
            async with self._database.read() as session:
                waiting = await repository.unclaimed_work(session, now + _LATE, now, _SWEPT)
            if not waiting:
                return
            for conversation_id in waiting:
                await self._handle_all(conversation_id)

    async def sweep(self) -> int:
        """Take up what nobody works on; return how many conversations that were."""
        now = self._clock.now()
        async with self._database.read() as session:
            waiting = await repository.unclaimed_work(session, now - _LATE, now, _SWEPT)
        for conversation_id in waiting:
            await self._submit(conversation_id)
        return len(waiting)

    def _has_room(self) -> bool:
        return len(self._tasks) + self._announcer.local.qsize() < self._concurrency

    # --- one conversation ---------------------------------------------------------------------------------

    async def _submit(self, conversation_id: str, entry: str | None = None) -> None:
        """Have a conversation handled when a place is free; one that runs already is looked at once more."""
        if conversation_id in self._running:
            self._running[conversation_id] = True
            if entry is not None:
                await self._acknowledge(entry)
            return
        await self._slots.acquire()
        if conversation_id in self._running:  # taken while we waited
            self._slots.release()
            self._running[conversation_id] = True
            if entry is not None:
                await self._acknowledge(entry)
            return
        self._running[conversation_id] = False
        task = asyncio.create_task(self._run(conversation_id, entry))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _submit_job(self, job: Job) -> None:
        conversation_id: str = job.conversation["id"]
        self._given[conversation_id] = job
        await self._submit(conversation_id)

    async def _run(self, conversation_id: str, entry: str | None) -> None:
        try:
            while True:
                self._running[conversation_id] = False
                await self._handle_all(conversation_id)
                if not self._running[conversation_id]:
                    break
        except Exception:
            # Not acknowledged: the entry is claimed again later, and the sweep finds the row.
            log.exception("handling_failed", conversation_id=conversation_id)
        else:
            if entry is not None:
                await self._acknowledge(entry)
        finally:
            del self._running[conversation_id]
            self._slots.release()

    async def _handle_all(self, conversation_id: str) -> None:
        while True:
            outcome = await self._handle_one(conversation_id)
            if outcome.wait > 0:
                loop = asyncio.get_running_loop()
                loop.call_later(outcome.wait, self._announcer.local.put_nowait, conversation_id)
                return
            if not outcome.has_more:
                return

    async def _handle_one(self, conversation_id: str) -> Outcome:
        job = self._given.pop(conversation_id, None)
        if job is not None:
            return await self._dispatcher.work(job)
        return await self._dispatcher.handle(conversation_id)

    async def _acknowledge(self, entry: str) -> None:
        async def acknowledge(client: RedisClient) -> bool:
            async with client.pipeline(transaction=False) as pipeline:
                pipeline.xack(self._stream, GROUP, entry)
                pipeline.xdel(self._stream, entry)
                await pipeline.execute()
            return True

        await self._redis.call(acknowledge)

    # --- where work comes from ----------------------------------------------------------------------------

    async def _read_local(self) -> None:
        while True:
            item = await self._announcer.local.get()
            if isinstance(item, Job):
                await self._submit_job(item)
            else:
                await self._submit(item)

    async def _read_stream(self) -> None:
        assert self._redis.url is not None
        client = connect(self._redis.url, answer_seconds=_READ_SECONDS)
        try:
            while True:
                try:
                    await self._create_group(client)
                    while True:
                        await self._read_once(client)
                except UNAVAILABLE as error:
                    # Also NOGROUP: Redis came back empty, and the group is made again.
                    log.debug("stream_unavailable", error=type(error).__name__)
                    await asyncio.sleep(_ERROR_PAUSE)
        finally:
            await client.aclose()

    async def _create_group(self, client: RedisClient) -> None:
        try:
            await client.xgroup_create(self._stream, GROUP, id="0", mkstream=True)
        except ResponseError as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _read_once(self, client: RedisClient) -> None:
        # Not more than can be worked on: the rest is for other workers.
        free = max(1, self._concurrency - len(self._tasks))
        answer: Any = await client.xreadgroup(
            GROUP, self._consumer, {self._stream: ">"}, count=free, block=_BLOCK_MS
        )
        for _stream, entries in _pairs(answer):
            for entry, fields in entries:
                await self._submit(fields["conversation"], entry)

    async def _sweep_for_ever(self) -> None:
        turn = 0
        while True:
            try:
                if turn % _HOUSEKEEPING_EVERY == 0:
                    await self._keep_house()
                await self.sweep()
            except Exception as error:
                log.warning("sweep_failed", error=type(error).__name__)
            turn += 1
            await asyncio.sleep(_SWEEP_SECONDS)

    async def _keep_house(self) -> None:
        await self._free_dead_claims()
        await self._desk.keep_house()
        await self._redis.call(self._reclaim)

    async def _free_dead_claims(self) -> None:
        async with self._database.read() as session:
            dead = self._claims.dead(await repository.claims(session))
        if dead:
            log.info("dead_claims_freed", count=len(dead))
            await self._outbox.free(dead)

    async def _reclaim(self, client: RedisClient) -> bool:
        """Take over entries a dead worker had read, and forget consumers that are long gone."""
        try:
            answer: Any = await client.xautoclaim(
                self._stream, GROUP, self._consumer, min_idle_time=_RECLAIM_AFTER_MS, count=50
            )
            for entry, fields in answer[1]:
                if fields:
                    await self._submit(fields["conversation"], entry)
            consumers: Any = await client.xinfo_consumers(self._stream, GROUP)
            for consumer in consumers:
                if consumer["pending"] == 0 and consumer["idle"] > _CONSUMER_FORGOTTEN_MS:
                    await client.xgroup_delconsumer(self._stream, GROUP, consumer["name"])
        except ResponseError as error:
            if "NOGROUP" not in str(error) and "no such key" not in str(error).lower():
                raise
        return True


def _pairs(answer: Any) -> Any:
    """Return (stream, entries) pairs; the second Redis protocol answers a list, the third a mapping."""
    if not answer:
        return ()
    return answer.items() if isinstance(answer, dict) else answer
