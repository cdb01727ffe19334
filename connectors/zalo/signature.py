"""Checks that Zalo signed a webhook: `X-ZEvent-Signature: mac=<hex>`.

The signature is plain SHA-256 (not an HMAC) over `first + raw body + timestamp + secret`, with the body's own
field `timestamp`. The sources disagree about two of the four: the first term is the application's id or the
account's, the secret the account's own or the application's. All four are tried; which one matched is told.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass

HEADER = "x-zevent-signature"

_HEADER_VALUE = re.compile(r"(?:mac=)?([0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class _Variant:
    name: str
    first: bytes
    secret: bytes


class SignatureCheck:
    """Knows the account's ids and secrets.

    A term that is not set is left out: a signature over an empty secret could be made by anybody.
    """

    def __init__(self, *, app_id: str, oa_id: str, oa_secret: str, app_secret: str) -> None:
        self._variants = tuple(
            _Variant(f"{first}+{secret}", first_term.encode(), key.encode())
            for secret, key in (("oa_secret", oa_secret), ("app_secret", app_secret))
            for first, first_term in (("app_id", app_id), ("oa_id", oa_id))
            if first_term and key
        )

    def match(self, body: bytes, timestamp: str, header: str) -> str | None:
        """Return which variant a signature matches ("app_id+oa_secret"), None for none.

        Args:
            body: the request's body as it came.
            timestamp: the body's field `timestamp`, as written there.
            header: the header's value.
        """
        given = _HEADER_VALUE.fullmatch(header.strip())
        if given is None:
            return None
        mac = given[1].lower()
        matched: str | None = None
        # All are computed and compared in constant time: how long it takes tells nothing.
        for variant in self._variants:
            if hmac.compare_digest(sign(variant.first, body, timestamp, variant.secret), mac):
                matched = matched or variant.name
        return matched


def sign(first: bytes, body: bytes, timestamp: str, secret: bytes) -> str:
    """Return the signature of a body, 64 hexadecimal characters."""
    return hashlib.sha256(first + body + timestamp.encode("utf-8", "replace") + secret).hexdigest()
