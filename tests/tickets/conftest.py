"""A real SQLite database and a clock that tests own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from database.engine import Database
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
def tickets(database: Database, clock: FixedClock) -> TicketService:
    return TicketService(database, clock)
