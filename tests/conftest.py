"""What the tests of several parts stand on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from database.engine import Database, sqlite_url


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    """A real SQLite database, where an instance has it, with every table whose model is imported."""
    opened = Database(sqlite_url(tmp_path / "1022.sqlite3"))
    await opened.create_all()
    yield opened
    await opened.close()
