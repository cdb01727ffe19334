"""The step that brings one-time codes, sessions' details and erasures: forward, back, beside old code."""

from __future__ import annotations

from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import accounts.models
import database.personal_data
from api.startup import migrate_alone, migrations
from database.base import Base
from database.engine import Database

_TABLES = {
    *(row.__tablename__ for row in vars(accounts.models).values() if hasattr(row, "__tablename__")),
    database.personal_data.ErasureRow.__tablename__,
}


def to(revision: str, *, back: bool = False) -> Any:
    def work(connection: Connection) -> None:
        config = migrations()
        config.attributes["connection"] = connection
        (command.downgrade if back else command.upgrade)(config, revision)

    return work


def differences(connection: Connection) -> list[Any]:
    found = compare_metadata(MigrationContext.configure(connection), Base.metadata)
    flat = [item for entry in found for item in (entry if isinstance(entry, list) else [entry])]
    return [item for item in flat if _table(item) in _TABLES]


def _table(item: Any) -> str:
    if item[0].startswith("modify") or item[0].endswith("_column"):
        return str(item[2])
    table = getattr(item[1], "table", item[1])
    return str(table.name)


async def add_as_the_version_before(store: Database) -> None:
    roles = "'[]'" if store.is_sqlite else "CAST('[]' AS JSONB)"
    async with store.write() as session:
        await session.execute(text("DELETE FROM users"))
        await session.execute(
            text(
                "INSERT INTO users (id, login, name, password_hash, roles, active, created_at) "
                f"VALUES ('u1', 'lan', 'Lan', NULL, {roles}, TRUE, CURRENT_TIMESTAMP)"
            )
        )


async def test_it_goes_forward_and_back_and_the_version_before_works_on_it(database_url: str):
    store = Database(database_url)
    await migrate_alone(store, to("0004"))
    await add_as_the_version_before(store)
    await migrate_alone(store, to("0005"))
    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    async with store.read() as session:
        assert (await session.execute(text("SELECT login, totp_step FROM users"))).all() == [("lan", 0)]
    await add_as_the_version_before(store)
    await migrate_alone(store, to("0004", back=True))
    await add_as_the_version_before(store)
    await migrate_alone(store, to("0005"))
    async with store.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    async with store.read() as session:
        assert len((await session.execute(text("SELECT login FROM users"))).all()) == 1
    await store.close()
