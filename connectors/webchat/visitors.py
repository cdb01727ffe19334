"""Who a visitor is: a random number in a signed token, no name, no cookie."""

from __future__ import annotations

import re
import secrets

from itsdangerous import BadSignature, URLSafeSerializer

_VISITOR = re.compile(r"[0-9a-f]{32}")
_LONGEST_TOKEN = 300


class Visitors:
    """Issues and reads visitor tokens.

    Args:
        secret: the key tokens are signed with; whoever has it can be any visitor.
    """

    def __init__(self, secret: str) -> None:
        self._signer = URLSafeSerializer(secret, salt="webchat-visitor")

    def new(self) -> tuple[str, str]:
        """Return a new visitor id (32 hexadecimal digits) and its token."""
        visitor = secrets.token_hex(16)
        return visitor, self.token(visitor)

    def token(self, visitor: str) -> str:
        """Return the token of a visitor."""
        signed = self._signer.dumps(visitor)
        return signed if isinstance(signed, str) else signed.decode("ascii")

    def read(self, token: str) -> str | None:
        """Return the visitor a token was issued to, None when it was not issued here."""
        if len(token) > _LONGEST_TOKEN or not token.isascii():
            return None
        try:
            visitor = self._signer.loads(token)
        except BadSignature:
            return None
        return visitor if isinstance(visitor, str) and _VISITOR.fullmatch(visitor) else None
