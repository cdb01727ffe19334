from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from argon2 import PasswordHasher

import accounts.models
from accounts.parts import Rules
from accounts.schemas import OpenedSession, User, Visit
from accounts.service import AccountService
from database.engine import Database

PASSWORD = "sông Ba mùa nước nổi"
OFFICE = Visit("10.0.0.1")
SECRET = "the instance's secret key"


class HandClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


def cheap_hasher() -> PasswordHasher:
    """Real argon2id, at the least cost it allows."""
    return PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


@pytest.fixture
def database(either_database: Database) -> Database:
    """Each test runs on both databases."""
    return either_database


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def accounts(database: Database, clock: HandClock) -> AccountService:
    return AccountService(database, clock, cheap_hasher(), secret=SECRET)


@pytest.fixture
def strict_accounts(database: Database, clock: HandClock) -> AccountService:
    """The same accounts, where administrators need a one-time code."""
    rules = Rules(totp_roles=frozenset({"administrator"}))
    return AccountService(database, clock, cheap_hasher(), secret=SECRET, rules=rules)


async def ready_admin(accounts: AccountService) -> User:
    token = await accounts.create_first_admin()
    assert token is not None
    return await accounts.set_password(token, PASSWORD)


async def ready_user(
    accounts: AccountService, login: str = "lan", *, roles: tuple[str, ...] = ("operator",), actor: str = "x"
) -> User:
    _, token = await accounts.users.invite(
        login=login, name=f"Chị {login}", roles=roles, agency="So Y te", actor=actor
    )
    return await accounts.set_password(token, PASSWORD)


async def entered(
    accounts: AccountService, login: str = "admin", visit: Visit = OFFICE, password: str = PASSWORD
) -> OpenedSession:
    opened = await accounts.log_in(login, password, visit)
    assert isinstance(opened, OpenedSession)
    return opened
