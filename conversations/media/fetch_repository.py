"""All SQL of attachments that still lie at their provider."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.media.fetch_models import FetchRow
from conversations.repository import Row
from conversations.schemas import Attachment

_FETCHES = cast(Table, FetchRow.__table__)
F = _FETCHES.c

_FETCHED_KINDS = ("image", "file")
"""What is kept here; of the others the provider's address stays in the message."""


def lies_elsewhere(file: Attachment | dict[str, Any]) -> bool:
    """Tell whether an attachment has to be fetched."""
    content = file if isinstance(file, dict) else file.model_dump()
    return bool(content.get("url")) and not content.get("file_id") and content["kind"] in _FETCHED_KINDS


async def add(session: AsyncSession, message_id: str, payload: dict[str, Any], now: datetime) -> None:
    """Note that a message's attachments are to be fetched."""
    rows = [
        {"message_id": message_id, "number": number, "attempts": 0, "due_at": now, "lease": None}
        for number, file in enumerate(payload.get("attachments", ()))
        if lies_elsewhere(file)
    ]
    if rows:
        await session.execute(insert(_FETCHES), rows)


async def take(session: AsyncSession, lease: str, now: datetime, until: datetime, limit: int) -> list[Row]:
    """Return what is due, leased until then."""
    query = (
        select(_FETCHES)
        .where(F.due_at <= now)
        .order_by(F.due_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows: list[Row] = [dict(row) for row in (await session.execute(query)).mappings()]
    for row in rows:
        await session.execute(
            update(_FETCHES)
            .where(F.message_id == row["message_id"], F.number == row["number"])
            .values(due_at=until, lease=lease, attempts=F.attempts + 1)
        )
    return rows


async def put_off(session: AsyncSession, row: Row, lease: str, due_at: datetime) -> None:
    """Try again then."""
    await session.execute(
        update(_FETCHES)
        .where(F.message_id == row["message_id"], F.number == row["number"], F.lease == lease)
        .values(due_at=due_at, lease=None)
    )


async def done(session: AsyncSession, message_id: str, number: int | None = None) -> None:
    """Forget one attachment, or all of a message."""
    which = [F.message_id == message_id]
    if number is not None:
        which.append(F.number == number)
    await session.execute(delete(_FETCHES).where(*which))


async def left(session: AsyncSession, message_id: str) -> bool:
    """Tell whether a message still waits for an attachment."""
    query = select(F.number).where(F.message_id == message_id).limit(1)
    return (await session.execute(query)).first() is not None
