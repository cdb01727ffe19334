"""Takes one delivery of Zalo: checked, read, stored, and only then acknowledged.

Zalo repeats what is not answered with 200 within two seconds, and gives the subscription up after a while, so
nothing slow happens here, and what we do not understand is acknowledged too.
"""

from __future__ import annotations

from enum import Enum

import structlog

from connectors.base import Intake
from connectors.zalo import events
from connectors.zalo.settings import ZaloSettings
from connectors.zalo.signature import SignatureCheck
from conversations.errors import StorageUnavailableError
from conversations.schemas import InboundMessage
from database.clock import Clock

log = structlog.get_logger(__name__)


class Outcome(Enum):
    """What became of a delivery."""

    TAKEN = "taken"
    MALFORMED = "malformed"
    BAD_SIGNATURE = "bad_signature"
    NOT_STORED = "not_stored"
    NOT_READY = "not_ready"


class ZaloWebhook:
    """Receives for one account.

    Args:
        settings: ids and secrets.
        clock: the time of receiving.
    """

    def __init__(self, settings: ZaloSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        self._signature = SignatureCheck(
            app_id=settings.app_id,
            oa_id=settings.oa_id,
            oa_secret=settings.oa_secret,
            app_secret=settings.app_secret,
        )
        self._variants: set[str] = set()

    async def deliver(self, raw: bytes, signature: str, intake: Intake) -> Outcome:
        """Take one delivery.

        Args:
            raw: the body as it came.
            signature: the value of `X-ZEvent-Signature`.
            intake: where messages and events go.
        """
        body = events.parse(raw)
        if body is None:
            return Outcome.MALFORMED
        variant = self._signature.match(raw, events.timestamp_of(body), signature)
        if variant is None:
            # Zalo shows the secret only after it has called the address once: until then nothing can be
            # checked, so nothing is taken, but the address must look alive.
            return Outcome.BAD_SIGNATURE if self._settings.oa_secret else Outcome.NOT_READY
        if variant not in self._variants:
            self._variants.add(variant)
            log.info("zalo_signature_variant", variant=variant)
        found = events.read(body, raw, oa_id=self._settings.oa_id, now=self._clock.now())
        try:
            if isinstance(found, InboundMessage):
                await intake.receive(found)
            else:
                await intake.note(found)
        except StorageUnavailableError:
            return Outcome.NOT_STORED
        return Outcome.TAKEN
