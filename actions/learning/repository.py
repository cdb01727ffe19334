"""All SQL of learning from use."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, RowMapping, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from actions.learning.models import LearningProgressRow, LearningSampleRow
from conversations.past_turns import Place

_SAMPLES = cast(Table, LearningSampleRow.__table__)
_PROGRESS = cast(Table, LearningProgressRow.__table__)
S = _SAMPLES.c
P = _PROGRESS.c
_ONLY = 1


async def lock_progress(session: AsyncSession, start: datetime) -> Place:
    """Return how far the messages were looked through, locked until the unit of work ends.

    Args:
        session: the unit of work, a writing one.
        start: where to begin when there is no progress yet.
    """
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    first = dialect.insert(_PROGRESS).values(id=_ONLY, handled_at=start, message_id="")
    await session.execute(first.on_conflict_do_nothing())
    row = (await session.execute(select(_PROGRESS).where(P.id == _ONLY).with_for_update())).mappings().one()
    return Place(row["handled_at"], row["message_id"])


async def set_progress(session: AsyncSession, place: Place) -> None:
    """Note how far the messages were looked through."""
    await session.execute(
        update(_PROGRESS)
        .where(P.id == _ONLY)
        .values(handled_at=place.handled_at, message_id=place.message_id)
    )


async def find_by_key(session: AsyncSession, key: str) -> RowMapping | None:
    """Return the sample of these words."""
    return (await session.execute(select(_SAMPLES).where(S.key == key).with_for_update())).mappings().first()


async def add(session: AsyncSession, values: dict[str, Any]) -> None:
    """Insert a sample."""
    await session.execute(insert(_SAMPLES).values(**values))


async def change(session: AsyncSession, ids: Sequence[str], **values: Any) -> None:
    """Set columns of samples."""
    await session.execute(update(_SAMPLES).where(S.id.in_(ids)).values(**values))


async def open_samples(session: AsyncSession, limit: int) -> list[RowMapping]:
    """Return what waits for a label, the most frequent first."""
    query = select(_SAMPLES).where(S.state == "open").order_by(S.count.desc(), S.last_seen.desc(), S.id)
    return list((await session.execute(query.limit(limit))).mappings())


async def drop(session: AsyncSession, sample_id: str) -> None:
    """Delete a sample."""
    await session.execute(delete(_SAMPLES).where(S.id == sample_id))


async def of_decision(session: AsyncSession, decision: str) -> list[RowMapping]:
    """Return the samples of one decision."""
    query = select(_SAMPLES).where(S.decision == decision).order_by(S.id)
    return list((await session.execute(query)).mappings())


async def last_decision(session: AsyncSession) -> str | None:
    """Return the latest decision."""
    query = select(S.decision).where(S.decision.is_not(None)).order_by(S.decided_at.desc()).limit(1)
    return (await session.execute(query)).scalar()


async def counts(session: AsyncSession) -> dict[tuple[str, str], tuple[int, int]]:
    """Return by state and reason how many texts there are and how often they were said."""
    query = select(S.state, S.reason, func.count(), func.sum(S.count)).group_by(S.state, S.reason)
    return {(row[0], row[1]): (row[2], int(row[3])) for row in await session.execute(query)}


async def forget(session: AsyncSession, before: datetime) -> int:
    """Delete what was last said before; return how much that was."""
    result = await session.execute(delete(_SAMPLES).where(S.last_seen < before))
    assert isinstance(result, CursorResult)
    return result.rowcount
