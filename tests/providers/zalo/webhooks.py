"""Delivers webhooks as Zalo does: signed, one event each, again when not acknowledged; worse on demand."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

from tests.providers.played import webhooks
from tests.providers.played.webhooks import Delivery
from tests.providers.zalo.state import State

_HELD = 0.2


class Webhooks(webhooks.Webhooks[State]):
    """Sends events of the account, each in a body of its own, while the app is subscribed."""

    def tell(self, person: str, event: dict[str, Any]) -> bool:
        """Deliver an event soon; return False when its signature will be a wrong one."""
        forged = self._state.happens(self._state.faults.bad_signature_share)
        self._line_up(person, (event, forged))
        return not forged

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
        return Delivery(self.body_of(event), [mid], forged, str(event.get("timestamp", "")))

    def _headers(self, delivery: Delivery) -> dict[str, str]:
        signature = self.sign(delivery.body, delivery.timestamp, forged=delivery.forged)
        return {"User-Agent": "ZaloWebhook", "X-ZEvent-Signature": signature}

    async def _post(self, delivery: Delivery, *, is_repeat: bool = False) -> bool:
        return not self._state.subscribed or await super()._post(delivery, is_repeat=is_repeat)

    def _give_up(self, delivery: Delivery) -> None:
        # Zalo then stops delivering until somebody switches it on again.
        self._state.subscribed = False
        super()._give_up(delivery)
