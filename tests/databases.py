"""Databases that are ready: every table made once for the whole run, then copied for each test.

Making the tables costs as much as a whole test does. What is copied is what `Database.create_all` or the
migrations have made; the tests of both begin with an empty database instead.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory

from api.startup import prepare_database
from database.base import new_id
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres

Fill = Callable[[Database], Awaitable[None]]

# Their tables are in every copy, also where a test alone would not import them.
for _models in (
    "accounts.models",
    "actions.learning.models",
    "connectors.credentials_store",
    "connectors.health_models",
    "connectors.uploads",
    "conversations.desk.models",
    "conversations.intake_models",
    "conversations.media.fetch_models",
    "conversations.media.models",
    "conversations.models",
    "database.personal_data",
    "kb_index.models",
    "tickets.models",
):
    import_module(_models)


def sqlite_with_tables(file: Path) -> str:
    """Put a database with the models' tables at `file` and return its URL."""
    return _copy(file, Database.create_all)


def sqlite_migrated(file: Path) -> str:
    """Put a database as the migrations leave it at `file` and return its URL."""
    return _copy(file, prepare_database)


class PostgresCopies:
    """Databases of one PostgreSQL server, each kind filled once and copied by the server."""

    def __init__(self, server: PrivatePostgres) -> None:
        self._server = server
        self._filled: dict[Fill, str] = {}

    def with_tables(self) -> str:
        """Return the URL of a new database with the models' tables."""
        return self._copy(Database.create_all)

    def migrated(self) -> str:
        """Return the URL of a new database as the migrations leave it."""
        return self._copy(prepare_database)

    def _copy(self, fill: Fill) -> str:
        if fill not in self._filled:
            name = new_id()
            _fill(self._server.create(name), fill)
            self._filled[fill] = name
        return self._server.create(new_id(), template=self._filled[fill])


def _copy(file: Path, fill: Fill) -> str:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(_content(fill))
    return sqlite_url(file)


@cache
def _content(fill: Fill) -> bytes:
    with TemporaryDirectory() as folder:
        file = Path(folder) / "1022.sqlite3"
        _fill(sqlite_url(file), fill)
        # What stands in the log beside the file belongs to it.
        with sqlite3.connect(file) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        connection.close()
        return file.read_bytes()


def _fill(url: str, fill: Fill) -> None:
    async def run() -> None:
        database = Database(url)
        await fill(database)
        await database.close()

    # A loop of its own: a fixture that asks may run in one already.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, run()).result()
