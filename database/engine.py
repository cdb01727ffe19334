"""Opens the database and hands out units of work.

A unit of work is one transaction: it commits when its block ends and rolls back when the block raises;
services and repositories never commit. Reading and writing are told apart because SQLite lets many read but
one write: `write()` takes the write lock at its start (BEGIN IMMEDIATE), so that two writers wait for each
other instead of failing half-way.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import URL, ExceptionContext, make_url
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from database import sqlite
from database.base import Base

# The connection last used first: its cached pages are those of the newest state more often.
_SQLITE: dict[str, Any] = {"pool_use_lifo": True}


@dataclass(frozen=True, slots=True)
class Pool:
    """The connections one process has to PostgreSQL.

    A server that hangs is an error after some seconds, not a process that waits for ever.

    Attributes:
        size: how many stay open.
        overflow: how many more there may be for a while.
        wait: seconds that a unit of work waits for one.
        statement: seconds that one statement may take.
        rest: seconds without use after which a connection is tried before it is used.
    """

    size: int = 10
    overflow: int = 20
    wait: float = 10.0
    statement: float = 30.0
    rest: float = 5.0


STORAGE_DOWN = (DBAPIError, PoolTimeoutError, OSError)
"""What the database drivers raise when the database cannot be used; each calls it differently."""

_DATA_EXCEPTION = "22"
"""Class of PostgreSQL's codes for values that do not fit."""


class UnstorableError(ValueError):
    """A value cannot be kept or compared: text with a NUL or too long for its column, too large a number."""


def sqlite_url(file: Path) -> str:
    """Return the URL of the SQLite database kept in `file`."""
    return URL.create(sqlite.DRIVER, database=str(file)).render_as_string(hide_password=False)


class Database:
    """One database, SQLite or PostgreSQL.

    Args:
        url: `sqlite+inline:///…` or `postgresql+asyncpg://…`.
        pool: how many connections there are; of no account to SQLite.
    """

    def __init__(self, url: str, pool: Pool | None = None) -> None:
        self.url = make_url(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite and self.url.database:
            Path(self.url.database).parent.mkdir(parents=True, exist_ok=True)
        pool = pool or Pool()
        options = _SQLITE if self.is_sqlite else _options(pool)
        self.engine: AsyncEngine = create_async_engine(self.url, **options)
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        # Writers of this process wait for each other in order, before SQLite is asked.
        self._one_writer = asyncio.Lock() if self.is_sqlite else None
        self._disk = sqlite.Disk(Path(self.url.database)) if self.is_sqlite and self.url.database else None
        if self.is_sqlite:
            event.listen(self.engine.sync_engine, "connect", _configure_sqlite)
            event.listen(self.engine.sync_engine, "begin", _begin_sqlite)
        event.listen(self.engine.sync_engine, "before_cursor_execute", _refuse_nul)
        event.listen(self.engine.sync_engine, "handle_error", _tell_unstorable)
        if not self.is_sqlite:
            event.listen(self.engine.sync_engine, "checkin", _note_rest)
            event.listen(self.engine.sync_engine, "checkout", partial(_check_alive, pool.rest))

    async def create_all(self) -> None:
        """Create every table that is missing (tests; a real instance migrates)."""
        async with self.engine.begin() as connection:
            await connection.run_sync(Base.metadata.create_all)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncSession]:
        """Yield a session for reading: all of it sees one state of the database, and nothing done is kept."""
        async with self._sessions() as session:
            if not self.is_sqlite:
                await session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncSession]:
        """Yield a session for one transaction: committed at the end, rolled back on an exception.

        Args:
            durable: wait until it is on disk; without, a power cut may undo it, but nothing that came after.

        Raises:
            TimeoutError: on SQLite, another unit of work of this process would not end.
        """
        async with self._turn(), self._sessions() as session:
            await session.connection(execution_options={"writes": True})
            async with _committed(session):
                yield session
        if durable and self._disk is not None:
            await self._disk.wait()

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        if self._one_writer is None:
            yield
            return
        async with asyncio.timeout(sqlite.BUSY_SECONDS):
            await self._one_writer.acquire()
        try:
            yield
        finally:
            self._one_writer.release()

    async def shorten_log(self) -> bool:
        """Cut off SQLite's log, in which older states of pages stand; False where that cannot be done now."""
        return self._disk is None or await self._disk.shorten()

    async def close(self) -> None:
        """Close all connections."""
        if self._disk is not None:
            await self._disk.close()
        await self.engine.dispose()


@asynccontextmanager
async def _committed(session: AsyncSession) -> AsyncIterator[None]:
    try:
        yield
    except BaseException:
        await session.rollback()
        raise
    await session.commit()


def _refuse_nul(
    _connection: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, _executemany: bool
) -> None:
    # PostgreSQL would refuse it; SQLite would keep it, and nobody could move to PostgreSQL any more.
    # A list has one set of values for each run; several rows in one statement are a single set.
    for given in parameters if isinstance(parameters, list) else (parameters,):
        for value in given.values() if isinstance(given, dict) else given:
            if isinstance(value, str) and "\0" in value:
                raise UnstorableError("text with a NUL")


def _tell_unstorable(context: ExceptionContext) -> None:
    """Tell apart what was given and cannot be held from a database that cannot be used."""
    error = context.original_exception
    code = getattr(error, "sqlstate", None) or ""
    if isinstance(error, OverflowError) or code.startswith(_DATA_EXCEPTION):
        raise UnstorableError("a value that does not fit") from error


def _options(pool: Pool) -> dict[str, Any]:
    return {
        "pool_size": pool.size,
        "max_overflow": pool.overflow,
        "pool_timeout": pool.wait,
        "connect_args": {"timeout": 5.0, "command_timeout": pool.statement},
    }


def _note_rest(_connection: Any, record: Any) -> None:
    record.info["rests_since"] = time.monotonic()


def _check_alive(rest: float, connection: Any, record: Any, _proxy: object) -> None:
    """See that a connection still stands; asking the server each time would cost a page one trip a query."""
    if connection.driver_connection.is_closed():
        raise DisconnectionError
    since = record.info.get("rests_since")
    try:
        if since is not None and time.monotonic() - since > rest:
            connection.ping()
    except connection.dbapi.Error as error:
        raise DisconnectionError from error


def _configure_sqlite(connection: Any, _record: object) -> None:
    sqlite.configure(connection)


def _begin_sqlite(connection: Any) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
