"""All SQL of the channels' health."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from connectors.health_models import ChannelHealthRow, ChannelHourRow

_HEALTH = cast(Table, ChannelHealthRow.__table__)
_HOURS = cast(Table, ChannelHourRow.__table__)
H = _HEALTH.c
R = _HOURS.c


async def _ensure(session: AsyncSession, table: Table, values: dict[str, Any]) -> None:
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    await session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())


async def change(session: AsyncSession, channel: str, now: datetime, values: dict[str, Any]) -> None:
    """Set columns of a channel's state; made where it is missing."""
    await _ensure(session, _HEALTH, {"channel": channel, "state": "ok", "state_since": now})
    if values:
        await session.execute(update(_HEALTH).where(H.channel == channel).values(**values))


async def state_of(session: AsyncSession, channel: str) -> str | None:
    """Return the stored state of a channel, locked; None when there is none."""
    query = select(H.state).where(H.channel == channel).with_for_update()
    return (await session.execute(query)).scalar()


async def add_to_hour(
    session: AsyncSession,
    channel: str,
    hour: datetime,
    *,
    events: int,
    sent: int,
    refused: int,
    errors: Mapping[str, int],
) -> None:
    """Add counts to an hour's."""
    first = {"channel": channel, "hour": hour, "events": 0, "sent": 0, "refused": 0, "errors": {}}
    await _ensure(session, _HOURS, first)
    which = (R.channel == channel, R.hour == hour)
    before = (await session.execute(select(_HOURS).where(*which).with_for_update())).mappings().one()
    joined = dict(before["errors"])
    for code, count in errors.items():
        joined[code] = joined.get(code, 0) + count
    await session.execute(
        update(_HOURS)
        .where(*which)
        .values(
            events=before["events"] + events,
            sent=before["sent"] + sent,
            refused=before["refused"] + refused,
            errors=joined,
        )
    )


async def states(session: AsyncSession) -> dict[str, Mapping[str, Any]]:
    """Return the state of every channel that has one."""
    rows = (await session.execute(select(_HEALTH))).mappings()
    return {row["channel"]: dict(row) for row in rows}


async def hours(session: AsyncSession, since: datetime) -> list[Mapping[str, Any]]:
    """Return the hours of all channels since then, oldest first."""
    query = select(_HOURS).where(R.hour >= since).order_by(R.hour)
    return [dict(row) for row in (await session.execute(query)).mappings()]


async def forget(session: AsyncSession, before: datetime) -> None:
    """Delete hours before then."""
    await session.execute(delete(_HOURS).where(R.hour < before))
