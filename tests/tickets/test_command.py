"""The command that checks all tickets against their timelines."""

from __future__ import annotations

import asyncio
import sys

from sqlalchemy import text

from database.engine import Database


async def run(database: Database) -> tuple[int | None, str]:
    url = database.url.render_as_string(hide_password=False)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tickets", "check", "--database", url, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return process.returncode, out.decode().strip()


async def test_what_does_not_stand_where_its_timeline_says_is_named(tickets, draft, database) -> None:
    await tickets.open(draft(), origin_key="1")
    wrong = await tickets.open(draft(), origin_key="2")
    assert await run(database) == (0, "")
    async with database.write() as session:
        await session.execute(text("UPDATE tickets SET state = 'closed' WHERE id = :id"), {"id": wrong.id})
    assert await run(database) == (1, wrong.code)
