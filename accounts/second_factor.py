"""Judges the second thing somebody proves themselves with: a one-time code, or a recovery code."""

from __future__ import annotations

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import codes, repository
from accounts.models import UserRow
from accounts.parts import Parts


async def accept_code(parts: Parts, session: AsyncSession, row: UserRow, typed: str) -> str | None:
    """Use a code up.

    Args:
        parts: the shared parts.
        session: the unit of work in which the code is used up.
        row: whose code it should be.
        typed: a one-time code or a recovery code.

    Returns:
        "totp" or "recovery"; None for a code that is wrong or was used before.
    """
    now = parts.clock.now()
    secret = parts.box.unseal(row.totp_secret) if row.totp_secret else None
    step = codes.matching_step(secret, typed, now) if secret else None
    if step is not None:
        return "totp" if await repository.take_step(session, row.id, step) else None
    recovery = codes.normal_recovery_code(typed)
    if row.totp_secret is None or not recovery:
        return None
    marked = recovery_mark(parts, row.id, recovery)
    return "recovery" if await repository.take_recovery_code(session, row.id, marked, now) else None


def recovery_mark(parts: Parts, user_id: str, code: str) -> str:
    """Return what is kept of a recovery code."""
    return parts.box.mark(f"recovery:{user_id}:{codes.normal_recovery_code(code)}")
