"""Tells whether Meta sent a webhook: an HMAC of the raw body under the app's secret.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks
"""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

Variant = Literal["sha256", "sha1"]

HEADER_SHA256 = "X-Hub-Signature-256"
HEADER_SHA1 = "X-Hub-Signature"


def sign(body: bytes, secret: str, variant: Variant = "sha256") -> str:
    """Return the header's value for a body: "sha256=<hex>"."""
    return f"{variant}={hmac.new(secret.encode(), body, variant).hexdigest()}"


def verified(
    body: bytes, secret: str, *, sha256: str | None, sha1: str | None, allow_sha1: bool = False
) -> Variant | None:
    """Return which signature matches, None when none does.

    Args:
        body: the bytes as they came, before anybody has parsed them.
        secret: the app's secret.
        sha256: the header X-Hub-Signature-256.
        sha1: the older header X-Hub-Signature.
        allow_sha1: believe the older header too, where the newer one is missing. A newer one that is wrong is
            never made good by the older one.
    """
    if not secret:
        return None
    if sha256 is not None:
        return "sha256" if _equal(sign(body, secret), sha256) else None
    if allow_sha1 and sha1 is not None and _equal(sign(body, secret, "sha1"), sha1):
        return "sha1"
    return None


def proof(token: str, secret: str) -> str:
    """Return `appsecret_proof`: whoever calls with this token also knows the app's secret."""
    return hmac.new(secret.encode(), token.encode(), hashlib.sha256).hexdigest()


def _equal(expected: str, given: str) -> bool:
    # Bytes: text with other letters than ASCII would raise.
    return hmac.compare_digest(expected.encode(), given.strip().encode("utf-8", "replace"))
