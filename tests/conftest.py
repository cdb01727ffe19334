"""What the tests of several parts stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from database.base import new_id
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[PrivatePostgres]:
    """One PostgreSQL server for all tests; each makes itself a database."""
    with PrivatePostgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database; each test that asks for it runs on both kinds."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "1022.sqlite3")
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.create(new_id())


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A real SQLite database, where an instance has it, with every table whose model is imported."""
    opened = Database(sqlite_url(tmp_path / "1022.sqlite3"))
    await opened.create_all()
    yield opened
    await opened.close()
