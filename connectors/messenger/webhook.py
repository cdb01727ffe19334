"""Takes one delivery of Meta's: verifies it, reads it, hands it on; only then is Meta answered."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

import structlog

from connectors.base import InboundMessage, Intake
from connectors.messenger.connector import CHANNEL, Messenger
from connectors.messenger.events import Account, HeardBack, NotAWebhookError, parse
from connectors.messenger.signature import verified
from conversations.errors import StorageUnavailableError
from database.clock import Clock

log = structlog.get_logger(__name__)


class BadSignatureError(Exception):
    """Meta did not send this."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What Meta's deliveries are known by.

    Attributes:
        app_secret: signs every delivery.
        verify_token: the word agreed on in the app's settings page.
        allow_sha1: believe the older signature where the newer one is missing.
    """

    app_secret: str
    verify_token: str
    allow_sha1: bool = False


class MessengerWebhook:
    """What stands behind /webhooks/messenger.

    Args:
        account: our page and our app.
        keys: what deliveries are known by.
        connector: told which of our messages Meta has taken.
        clock: the time of receiving.
    """

    def __init__(self, account: Account, keys: Keys, connector: Messenger, clock: Clock) -> None:
        self._account = account
        self._keys = keys
        self._connector = connector
        self._clock = clock

    def challenge(self, mode: str, token: str, challenge: str) -> str | None:
        """Return what Meta's handshake wants to read, None when it is not Meta's or the word is wrong."""
        expected = self._keys.verify_token
        is_right = bool(expected) and hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode())
        return challenge if mode == "subscribe" and is_right else None

    async def deliver(self, body: bytes, *, sha256: str | None, sha1: str | None, intake: Intake) -> None:
        """Take a delivery; everything in it is on disk when this returns.

        Raises:
            BadSignatureError: nothing of it was looked at.
            StorageUnavailableError: not all of it is stored; Meta must deliver it again.
        """
        variant = verified(
            body, self._keys.app_secret, sha256=sha256, sha1=sha1, allow_sha1=self._keys.allow_sha1
        )
        if variant is None:
            raise BadSignatureError
        try:
            events = parse(body, self._account, self._clock.now())
        except NotAWebhookError as error:
            # Signed, so it is Meta's; delivered again it would be no better.
            log.error("webhook_unreadable", channel=CHANNEL, reason=str(error))
            return
        not_stored: StorageUnavailableError | None = None
        for event in events:
            try:
                if isinstance(event, HeardBack):
                    self._connector.heard_back(event.reference, event.provider_id)
                elif isinstance(event, InboundMessage):
                    await intake.receive(event)
                else:
                    await intake.note(event)
            except StorageUnavailableError as error:
                # The others are tried all the same: an emergency among them is answered even so.
                not_stored = error
        if not_stored is not None:
            raise not_stored
