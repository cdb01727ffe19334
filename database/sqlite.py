"""SQLite inside the event loop: statements run where they are asked for, only what can block leaves the loop.

A statement of ours takes microseconds; handing each one to a thread, as the usual asyncio driver does, costs
ten times as much. What may take long goes to a thread or is waited for without holding the loop up:

- The disk. COMMIT only writes; `Disk.wait` then has the write-ahead log flushed, once for all units of work
  that have committed meanwhile, and none of them holds the write lock while it waits. That is done in a
  thread, unless the disk has been quick lately: a flush of less than a millisecond costs less than a thread.
- Large batches of rows: a thread.
- A lock that another process holds: tried again after short pauses.
- A SELECT that turns out to be long is broken off after `_INLINE_STEPS` and run once more in a thread.

It is SQLAlchemy's own pysqlite dialect with another connection class, under the name `sqlite+inline`.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy.connectors.asyncio import AsyncAdapt_dbapi_module
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import URL
from sqlalchemy.pool import AsyncAdaptedQueuePool, Pool
from sqlalchemy.util.concurrency import await_, in_greenlet

T = TypeVar("T")

DRIVER = "sqlite+inline"
"""The dialect's name in a database URL."""

BUSY_SECONDS = 10.0
"""How long a lock that another process holds is waited for."""

_INLINE_STEPS = 100_000
"""Instructions of SQLite's virtual machine a SELECT may take on the loop: some milliseconds."""

_INLINE_ROWS = 100
_FIRST_PAUSE = 0.001
_LONGEST_PAUSE = 0.05
_LOCKED = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_BUSY_RECOVERY,
    sqlite3.SQLITE_BUSY_TIMEOUT,
    sqlite3.SQLITE_LOCKED,
}

_CHECKPOINT_SECONDS = 1.0
_QUICK_SECONDS = 0.001
_REMEMBERED = 0.5
_TRIED_AFTER = 2_000.0

_threads = ThreadPoolExecutor(4, thread_name_prefix="sqlite")


class Disk:
    """Brings what was committed to the disk, for many units of work at once.

    With `synchronous = NORMAL` SQLite writes a commit to the write-ahead log and does not wait for the disk;
    `FULL` adds exactly the flush of that log after each commit. Here it is done for all commits of a moment
    together, before any of them is reported as done. What a power cut can take is therefore only what nobody
    was told.

    Args:
        file: the database's file.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sqlite-disk")
        # A thread of its own: moving the log takes a while, and nobody who has committed waits for it.
        self._mover = ThreadPoolExecutor(1, thread_name_prefix="sqlite-checkpoint")
        self._moving: asyncio.Future[None] | None = None
        self._next: asyncio.Future[None] | None = None
        self._flushing: asyncio.Task[None] | None = None
        self._connection: sqlite3.Connection | None = None
        self._checkpoint_at = 0.0
        self._seconds = _QUICK_SECONDS
        self._tried_at = 0.0

    async def wait(self) -> None:
        """Return when everything that was committed before this call is on disk.

        Raises:
            OSError: the disk failed.
        """
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
        waited_for = self._next
        if self._flushing is None:
            self._flushing = asyncio.create_task(self._flush_all(), name="sqlite-disk")
        await asyncio.shield(waited_for)

    async def _flush_all(self) -> None:
        try:
            while self._next is not None:
                done, self._next = self._next, None
                try:
                    await self._flush_once()
                except Exception as error:
                    done.set_exception(error)
                    done.exception()  # whoever waits hears of it; nobody may be left to
                else:
                    done.set_result(None)
        finally:
            self._flushing = None

    async def _flush_once(self) -> None:
        in_thread = asyncio.get_running_loop().run_in_executor
        if self._seconds < _QUICK_SECONDS or time.monotonic() >= self._tried_at:
            await asyncio.sleep(0)  # others may commit just now
            self._flush_here()
        else:
            await in_thread(self._thread, self._flush_log)
        if time.monotonic() >= self._checkpoint_at and (self._moving is None or self._moving.done()):
            self._checkpoint_at = time.monotonic() + _CHECKPOINT_SECONDS
            self._moving = in_thread(self._mover, self._checkpoint)

    def _flush_here(self) -> None:
        """Flush on the loop, and learn how quick the disk is.

        In a thread it would look slower than it is: the thread waits for the interpreter, too. A disk that
        was slow is tried again after a while, the slower the later, so that the loop stands still for less
        than one part in a thousand.
        """
        started = time.perf_counter()
        self._flush_log()
        taken = time.perf_counter() - started
        # One slow flush is enough to be careful; trust comes back with quick ones.
        self._seconds = max(taken, _REMEMBERED * self._seconds + (1 - _REMEMBERED) * taken)
        self._tried_at = time.monotonic() + _TRIED_AFTER * taken

    def _flush_log(self) -> None:
        try:
            log = os.open(f"{self._file}-wal", os.O_RDONLY)
        except FileNotFoundError:
            return  # the last connection was closed: everything is in the database itself
        try:
            os.fdatasync(log)
        finally:
            os.close(log)

    def _checkpoint(self) -> None:
        """Move the log into the database now and then, here instead of inside somebody's commit."""
        with suppress(sqlite3.OperationalError):  # somebody else is at it
            self._opened().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    async def shorten(self) -> bool:
        """Move all of the log into the database and cut it off; False where somebody is reading from it."""
        return await asyncio.get_running_loop().run_in_executor(self._mover, self._cut)

    def _cut(self) -> bool:
        busy = self._opened().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        return not busy

    def _opened(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._file, timeout=0.0, isolation_level=None)
        return self._connection

    async def close(self) -> None:
        """Close its connection, when nothing is under way any more."""
        if self._flushing is not None:
            await asyncio.wait([self._flushing])
        if self._moving is not None:
            await asyncio.wait([self._moving])
        if self._connection is not None:
            await asyncio.get_running_loop().run_in_executor(self._mover, self._connection.close)
            self._connection = None
        self._thread.shutdown()
        self._mover.shutdown()


