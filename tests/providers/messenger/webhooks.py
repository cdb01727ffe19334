"""Delivers webhooks as Meta does: signed, in batches, again when not acknowledged, and worse on demand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.providers.messenger.state import State

_AT_ONCE = 100
_BATCH_WAIT = 0.05


@dataclass(slots=True)
class Delivery:
    """One body on its way; `forged` ones bear a wrong signature and are not tried again."""

    body: bytes
    mids: list[str]
    forged: bool = False
    tries: int = 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event in its person's line; a late one is overtaken by the next."""

    where: str
    item: dict[str, Any]
    forged: bool
    is_late: bool


class Webhooks:
    """Sends what happens to the app's address, one person's events in their order.

    Args:
        state: the page.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self._session: aiohttp.ClientSession | None = None
        self._lines: dict[str, asyncio.Queue[Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._places = asyncio.Semaphore(_AT_ONCE)
        self._batch: list[tuple[str, dict[str, Any]]] = []
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

    def tell(self, person: str, item: dict[str, Any], *, where: str = "messaging") -> bool:
        """Deliver an event soon; return False when its signature will be a wrong one."""
        faults = self._state.faults
        forged = self._state.happens(faults.bad_signature_share)
        is_late = not forged and self._state.happens(faults.reorder_share)
        self._began()
        line = self._lines.get(person)
        if line is None:
            line = self._lines[person] = asyncio.Queue()
            self._spawn(self._walk(line))
        line.put_nowait(Waiting(where, item, forged, is_late))
        return not forged

    async def tell_now(self, item: dict[str, Any]) -> None:
        """Deliver an event and wait until it was."""
        self._began()
        await self._deliver(self._delivery([("messaging", item)]))

    def tell_together(self, items: list[dict[str, Any]]) -> None:
        """Deliver events of several people in one body: two entries, the rest as items of the second."""
        self._began()
        together = [("messaging", item) for item in items]
        self._spawn(self._deliver(self._delivery(together, split=True)))

    async def verify(self) -> bool:
        """Ask the app's address to prove itself, as Meta does when it is entered in the settings."""
        assert self._session is not None
        challenge = secrets.token_hex(8)
        query = {
            "hub.mode": "subscribe",
            "hub.verify_token": self._state.options.verify_token,
            "hub.challenge": challenge,
        }
        try:
            async with self._session.get(self._state.options.webhook, params=query) as response:
                return response.status == 200 and await response.text() == challenge
        except aiohttp.ClientError:
            return False

    async def settled(self) -> None:
        """Wait until nothing is under way, retries included."""
        await self._idle.wait()

    async def _walk(self, line: asyncio.Queue[Waiting]) -> None:
        """Send one person's events in order; one that is held back goes after the next, or after a while."""
        held: Waiting | None = None
        while True:
            try:
                async with asyncio.timeout(self._state.options.held_seconds if held else None):
                    waiting = await line.get()
            except TimeoutError:
                assert held is not None
                waiting, held = held, None
            else:
                if waiting.is_late and held is None:
                    held = waiting
                    continue
            await self._send(waiting)
            if held is not None:
                await self._send(held)
                held = None

    async def _send(self, waiting: Waiting) -> None:
        if waiting.forged or not self._state.happens(self._state.faults.batch_share):
            await self._deliver(self._delivery([(waiting.where, waiting.item)], forged=waiting.forged))
            return
        if self._batch:
            self._ended()
        else:
            self._spawn(self._send_batch())
        self._batch.append((waiting.where, waiting.item))

    async def _send_batch(self) -> None:
        await asyncio.sleep(_BATCH_WAIT)
        batch, self._batch = self._batch, []
        await self._deliver(self._delivery(batch, split=len(batch) > 2))

    def _delivery(
        self, items: list[tuple[str, dict[str, Any]]], *, forged: bool = False, split: bool = False
    ) -> Delivery:
        groups = [items[:1], items[1:]] if split and len(items) > 1 else [items]
        entries = []
        for group in groups:
            entry: dict[str, Any] = {"id": self._state.options.page_id, "time": self._state.milliseconds()}
            for where, item in group:
                entry.setdefault(where, []).append(item)
            entries.append(entry)
        body = json.dumps({"object": "page", "entry": entries}, ensure_ascii=True).encode()
        return Delivery(body, [_mid(item) for _where, item in items], forged)

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
            self._state.note("webhook_given_up", mids=delivery.mids)
        finally:
            self._ended()

    async def _post(self, delivery: Delivery, *, is_repeat: bool = False) -> bool:
        options = self._state.options
        if not options.webhook or self._session is None:
            return True
        delivery.tries += 1
        secret = "not the secret" if delivery.forged else options.app_secret
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature": f"sha1={_mac(secret, delivery.body, 'sha1')}",
            "X-Hub-Signature-256": f"sha256={_mac(secret, delivery.body, 'sha256')}",
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

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _mac(secret: str, body: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def _mid(item: dict[str, Any]) -> str:
    inner = item.get("message") or item.get("postback") or {}
    return str(inner.get("mid", "")) or hashlib.blake2b(repr(item).encode(), digest_size=8).hexdigest()
