"""Delivers webhooks: one person's in order, signed, again when not acknowledged, and worse on demand."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import aiohttp

from tests.providers.played.state import AnyState

_AT_ONCE = 100
StateT = TypeVar("StateT", bound=AnyState)


@dataclass(slots=True)
class Delivery:
    """One body on its way; `forged` ones bear a wrong signature and are not tried again.

    Attributes:
        timestamp: the body's own, where it is signed with it.
    """

    body: bytes
    mids: list[str | None]
    forged: bool = False
    timestamp: str = ""
    tries: int = 0


class Webhooks(Generic[StateT]):
    """Sends what happens to the app's address, one person's events in their order.

    A provider says how a delivery is signed (`_headers`) and how a person's line is sent on (`_walk`).

    Args:
        state: of the provider.
    """

    def __init__(self, state: StateT) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None
        self._lines: dict[str, asyncio.Queue[Any]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._idle = asyncio.Event()
        self._idle.set()
        self._open = 0

    async def start(self) -> None:
        """Open the connections."""
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=_AT_ONCE))

    async def stop(self) -> None:
        """Stop; what is under way is left."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    @property
    def under_way(self) -> int:
        """How many deliveries are not over: taken, refused for good or given up."""
        return self._open

    async def settled(self) -> None:
        """Wait until nothing is under way, retries included."""
        await self._idle.wait()

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        """Return the headers that sign a delivery and name its sender."""
        raise NotImplementedError

    async def _walk(self, line: asyncio.Queue[Any]) -> None:
        """Send one person's events on, without end."""
        raise NotImplementedError

    def _line_up(self, person: str, waiting: Any) -> None:
        self._began()
        line = self._lines.get(person)
        if line is None:
            line = self._lines[person] = asyncio.Queue()
            self._spawn(self._walk(line))
        line.put_nowait(waiting)

    async def _deliver(self, delivery: Delivery) -> None:
        try:
            if await self._post(delivery) or delivery.forged:
                if not delivery.forged and self._state.happens(self._state.faults.repeat_share):
                    await self._post(delivery, is_repeat=True)
                return
            self._began()
            self._spawn(self._again(delivery))
        finally:
            self._ended()

    async def _again(self, delivery: Delivery) -> None:
        try:
            options = self._state.options
            while delivery.tries < options.most_tries:
                await asyncio.sleep(options.first_retry * 2 ** (delivery.tries - 1))
                if await self._post(delivery, is_repeat=True):
                    return
            self._give_up(delivery)
        finally:
            self._ended()

    def _give_up(self, delivery: Delivery) -> None:
        self._state.note("webhook_given_up", mids=delivery.mids)

    async def _post(self, delivery: Delivery, *, is_repeat: bool = False) -> bool:
        """Try once; return whether it needs no further try."""
        options = self._state.options
        if not options.webhook or self._session is None:
            return True
        delivery.tries += 1
        headers = {"Content-Type": "application/json", **self._headers(delivery)}
        status: int | None = None
        error = None
        async with self._places:
            started = time.perf_counter()
            try:
                async with (
                    asyncio.timeout(options.answer_within),
                    self._session.post(options.webhook, data=delivery.body, headers=headers) as response,
                ):
                    status = response.status
                    await response.read()
            except (aiohttp.ClientError, TimeoutError) as failed:
                error = type(failed).__name__
        self._state.note(
            "webhook",
            mids=delivery.mids,
            body=json.loads(delivery.body),
            status=status,
            error=error,
            ms=round((time.perf_counter() - started) * 1000, 2),
            forged=delivery.forged,
            repeat=is_repeat,
        )
        return status == 200

    def _began(self) -> None:
        self._open += 1
        self._idle.clear()

    def _ended(self) -> None:
        self._open -= 1
        if self._open == 0:
            self._idle.set()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
