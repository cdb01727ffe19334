"""What the tests of several parts stand on.

Read for the bot's tests too, whose environment has not all that `tests.databases` needs: imported where used.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from database.base import new_id
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres

if TYPE_CHECKING:
    from tests.databases import PostgresCopies

BOTH = ("sqlite", "postgresql")
"""The databases that are supported."""


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One PostgreSQL server for all tests; each makes itself a database."""
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_copies(postgres: PrivatePostgres) -> PostgresCopies:
    """Databases of that server that are ready."""
    from tests.databases import PostgresCopies

    return PostgresCopies(postgres)


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; each test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "1022.sqlite3")
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.create(new_id())


@pytest.fixture(params=BOTH)
def migrated_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database as the migrations leave it; each test that asks for it runs on both kinds."""
    from tests.databases import sqlite_migrated

    if request.param == "sqlite":
        return sqlite_migrated(tmp_path / "1022.sqlite3")
    copies: PostgresCopies = request.getfixturevalue("postgres_copies")
    return copies.migrated()


@pytest.fixture(params=BOTH)
async def either_database(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Database]:
    """A database with every table; each test that asks for it runs on both kinds."""
    from tests.databases import sqlite_with_tables

    if request.param == "sqlite":
        url = sqlite_with_tables(tmp_path / "1022.sqlite3")
    else:
        copies: PostgresCopies = request.getfixturevalue("postgres_copies")
        url = copies.with_tables()
    opened = Database(url)
    yield opened
    await opened.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A real SQLite database, where an instance has it, with every table."""
    from tests.databases import sqlite_with_tables

    opened = Database(sqlite_with_tables(tmp_path / "1022.sqlite3"))
    yield opened
    await opened.close()
