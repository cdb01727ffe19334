"""All SQL of stored files."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.media.models import StoredFileRow


async def add(session: AsyncSession, row: StoredFileRow) -> None:
    """Add a file; fails on the unique constraint when the sender's program sent it before."""
    session.add(row)
    await session.flush()


async def find(session: AsyncSession, file_id: str) -> StoredFileRow | None:
    """Return a file by id."""
    return await session.get(StoredFileRow, file_id)


async def find_all(session: AsyncSession, ids: Sequence[str]) -> list[StoredFileRow]:
    """Return files by id."""
    return list(await session.scalars(select(StoredFileRow).where(StoredFileRow.id.in_(ids))))


async def find_by_client_id(
    session: AsyncSession, channel: str, external_user_id: str, client_id: str
) -> StoredFileRow | None:
    """Return the file a person's program knows under `client_id`."""
    query = select(StoredFileRow).where(
        StoredFileRow.channel == channel,
        StoredFileRow.external_user_id == external_user_id,
        StoredFileRow.client_id == client_id,
    )
    return await session.scalar(query)


async def of_person(
    session: AsyncSession, channel: str, external_user_id: str, ids: Sequence[str]
) -> list[StoredFileRow]:
    """Return those of `ids` that belong to a person."""
    query = select(StoredFileRow).where(
        StoredFileRow.id.in_(ids),
        StoredFileRow.channel == channel,
        StoredFileRow.external_user_id == external_user_id,
    )
    return list(await session.scalars(query))


async def mark_attached(session: AsyncSession, ids: Sequence[str], at: datetime) -> None:
    """Note that a message carries these files."""
    await session.execute(
        update(StoredFileRow)
        .where(StoredFileRow.id.in_(ids), StoredFileRow.attached_at.is_(None))
        .values(attached_at=at)
    )


async def detach(session: AsyncSession, ids: Sequence[str]) -> None:
    """Note that no message carries these files any more: the cleaner finds what is not deleted at once."""
    await session.execute(update(StoredFileRow).where(StoredFileRow.id.in_(ids)).values(attached_at=None))


async def take_unused(session: AsyncSession, before: datetime, limit: int) -> list[StoredFileRow]:
    """Delete the rows of files that no message carries, uploaded before `before`; return them."""
    query = (
        select(StoredFileRow)
        .where(StoredFileRow.attached_at.is_(None), StoredFileRow.created_at < before)
        .order_by(StoredFileRow.created_at)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    rows = list(await session.scalars(query))
    await session.execute(delete(StoredFileRow).where(StoredFileRow.id.in_([row.id for row in rows])))
    return rows


async def delete_files(session: AsyncSession, ids: Sequence[str]) -> None:
    """Delete the rows of files."""
    await session.execute(delete(StoredFileRow).where(StoredFileRow.id.in_(ids)))
