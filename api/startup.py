"""What has to be there before the first request: the database's tables, as this version needs them."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import text
from sqlalchemy.engine import Connection

from database.engine import Database

_INI = Path(__file__).parent / "migrations" / "alembic.ini"
_LOCK = 1022_0001
"""Key of the advisory lock under which PostgreSQL is migrated."""


async def prepare_database(database: Database) -> None:
    """Bring the database's schema to what this version needs; several processes may start at once.

    All steps are one transaction: it is done whole, or the database is as it was. On SQLite that transaction
    holds the write lock from its beginning, on PostgreSQL an advisory lock.
    """
    async with database.engine.execution_options(writes=True).begin() as connection:
        if not database.is_sqlite:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
        await connection.run_sync(_upgrade)


def _upgrade(connection: Connection) -> None:
    config = Config(_INI)
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
