"""A real SQLite database and a clock that tests own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from database.engine import Database, sqlite_url
from tickets.service import TicketService


class FixedClock:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    opened = Database(sqlite_url(tmp_path / "tickets.sqlite3"))
    await opened.create_all()
    yield opened
    await opened.close()


@pytest.fixture
def tickets(database: Database, clock: FixedClock) -> TicketService:
    return TicketService(database, clock)
