"""Addresses of stored files that work for a short time, for whoever was shown the message they stand in.

A browser sends no header with a picture's address, and a visitor's token must not stand in one: it would be
kept in histories and logs.
"""

from __future__ import annotations

import hashlib
import hmac
import re

from database.clock import Clock

LIFETIME = 3_600
"""Seconds an address works at least; at most twice as long."""

_DIGEST_BYTES = 16
_EXPIRES = re.compile(r"[0-9]{1,12}", re.ASCII)


class FileLinks:
    """Makes and checks addresses of files.

    Args:
        secret: the key they are signed with.
        clock: tells when they expire.
    """

    def __init__(self, secret: str, clock: Clock) -> None:
        self._key = hashlib.blake2b(secret.encode(), person=b"webchat-files").digest()
        self._clock = clock

    def path(self, file_id: str) -> str:
        """Return the path of a file, with its signature; the same within an hour, so that browsers cache."""
        now = int(self._clock.now().timestamp())
        expires = str((now // LIFETIME + 2) * LIFETIME)
        return f"/chat/files/{file_id}?expires={expires}&signature={self._sign(file_id, expires).decode()}"

    def is_valid(self, file_id: str, expires: str, signature: str) -> bool:
        """Tell whether an address was made here and still works."""
        if _EXPIRES.fullmatch(expires) is None or int(expires) < self._clock.now().timestamp():
            return False
        return hmac.compare_digest(self._sign(file_id, expires), _bytes(signature))

    def _sign(self, file_id: str, expires: str) -> bytes:
        signed = hashlib.blake2b(_bytes(f"{file_id}:{expires}"), key=self._key, digest_size=_DIGEST_BYTES)
        return signed.hexdigest().encode()


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "replace")
