"""The step that brings the channels: up and down on both databases, and then as the models say."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection

from api.startup import migrations
from database.base import Base
from database.engine import Database

_TABLES = {"early_signs", "channel_events", "media_fetches", "channel_health", "channel_hours"}
_COLUMNS = {"last_heard_at", "unfollowed_at", "delivered_at", "read_at", "withdrawn_at"}


def step(connection: Connection, move: Any, revision: str) -> None:
    config = migrations()
    config.attributes["connection"] = connection
    move(config, revision)


def differences(connection: Connection) -> list[Any]:
    found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    flat = [item for entry in found for item in (entry if isinstance(entry, list) else [entry])]
    return [
        item
        for item in flat
        if any(getattr(part, "name", None) in _TABLES | _COLUMNS for part in item)
        or any(getattr(getattr(part, "table", None), "name", None) in _TABLES for part in item)
    ]


async def test_the_step_goes_up_and_down(database_url: str):
    database = Database(database_url)
    for revision, move in (("0004", command.upgrade), ("0003", command.downgrade), ("0004", command.upgrade)):
        async with database.engine.execution_options(writes=True).begin() as connection:
            await connection.run_sync(step, move, revision)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()
