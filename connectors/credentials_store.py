"""The table of the channels' credentials and its SQL."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Integer, LargeBinary, String, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, UtcDateTime


class CredentialsRow(Base):
    """A channel's credentials. `sealed` is encrypted; `lease` is who renews them now, until `lease_until`."""

    __tablename__ = "channel_credentials"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    account: Mapped[str] = mapped_column(String(200))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    version: Mapped[int] = mapped_column(Integer)
    refreshed_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    state: Mapped[str] = mapped_column(String(16))
    state_since: Mapped[datetime] = mapped_column(UtcDateTime())
    error: Mapped[str | None] = mapped_column(String(300))
    lease: Mapped[str | None] = mapped_column(String(32))
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime())


async def find(session: AsyncSession, channel: str, *, lock: bool = False) -> CredentialsRow | None:
    """Return a channel's row; with `lock` nobody else changes it before this unit of work ends."""
    query = select(CredentialsRow).where(CredentialsRow.channel == channel)
    if lock:
        query = query.with_for_update()
    return (await session.execute(query)).scalar_one_or_none()


async def every(session: AsyncSession) -> Sequence[CredentialsRow]:
    """Return all rows, locked for this unit of work."""
    query = select(CredentialsRow).order_by(CredentialsRow.channel).with_for_update()
    return (await session.execute(query)).scalars().all()


async def add(session: AsyncSession, values: dict[str, Any]) -> None:
    """Insert a channel's row.

    Raises:
        IntegrityError: it is there already.
    """
    await session.execute(insert(CredentialsRow).values(**values))


async def change(session: AsyncSession, channel: str, values: dict[str, Any]) -> None:
    """Change a channel's row, which the unit of work has locked."""
    await session.execute(update(CredentialsRow).where(CredentialsRow.channel == channel).values(**values))
