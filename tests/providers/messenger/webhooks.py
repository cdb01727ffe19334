"""Delivers webhooks as Meta does: signed, in batches, again when not acknowledged, and worse on demand."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import secrets
from dataclasses import dataclass
from typing import Any

import aiohttp

from tests.providers.messenger.state import State
from tests.providers.played import webhooks
from tests.providers.played.webhooks import Delivery

_BATCH_WAIT = 0.05


@dataclass(frozen=True, slots=True)
class Waiting:
    """An event in its person's line; a late one is overtaken by the next."""

    where: str
    item: dict[str, Any]
    forged: bool
    is_late: bool


class Webhooks(webhooks.Webhooks[State]):
    """Sends events of the page, alone or several in one body.

    Args:
        state: the page.
    """

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self._batch: list[tuple[str, dict[str, Any]]] = []

    def tell(self, person: str, item: dict[str, Any], *, where: str = "messaging") -> bool:
        """Deliver an event soon; return False when its signature will be a wrong one."""
        faults = self._state.faults
        forged = self._state.happens(faults.bad_signature_share)
        is_late = not forged and self._state.happens(faults.reorder_share)
        self._line_up(person, Waiting(where, item, forged, is_late))
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

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        secret = "not the secret" if delivery.forged else self._state.options.app_secret
        return {
            "User-Agent": "facebookexternalua",
            "X-Hub-Signature": f"sha1={_mac(secret, delivery.body, 'sha1')}",
            "X-Hub-Signature-256": f"sha256={_mac(secret, delivery.body, 'sha256')}",
        }


def _mac(secret: str, body: bytes, algorithm: str) -> str:
    return hmac.new(secret.encode(), body, algorithm).hexdigest()


def _mid(item: dict[str, Any]) -> str:
    inner = item.get("message") or item.get("postback") or {}
    return str(inner.get("mid", "")) or hashlib.blake2b(repr(item).encode(), digest_size=8).hexdigest()
