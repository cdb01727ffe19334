from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

import accounts.models
from accounts.service import AccountService
from database.engine import Database


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
def accounts(database: Database, clock: HandClock) -> AccountService:
    # Real argon2id, at the least cost it allows.
    return AccountService(database, clock, PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
