"""Takes deleted words out of the database's files, too, where deleting alone leaves them there.

SQLite's search indexes (FTS5; from version 3.42 on it could delete at once) note that words are deleted and
keep them until the index's parts are merged. Merging goes in short steps, so that nobody's message waits for
it. The log with the states before is cut off at the end. PostgreSQL does that by itself (autovacuum).
Source: https://www.sqlite.org/fts5.html#the_merge_command
"""

from __future__ import annotations

import asyncio

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from database.engine import Database

_PAGES = 32
"""Pages written in a step: some milliseconds."""

_PAUSE = 0.02
_TRIES = 50


async def purge(database: Database) -> None:
    """Rewrite the search indexes without what was deleted; what is broken off goes on the next time."""
    if not database.is_sqlite:
        return
    for index in await _indexes(database):
        await _merge(database, index)
    for _ in range(_TRIES):
        if await database.shorten_log():
            return
        await asyncio.sleep(_PAUSE)


async def _indexes(database: Database) -> list[str]:
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE 'CREATE VIRTUAL TABLE%USING fts5(%'"
    )
    async with database.read() as session:
        return list(await session.scalars(text(query)))


async def _merge(database: Database, index: str) -> None:
    # A negative number begins with all parts of the index; the positive ones go on with what was begun.
    pages = -_PAGES
    while True:
        async with database.write(durable=False) as session:
            before = await _changes(session)
            merge = f'INSERT INTO "{index}" ("{index}", rank) VALUES (\'merge\', :pages)'  # noqa: S608 - our own name
            await session.execute(text(merge), {"pages": pages})
            is_done = await _changes(session) - before < 2
        if is_done and pages > 0:
            return
        pages = _PAGES
        await asyncio.sleep(_PAUSE)


async def _changes(session: AsyncSession) -> int:
    return int(await session.scalar(text("SELECT total_changes()")) or 0)
