"""All SQL of the audit trail: rows are added and read, nothing else."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.models import AuditRow
from accounts.schemas import AuditEntry, AuditFilter, AuditPlace


async def add(
    session: AsyncSession, at: datetime, actor: str, action: str, target: str, detail: dict[str, Any]
) -> None:
    """Append a line."""
    await session.execute(
        insert(AuditRow).values(at=at, actor=actor, action=action, target=target, detail=detail)
    )


async def find(
    session: AsyncSession, wanted: AuditFilter, after: AuditPlace | None, limit: int
) -> list[AuditEntry]:
    """Return lines of the trail, the newest first, from a place on."""
    query = select(AuditRow).order_by(AuditRow.at.desc(), AuditRow.id.desc()).limit(limit)
    for column, value in (
        (AuditRow.actor, wanted.actor),
        (AuditRow.action, wanted.action),
        (AuditRow.target, wanted.target),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.since is not None:
        query = query.where(AuditRow.at >= wanted.since)
    if wanted.until is not None:
        query = query.where(AuditRow.at < wanted.until)
    if after is not None:
        query = query.where(tuple_(AuditRow.at, AuditRow.id) < (after.at, after.id))
    rows = (await session.execute(query)).scalars()
    return [AuditEntry(row.id, row.at, row.actor, row.action, row.target, row.detail) for row in rows]
