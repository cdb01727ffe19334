"""SQL of canned answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

from sqlalchemy import Table, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import CannedAnswerRow
from conversations.desk.schemas import CannedAnswer
from conversations.repository import Row, changed

_TABLE = cast(Table, CannedAnswerRow.__table__)
A = _TABLE.c


async def add(session: AsyncSession, values: Mapping[str, Any]) -> None:
    """Insert an answer; fails on the unique constraint when the title is taken."""
    await session.execute(insert(_TABLE).values(**values))


async def change(session: AsyncSession, answer_id: str, operator_id: str, values: Mapping[str, Any]) -> bool:
    """Rewrite an answer the operator may use; False when there is none."""
    return (
        await changed(session, update(_TABLE).where(*_usable(operator_id, answer_id)).values(**values)) == 1
    )


async def remove(session: AsyncSession, answer_id: str, operator_id: str) -> bool:
    """Delete an answer the operator may use; False when there is none."""
    return await changed(session, delete(_TABLE).where(*_usable(operator_id, answer_id))) == 1


async def get(session: AsyncSession, answer_id: str, operator_id: str) -> CannedAnswer | None:
    """Return one answer the operator may use."""
    row = (await session.execute(select(_TABLE).where(*_usable(operator_id, answer_id)))).mappings().first()
    return _view(row) if row else None


async def find(
    session: AsyncSession, operator_id: str, words: Sequence[str], limit: int
) -> list[CannedAnswer]:
    """Return answers the operator may use in which each of `words` begins a word, by title."""
    query = select(_TABLE).where(or_(A.owner_id == "", A.owner_id == operator_id))
    for word in words:
        query = query.where((" " + A.plain).like(f"% {word}%"))
    rows = (await session.execute(query.order_by(A.title, A.id).limit(limit))).mappings()
    return [_view(row) for row in rows]


def _usable(operator_id: str, answer_id: str) -> tuple[Any, ...]:
    return A.id == answer_id, or_(A.owner_id == "", A.owner_id == operator_id)


def _view(row: Row) -> CannedAnswer:
    return CannedAnswer(
        id=row["id"],
        owner_id=row["owner_id"] or None,
        title=row["title"],
        text=row["text"],
        changed_by=row["changed_by"],
        changed_at=row["changed_at"],
    )
