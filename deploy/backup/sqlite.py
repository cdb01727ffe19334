"""SQLite: a consistent copy while the system writes, and a lock that shows whether it runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from deploy.backup.errors import BrokenArchiveError, RefusedError

_PATIENCE = 30.0


def save(source: Path, target: Path) -> str:
    """Copy the database as it is at one moment and return its revision; nobody waits for it meanwhile.

    Raises:
        RefusedError: there is no database of ours.
        BrokenArchiveError: the copy is damaged, and so is the original.
    """
    if not source.is_file():
        raise RefusedError(f"there is no database at {source}; is DATA_DIR right?")
    with closing(_open(source)) as live, closing(sqlite3.connect(target)) as copy:
        # All pages in one step: one read transaction, which in WAL mode holds up no writer.
        live.backup(copy)
        copy.execute("PRAGMA journal_mode = DELETE")
    return check(target)


def check(file: Path) -> str:
    """Return the revision of a copy.

    Raises:
        BrokenArchiveError: it is damaged, or not a database of this system.
    """
    try:
        with closing(sqlite3.connect(file)) as copy:
            result = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
            if result != "ok":
                raise BrokenArchiveError(f"the database is damaged: {result}")
            row = copy.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.DatabaseError as error:
        raise BrokenArchiveError(f"{file.name} is not a database of this system: {error}") from error
    if row is None:
        raise BrokenArchiveError("the database was never migrated: the system has not been started yet")
    return str(row[0])


def settle(file: Path) -> None:
    """Bring everything that was written into the one file, so that it can be moved."""
    with closing(sqlite3.connect(file)) as copy:
        copy.execute("PRAGMA journal_mode = DELETE")


@contextmanager
def alone(file: Path) -> Iterator[None]:
    """Hold the database for oneself.

    Raises:
        RefusedError: a process has it open.
    """
    if not file.is_file():
        yield
        return
    with closing(sqlite3.connect(file, timeout=0.0, isolation_level=None)) as holder:
        # Taken before the first access, this mode wants the whole file, which every open connection shares.
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        try:
            holder.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError:
            raise RefusedError(
                f"the system is running: {file} is in use; stop all its processes first"
            ) from None
        holder.execute("ROLLBACK")
        holder.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        yield


def _open(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True, timeout=_PATIENCE)
