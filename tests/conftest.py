"""What the tests of several parts stand on.

Read for the bot's tests too, whose environment has not all that `tests.databases` needs: imported where used.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from importlib.util import find_spec
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

if find_spec("hypothesis") is not None:
    from hypothesis import HealthCheck, settings

    # Slow is not wrong, and what passed once passes again; `make fuzz` looks for what nobody has tried yet.
    settings.register_profile(
        "same", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
    )
    settings.register_profile("new", settings.get_profile("same"), derandomize=False, print_blob=True)
    settings.load_profile("new" if "FUZZ_EXAMPLES" in os.environ else "same")


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
def database_kind(request: pytest.FixtureRequest) -> str:
    """Each test that asks for a database below runs on both kinds."""
    kind: str = request.param
    return kind


@pytest.fixture
def database_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if database_kind == "sqlite":
        return sqlite_url(tmp_path / "1022.sqlite3")
    server: PrivatePostgres = request.getfixturevalue("postgres")
    return server.create(new_id())


@pytest.fixture
def migrated_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind as the migrations leave it."""
    from tests.databases import sqlite_migrated

    if database_kind == "sqlite":
        return sqlite_migrated(tmp_path / "1022.sqlite3")
    copies: PostgresCopies = request.getfixturevalue("postgres_copies")
    return copies.migrated()


@pytest.fixture
def tables_url(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database of either kind with every table."""
    from tests.databases import sqlite_with_tables

    if database_kind == "sqlite":
        return sqlite_with_tables(tmp_path / "1022.sqlite3")
    copies: PostgresCopies = request.getfixturevalue("postgres_copies")
    return copies.with_tables()


@pytest.fixture
async def either_database(tables_url: str) -> AsyncIterator[Database]:
    """The same, opened."""
    opened = Database(tables_url)
    yield opened
    await opened.close()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A real SQLite database, where an instance has it, with every table."""
    from tests.databases import sqlite_with_tables

    opened = Database(sqlite_with_tables(tmp_path / "1022.sqlite3"))
    yield opened
    await opened.close()
