"""What has to be there before the first request: the database's tables."""

from __future__ import annotations

import accounts.models
import conversations.models
import kb_index.models
import tickets.models
from database.engine import Database

TABLES = (accounts.models, conversations.models, kb_index.models, tickets.models)
"""Every module that defines tables; importing them is what makes the schema complete."""


async def prepare_database(database: Database) -> None:
    """Bring the database's schema to what this version needs."""
    await database.create_all()