async def _nothing() -> None:
    return


async def _outcome(future: asyncio.Future[T]) -> T:
    try:
        return await asyncio.shield(future)
    except asyncio.CancelledError:
        # The connection is in use until the thread is done with it.
        while not future.done():
            await asyncio.wait([future])
        raise


def _in_thread(work: Callable[..., T], *arguments: Any) -> T:
    """Run `work` in a thread while the loop goes on; at once outside of a loop (a pool that is closed)."""
    if not in_greenlet():
        return work(*arguments)
    return await_(_outcome(asyncio.get_running_loop().run_in_executor(_threads, work, *arguments)))


class InlineCursor(sqlite3.Cursor):
    """A cursor that has read its rows when `execute` returns."""

    connection: InlineConnection
    _rows: Iterator[Any] = iter(())

    def execute(self, operation: str, parameters: Any = ()) -> InlineCursor:
        """Run one statement and read what it returns."""
        self._rows = iter(self.connection.patiently(self._run, operation, parameters))
        if in_greenlet():
            # SQLAlchemy's asynchronous connections want to see that a statement can wait.
            await_(_nothing())
        return self

    def executemany(self, operation: str, parameters: Any) -> InlineCursor:
        """Run one statement for each set of parameters."""
        many: Callable[..., Any] = super().executemany
        if len(parameters) > _INLINE_ROWS:
            _in_thread(many, operation, parameters)
        else:
            self.connection.patiently(many, operation, parameters)
        return self

    def _run(self, operation: str, parameters: Any) -> Sequence[Any]:
        if not operation.startswith("SELECT"):
            return self._run_whole(operation, parameters)
        self.connection.is_impatient = in_greenlet()
        try:
            return self._run_whole(operation, parameters)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_INTERRUPT or not self.connection.is_impatient:
                raise
        finally:
            self.connection.is_impatient = False
        return _in_thread(self._run_whole, operation, parameters)

    def _run_whole(self, operation: str, parameters: Any) -> Sequence[Any]:
        super().execute(operation, parameters)
        return super().fetchall() if self.description else ()

    def __iter__(self) -> InlineCursor:
        return self

    def __next__(self) -> Any:
        return next(self._rows)

    def fetchone(self) -> Any:
        """Return the next row, None after the last."""
        return next(self._rows, None)

    def fetchmany(self, size: int | None = None) -> list[Any]:
        """Return up to `size` rows."""
        return list(itertools.islice(self._rows, size or self.arraysize))

    def fetchall(self) -> list[Any]:
        """Return all rows that are left."""
        return list(self._rows)

    async def _async_soft_close(self) -> None:
        # SQLAlchemy asks this of every asyncio cursor; nothing is open here.
        return


class InlineConnection(sqlite3.Connection):
    """A connection whose statements run at once, and which waits for others without holding the loop up."""

    is_impatient = False
    """A SELECT runs on the loop now, and is broken off when it takes too long."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.set_progress_handler(self._takes_too_long, _INLINE_STEPS)

    def _takes_too_long(self) -> bool:
        return self.is_impatient

    def cursor(self, *_arguments: Any) -> Any:
        """Return a cursor."""
        return super().cursor(InlineCursor)

    def patiently(self, work: Callable[..., T], *arguments: Any) -> T:
        """Run `work`, again and again while another process holds the lock it needs."""
        gives_up_at = 0.0
        pause = _FIRST_PAUSE
        while True:
            try:
                return work(*arguments)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode not in _LOCKED or not in_greenlet():
                    raise
                gives_up_at = gives_up_at or time.monotonic() + BUSY_SECONDS
                if time.monotonic() >= gives_up_at:
                    raise
            await_(asyncio.sleep(pause))
            pause = min(2 * pause, _LONGEST_PAUSE)


class _Dbapi(AsyncAdapt_dbapi_module):
    """The standard library's module, connecting with our class."""

    def __init__(self) -> None:
        super().__init__(sqlite3)

    def __getattr__(self, name: str) -> Any:
        return getattr(sqlite3, name)

    def connect(self, *arguments: Any, **options: Any) -> InlineConnection:
        """Open a connection, to be used by one task at a time but not always by one thread."""
        # No waiting inside SQLite: it would hold the loop up.
        options |= {"factory": InlineConnection, "check_same_thread": False, "timeout": 0.0}
        connection: InlineConnection = sqlite3.connect(*arguments, **options)
        return connection


class InlineDialect(SQLiteDialect_pysqlite):
    """SQLAlchemy's dialect for the classes above."""

    driver = "inline"
    is_async = True
    supports_statement_cache = True

    @classmethod
    def import_dbapi(cls) -> Any:
        """Return the driver."""
        return _Dbapi()

    @classmethod
    def get_pool_class(cls, url: URL) -> type[Pool]:
        """Return the pool; databases in memory are not used."""
        return AsyncAdaptedQueuePool


def configure(connection: sqlite3.Connection) -> None:
    """Set up a new connection."""
    # SQLAlchemy, not the driver, says when a transaction begins.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # `Disk` flushes what was committed and moves the log into the database.
    cursor.execute("PRAGMA synchronous = NORMAL")
    cursor.execute("PRAGMA wal_autocheckpoint = 0")
    cursor.execute("PRAGMA foreign_keys = ON")
    # What is deleted or replaced is overwritten: people's words do not stay in free parts of the file.
    cursor.execute("PRAGMA secure_delete = ON")
    cursor.close()


registry.register("sqlite.inline", __name__, InlineDialect.__name__)
