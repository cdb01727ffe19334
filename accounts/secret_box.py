"""What is kept encrypted or keyed: one-time-code secrets, recovery codes, device marks, names of attempts.

Keys are derived from the instance's secret key (HKDF-SHA256, RFC 5869); Fernet encrypts. Without the key the
database alone gives neither codes nor logins away.
"""

from __future__ import annotations

import base64
import hashlib
import hmac

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


class SecretBox:
    """Seals and marks.

    Args:
        key: the instance's secret key.
    """

    def __init__(self, key: str) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(_derived(key, b"accounts/sealed")))
        self._mark_key = _derived(key, b"accounts/marks")

    def seal(self, text: str) -> str:
        """Return `text` encrypted."""
        return self._fernet.encrypt(text.encode()).decode("ascii")

    def unseal(self, sealed: str) -> str | None:
        """Return what was sealed, None where it was sealed with another key."""
        try:
            return self._fernet.decrypt(sealed.encode()).decode()
        except InvalidToken:
            return None

    def mark(self, text: str) -> str:
        """Return a keyed hash of `text`, 64 hexadecimal digits (HMAC-SHA256)."""
        return hmac.new(self._mark_key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def hashed(token: str) -> str:
    """Return the hash under which a random token is kept (SHA-256)."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _derived(key: str, purpose: bytes) -> bytes:
    return HKDF(SHA256(), 32, salt=None, info=purpose).derive(key.encode())
