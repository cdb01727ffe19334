"""How often somebody may try: counted by account, by address and by device, and never for ever.

An attempt is written down before it is judged, so that many at once cannot slip through, and taken back when
it was right. Strangers who guess can shut an account only to browsers it was never used on: one where its
owner has logged in carries a device mark and is counted by itself (OWASP, "device cookies"). Attempts that
are refused are not counted, so that every lock ends by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, func, insert, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.errors import TooManyAttemptsError
from accounts.models import AttemptRow
from accounts.schemas import Visit
from accounts.secret_box import SecretBox

_QUARTER = timedelta(minutes=15)
_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `most` attempts under a name within `span`."""

    who: str
    most: int
    span: timedelta


class Attempts:
    """Counts attempts.

    Args:
        box: makes names that tell nothing, and device marks.
    """

    def __init__(self, box: SecretBox) -> None:
        self._box = box

    def limits(self, subject: str, visit: Visit, device: str | None) -> list[Limit]:
        """Return what an attempt on `subject` counts under.

        Args:
            subject: the login, or what else is guessed at.
            visit: where it comes from.
            device: the known device it comes from.
        """
        if device is not None:
            return [self._limit(f"device:{subject}:{device}", 10, _QUARTER)]
        return [
            self._limit(f"pair:{subject}:{visit.address}", 5, _QUARTER),
            self._limit(f"subject:{subject}", 20, _QUARTER),
            self._limit(f"day:{subject}", 100, _DAY),
            self._limit(f"address:{visit.address}", 50, _QUARTER),
        ]

    def _limit(self, name: str, most: int, span: timedelta) -> Limit:
        return Limit(self._box.mark(name), most, span)


async def take(session: AsyncSession, limits: list[Limit], now: datetime) -> list[int]:
    """Write an attempt down under each name; return the ids, with which it is taken back.

    Raises:
        TooManyAttemptsError: a limit is reached; nothing is written.
    """
    if session.get_bind().dialect.name == "postgresql":
        # Others who try under the same name wait; on SQLite every writer waits anyway.
        for limit in sorted(limits, key=lambda limit: limit.who):
            key = int(limit.who[:15], 16)
            await session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
    for limit in limits:
        query = select(func.count()).where(AttemptRow.who == limit.who, AttemptRow.at > now - limit.span)
        if (await session.execute(query)).scalar_one() >= limit.most:
            raise TooManyAttemptsError
    statement = insert(AttemptRow).returning(AttemptRow.id)
    return [(await session.execute(statement.values(who=limit.who, at=now))).scalar_one() for limit in limits]


async def forgive(session: AsyncSession, taken: list[int], limits: list[Limit], now: datetime) -> None:
    """Take an attempt back that was right, forget the wrong ones from the same place, and all old ones."""
    await session.execute(delete(AttemptRow).where(AttemptRow.id.in_(taken)))
    await session.execute(delete(AttemptRow).where(AttemptRow.who == limits[0].who))
    await session.execute(delete(AttemptRow).where(AttemptRow.at < now - 2 * _DAY))
