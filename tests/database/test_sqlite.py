"""SQLite inside the event loop: it never holds the loop up, and nothing that was committed is lost."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError, OperationalError

from database import sqlite
from database.engine import Database, sqlite_url

LONG_QUERY = text(
    "SELECT sum(n) FROM (WITH RECURSIVE numbers(n) AS "
    "(SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 1500000) SELECT n FROM numbers)"
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "test.sqlite3"


@pytest.fixture
async def database(file: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_url(file))
    async with opened.write() as session:
        await session.execute(text("CREATE TABLE counter (id INTEGER PRIMARY KEY, n INTEGER NOT NULL)"))
        await session.execute(text("INSERT INTO counter VALUES (1, 0)"))
    yield opened
    await opened.close()


async def count_up(database: Database) -> None:
    async with database.write() as session:
        found = (await session.execute(text("SELECT n FROM counter WHERE id = 1"))).scalar_one()
        await asyncio.sleep(0)
        await session.execute(text("UPDATE counter SET n = :n WHERE id = 1"), {"n": found + 1})


async def counted(database: Database) -> int:
    async with database.read() as session:
        return int((await session.execute(text("SELECT n FROM counter WHERE id = 1"))).scalar_one())


async def turns(while_running: asyncio.Task[object]) -> int:
    """Return how often the loop came round to something else."""
    count = 0
    while not while_running.done():
        await asyncio.sleep(0)
        count += 1
    return count


async def test_no_writer_overwrites_another(database: Database) -> None:
    await asyncio.gather(*(count_up(database) for _ in range(200)))
    assert await counted(database) == 200


async def test_a_long_query_does_not_hold_the_loop_up(database: Database) -> None:
    async def ask() -> object:
        async with database.read() as session:
            return (await session.execute(LONG_QUERY)).scalar_one()

    query: asyncio.Task[object] = asyncio.create_task(ask())
    # On the loop it would take three or four turns: to begin, to ask, to end.
    assert await turns(query) > 50
    assert await query == 1_500_000 * 1_500_001 // 2


async def test_writing_goes_on_after_a_long_query_in_the_same_unit(database: Database) -> None:
    async with database.write() as session:
        await session.execute(text("UPDATE counter SET n = 7"))
        await session.execute(LONG_QUERY)
        await session.execute(text("UPDATE counter SET n = n + 1"))
    assert await counted(database) == 8


async def test_a_lock_of_another_process_is_waited_for(database: Database, file: Path) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    other.execute("UPDATE counter SET n = 10")
    waiting = asyncio.create_task(count_up(database))
    # Reading goes on meanwhile, and sees what was there before.
    for _ in range(20):
        assert await counted(database) == 0
    assert not waiting.done()
    other.execute("COMMIT")
    other.close()
    await waiting
    assert await counted(database) == 11


async def test_a_lock_that_stays_is_an_error(
    database: Database, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(OperationalError, match="locked"):
        await count_up(database)
    other.close()
    await count_up(database)
    assert await counted(database) == 1


async def test_a_unit_that_fails_leaves_nothing_and_lets_the_next_one_in(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.write() as session:
            await session.execute(text("UPDATE counter SET n = 5"))
            await session.execute(text("INSERT INTO counter VALUES (1, 1)"))
    await count_up(database)
    assert await counted(database) == 1


async def test_a_cancelled_unit_is_whole_or_not_there(database: Database) -> None:
    for number in range(40):
        before = await counted(database)
        unit = asyncio.create_task(count_up(database))
        for _ in range(number):
            await asyncio.sleep(0)
        unit.cancel()
        await asyncio.gather(unit, return_exceptions=True)
        assert await counted(database) in {before, before + 1}
    before = await counted(database)
    await count_up(database)
    assert await counted(database) == before + 1


async def test_many_rows_at_once_are_written_whole(database: Database) -> None:
    rows = [{"id": number, "n": number} for number in range(2, 1_002)]
    async with database.write() as session:
        await session.execute(text("INSERT INTO counter VALUES (:id, :n)"), rows)
    async with database.read() as session:
        result = await session.execute(text("SELECT id FROM counter ORDER BY id"))
        assert result.fetchmany(2) == [(1,), (2,)]
        assert result.fetchone() == (3,)
        assert len(result.fetchall()) == 998


async def test_what_is_read_in_one_unit_is_of_one_moment(database: Database) -> None:
    async with database.read() as session:
        first = (await session.execute(text("SELECT n FROM counter"))).scalar_one()
        await count_up(database)
        assert (await session.execute(text("SELECT n FROM counter"))).scalar_one() == first
    assert await counted(database) == first + 1


async def test_many_commits_share_a_flush_and_each_waits_for_its_own(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[int] = []
    flush = os.fdatasync

    def noting(descriptor: int) -> None:
        with sqlite3.connect(str(database.url.database)) as other:
            (found,) = other.execute("SELECT n FROM counter").fetchone()
        flush(descriptor)
        threading.Event().wait(0.01)  # a disk that takes its time, on the quickest machine too
        flushed.append(found)  # at least so much is on disk now

    monkeypatch.setattr(os, "fdatasync", noting)

    async def count_and_look() -> None:
        async with database.write() as session:
            await session.execute(text("UPDATE counter SET n = n + 1"))
            mine = (await session.execute(text("SELECT n FROM counter"))).scalar_one()
        assert flushed[-1] >= mine

    await asyncio.gather(*(count_and_look() for _ in range(50)))
    assert len(flushed) < 25
    before = len(flushed)
    async with database.write(durable=False) as session:
        await session.execute(text("UPDATE counter SET n = n + 1"))
    assert len(flushed) == before
    assert await counted(database) == 51


async def test_a_disk_that_fails_is_an_error_for_whoever_waits(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_descriptor: int) -> None:
        raise OSError("the disk is gone")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fdatasync", broken)
        with pytest.raises(OSError, match="disk is gone"):
            await count_up(database)
    await count_up(database)


async def test_the_log_is_moved_into_the_database_while_it_is_used(database: Database, file: Path) -> None:
    async with asyncio.timeout(60):
        while os.path.getsize(file) < 100_000:  # noqa: ASYNC240, PTH202
            async with database.write() as session:
                await session.execute(text("CREATE TABLE IF NOT EXISTS t (x TEXT)"))
                await session.execute(text("INSERT INTO t VALUES (:x)"), {"x": "x" * 50_000})
