"""One-time codes by the clock (TOTP, RFC 6238) and the recovery codes for a lost telephone."""

from __future__ import annotations

import hmac
import re
import secrets
from datetime import datetime

from pyotp import TOTP, random_base32

STEP_SECONDS = 30
RECOVERY_CODES = 10

_ISSUER = "1022 Gia Lai"
_STEPS_AROUND = (0, -1, 1)
_RECOVERY_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
_RECOVERY_LENGTH = 12
_GROUP = 4


def new_secret() -> str:
    """Return a new secret for a telephone, 160 bits in base32."""
    return random_base32()


def address(secret: str, login: str) -> str:
    """Return the `otpauth://` address that a QR code carries to the telephone."""
    return TOTP(secret).provisioning_uri(name=login, issuer_name=_ISSUER)


def matching_step(secret: str, code: str, now: datetime) -> int | None:
    """Return the time step a code belongs to, None where it is wrong.

    The step before and after count too: clocks differ.
    """
    digits = re.sub(r"\s", "", code)
    if not re.fullmatch(r"[0-9]{6}", digits):
        return None
    current = int(now.timestamp()) // STEP_SECONDS
    totp = TOTP(secret)
    for around in _STEPS_AROUND:
        if hmac.compare_digest(totp.generate_otp(current + around), digits):
            return current + around
    return None


def new_recovery_codes() -> tuple[str, ...]:
    """Return codes that are each good for one log-in without the telephone ("k7mp-tx2r-qd9c")."""
    return tuple(_new_recovery_code() for _ in range(RECOVERY_CODES))


def normal_recovery_code(typed: str) -> str:
    """Return a recovery code in its one form, however it was typed."""
    return re.sub(r"[^a-z0-9]", "", typed.casefold())


def _new_recovery_code() -> str:
    letters = "".join(secrets.choice(_RECOVERY_LETTERS) for _ in range(_RECOVERY_LENGTH))
    return "-".join(letters[start : start + _GROUP] for start in range(0, _RECOVERY_LENGTH, _GROUP))
