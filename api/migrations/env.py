"""Alembic's entrance: works on the connection it is given, or opens DATABASE_URL to compare models with it."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

import accounts.models
import conversations.models
import kb_index.models
import tickets.models  # noqa: F401 - importing a model is what makes it known
from api.settings import Settings
from database.base import Base
from database.engine import Database


def migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        # SQLite cannot alter most things in place; batch mode copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    context.run_migrations()


async def open_and_migrate() -> None:
    database = Database(Settings().resolved_database_url())
    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(migrate)
    await database.close()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(open_and_migrate())
