"""Delivers webhooks as Zalo does: signed, one event each, again when not acknowledged; worse on demand."""

from __future__ import annotations

import asyncio
import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.providers.zalo.state import State

_AT_ONCE = 100
_HELD = 0.2


@dataclass(slots=True)
class Delivery:
    """One event on its way; `forged` ones bear a wrong signature and are not tried again."""

    body: bytes
    timestamp: str
    mid: str | None
    forged: bool = False
    tries: int = 0


class Webhooks:
    """Sends what happens to the app's address, one person's events in their order.

    Args:
        state: the account.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None
        self._lines: dict[str, asyncio.Queue[tuple[dict[str, Any], bool]]] = {}
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

    def tell(self, person: str, event: dict[str, Any]) -> bool:
        """Deliver an event soon; return False when its signature will be a wrong one."""
        forged = self._state.happens(self._state.faults.bad_signature_share)
        self._began()
        line = self._lines.get(person)
        if line is None:
            line = self._lines[person] = asyncio.Queue()
            self._spawn(self._walk(line))
        line.put_nowait((event, forged))
        return not forged

    async def settled(self) -> None:
        """Wait until nothing is under way, retries included."""
        await self._idle.wait()

    def body_of(self, event: dict[str, Any]) -> bytes:
        """Return an event as it is sent."""
        return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()

    def sign(self, body: bytes, timestamp: str, *, forged: bool = False) -> str:
        """Return the header `X-ZEvent-Signature` of a body."""
        options = self._state.options
        first = options.app_id if options.first_term == "app_id" else options.oa_id
        secret = options.oa_secret if options.signing_secret == "oa_secret" else options.app_secret
        if forged:
            secret = "not the secret"
        mac = hashlib.sha256(first.encode() + body + timestamp.encode() + secret.encode()).hexdigest()
        return f"mac={mac}"

    async def _walk(self, line: asyncio.Queue[tuple[dict[str, Any], bool]]) -> None:
        """Send one person's events in order."""
        while True:
            event, forged = await line.get()
            if not forged and self._state.happens(self._state.faults.reorder_share):
                self._spawn(self._later(event))
                continue
            await self._deliver(self._delivery(event, forged))

    async def _later(self, event: dict[str, Any]) -> None:
        await asyncio.sleep(_HELD)
        await self._deliver(self._delivery(event, forged=False))

    def _delivery(self, event: dict[str, Any], forged: bool) -> Delivery:
        message = event.get("message")
        mid = message.get("msg_id") if isinstance(message, dict) else None
        return Delivery(self.body_of(event), str(event.get("timestamp", "")), mid, forged)

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
            # Zalo then stops delivering until somebody switches it on again.
            self._state.subscribed = False
            self._state.note("webhook_given_up", mids=[delivery.mid])
        finally:
            self._ended()

    async def _post(self, delivery: Delivery, *, is_repeat: bool = False) -> bool:
        options = self._state.options
        if not options.webhook or self._session is None or not self._state.subscribed:
            return True
        delivery.tries += 1
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "ZaloWebhook",
            "X-ZEvent-Signature": self.sign(delivery.body, delivery.timestamp, forged=delivery.forged),
        }
        started = time.perf_counter()
        status: int | None = None
        error = None
        try:
            async with (
                self._places,
                asyncio.timeout(options.answer_within),
                self._session.post(options.webhook, data=delivery.body, headers=headers) as response,
            ):
                status = response.status
                await response.read()
        except (aiohttp.ClientError, TimeoutError) as failed:
            error = type(failed).__name__
        self._state.note(
            "webhook",
            mids=[delivery.mid],
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

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
