"""What has to be there before the first request: the database's tables, as this version needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from database.engine import Database

log = structlog.get_logger(__name__)

_INI = Path(__file__).parent / "migrations" / "alembic.ini"
_LOCK = 1022_0001
"""Key of the advisory lock under which PostgreSQL is migrated."""
_LOCK_TIMEOUT = "2s"
_LOCK_TRIES = 30
_LOCK_PAUSE = 0.5
_IN_THE_WAY = {"55P03", "40P01"}
"""PostgreSQL's codes for a lock that was not had in time, and for a deadlock that ended with us."""


class BrokenReferenceError(Exception):
    """A migration left rows that refer to nothing; it was undone."""


def migrations(versions: Path | None = None) -> Config:
    """Return Alembic's configuration.

    Args:
        versions: a folder with further steps, on top of the product's own.
    """
    config = Config(_INI)
    if versions is not None:
        own = _INI.parent / "versions"
        config.set_main_option("version_locations", f"{own}:{versions}")
    return config


def known_revisions(config: Config | None = None) -> list[str]:
    """Return the revisions of this version's schema, the newest first."""
    script = ScriptDirectory.from_config(config or migrations())
    return [step.revision for step in script.walk_revisions()]


async def prepare_database(database: Database, config: Config | None = None) -> None:
    """Bring the database's schema to what this version needs; several processes may start at once.

    A database that a newer version has migrated is left as it is: while versions are exchanged under load,
    and after going back by one, the older code works on the newer schema (docs/DEPLOYMENT.md has the rules).
    """
    config = config or migrations()

    def upgrade(connection: Connection) -> None:
        known = known_revisions(config)
        present = MigrationContext.configure(connection).get_current_heads()
        if any(revision not in known for revision in present):
            log.warning("database_is_newer", database=list(present), newest_known=known[0])
            return
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

    await migrate_alone(database, upgrade)


async def migrate_alone(database: Database, work: Callable[[Connection], None]) -> None:
    """Run `work`, which changes the schema, in one transaction and as the only one who does.

    It is done whole, or the database is as it was. On SQLite the transaction holds the write lock from its
    beginning; on PostgreSQL it holds an advisory lock, and a table that is in use is not waited for longer
    than two seconds at a time: everybody who came later would wait behind us.

    Raises:
        BrokenReferenceError: on SQLite, rows would refer to nothing.
        DBAPIError: the database is away, or a table stayed in use.
    """
    if database.is_sqlite:
        async with database.engine.execution_options(writes=True).connect() as connection:
            await connection.run_sync(_on_sqlite, work)
        return
    tries = 0
    while True:
        try:
            async with database.engine.begin() as connection:
                await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
                await connection.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
                await connection.run_sync(work)
            return
        except DBAPIError as error:
            tries += 1
            if getattr(error.orig, "sqlstate", None) not in _IN_THE_WAY or tries >= _LOCK_TRIES:
                raise
            log.info("table_in_use", tries=tries)
        await asyncio.sleep(_LOCK_PAUSE)


def _on_sqlite(connection: Connection, work: Callable[[Connection], None]) -> None:
    # Most changes of a table copy it and drop the old one, which would count as deleting every row that
    # others refer to. The switch has no effect inside a transaction.
    driver = connection.connection.driver_connection
    assert driver is not None
    driver.execute("PRAGMA foreign_keys = OFF")
    try:
        with connection.begin():
            work(connection)
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise BrokenReferenceError(f"rows of {broken[0]} refer to nothing in {broken[2]}")
    finally:
        driver.execute("PRAGMA foreign_keys = ON")
