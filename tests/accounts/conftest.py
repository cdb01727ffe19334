from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher

from accounts.service import AccountService
from database.engine import Database, sqlite_url


class HandClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    import accounts.models  # noqa: F401 - defines the tables

    opened = Database(sqlite_url(tmp_path / "test.sqlite3"))
    await opened.create_all()
    yield opened
    await opened.close()


@pytest.fixture
def accounts(database: Database, clock: HandClock) -> AccountService:
    # Real argon2id, at the least cost it allows.
    return AccountService(database, clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
