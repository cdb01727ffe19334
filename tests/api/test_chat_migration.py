"""The step that brings stored files: what was there stays, and the tables are then as the code knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, text

import api.startup
from api.startup import prepare_database
from database.base import Base
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from tickets.service import TicketService

_INI = Path(api.startup.__file__).parent / "migrations" / "alembic.ini"
_TICKET = {
    "id": "1",
    "code": "GL-2026-000001",
    "origin_key": "a",
    "kind": "report",
    "state": "new",
    "content": "Đèn đường hỏng",
    "name": "An",
    "phone": "0905123456",
    "address": "12 Trần Phú",
    "channel": "webchat",
    "conversation_id": "c",
    "consented_at": "2026-11-02 00:00:00",
    "opened_at": "2026-11-02 00:00:00",
    "state_since": "2026-11-02 00:00:00",
}


def to_first_version(connection: Connection) -> None:
    config = Config(_INI)
    config.attributes["connection"] = connection
    command.upgrade(config, "0001")
    columns = ", ".join(_TICKET)
    values = ", ".join(f":{name}" for name in _TICKET)
    connection.execute(text(f"INSERT INTO tickets ({columns}) VALUES ({values})"), _TICKET)


def differences(connection: Connection) -> list[Any]:
    return [
        found
        for found in compare_metadata(MigrationContext.configure(connection), Base.metadata)
        if getattr(found[-1], "name", "") in ("stored_files", "attachments", "ix_stored_files_unused")
    ]


async def test_an_older_instance_moves_forward_with_its_tickets(tmp_path: Path):
    database = Database(sqlite_url(tmp_path / "1022.sqlite3"))
    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(to_first_version)
    await prepare_database(database)
    await prepare_database(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
        tables = await connection.run_sync(lambda sync: sync.dialect.get_table_names(sync))
    assert "stored_files" in tables
    ticket = await TicketService(database, SystemClock()).find("GL-2026-000001")
    assert ticket is not None
    assert (ticket.content, ticket.attachments) == ("Đèn đường hỏng", ())
    await database.close()
