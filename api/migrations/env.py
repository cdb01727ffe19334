"""Alembic's entrance: migrates the connection it is given, or opens the instance's database itself."""

from __future__ import annotations

import asyncio

from alembic import context
from sqlalchemy.engine import Connection

import accounts.models as _accounts
import actions.learning.models as _learning
import connectors.credentials_store as _credentials
import connectors.health_models as _health
import connectors.uploads as _uploads
import conversations.desk.models as _desk
import conversations.intake_models as _intake
import conversations.media.fetch_models as _fetches
import conversations.media.models as _media
import conversations.models as _conversations
import database.personal_data as _personal_data
import kb_index.models as _knowledge
import tickets.models as _tickets
from api.settings import Settings
from api.startup import migrate_alone
from database.base import Base
from database.engine import Database

# Importing a model is what makes its table known.
TABLES = (
    _accounts, _conversations, _credentials, _desk, _fetches, _health, _intake, _knowledge, _learning,
    _media, _personal_data, _tickets, _uploads,
)  # fmt: skip


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    """Tell whether something found in the database is to be compared with the models.

    What a database keeps for full-text search ("…_fts", "search_words…") is its own: made by statements, not
    by models.
    """
    is_search = "_fts" in (name or "") or (name or "").startswith("search_words")
    return kind not in ("table", "index", "column") or not is_search


def migrate(connection: Connection) -> None:
    """Run the steps that `connection`'s database lacks, in its transaction."""
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_name=is_ours,
        # SQLite cannot alter most things in place; batch mode copies the table.
        render_as_batch=connection.dialect.name == "sqlite",
        transaction_per_migration=False,
    )
    context.run_migrations()


async def open_and_migrate() -> None:
    """Migrate the database that the settings name."""
    database = Database(Settings().resolved_database_url())
    await migrate_alone(database, migrate)
    await database.close()


given = context.config.attributes.get("connection")
if given is not None:
    migrate(given)
else:
    asyncio.run(open_and_migrate())
