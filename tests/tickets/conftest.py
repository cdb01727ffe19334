"""Both databases for real, a clock that tests own, senders whose messages are kept, people at the desk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, String, Table, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.schemas import User
from database.base import new_id
from database.engine import Database
from tickets.desk import Click, TicketDesk
from tickets.follow import TicketFollow
from tickets.notices import Notice
from tickets.schemas import TicketDraft, TicketKind
from tickets.service import TicketService


class FixedClock:
    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant

    def forward(self, **span: float) -> None:
        self.instant += timedelta(**span)


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))


@pytest.fixture
async def database(either_database: Database) -> Database:
    """Each test runs on both databases."""
    await prepare(either_database)
    return either_database


_TABLES = MetaData()
_SAID = Table(
    "said",
    _TABLES,
    Column("number", Integer, primary_key=True),
    Column("key", String, unique=True),
    Column("conversation_id", String),
    Column("text", String),
)


async def prepare(database: Database) -> None:
    """Add to the product's tables what the tests keep beside them."""
    async with database.engine.execution_options(writes=True).begin() as connection:
        await connection.run_sync(_TABLES.create_all)


@dataclass
class KeptNotices:
    """Keeps what senders are told in a table of the same database; a repeated key breaks the unit of work."""

    database: Database
    sent: list[str] = field(default_factory=list)
    away: set[str] = field(default_factory=set)
    fails: bool = False

    async def write(self, session: AsyncSession, notice: Notice) -> bool:
        if self.fails:
            raise RuntimeError("no notice")
        if notice.conversation_id in self.away:
            return False
        values = {"key": notice.key, "conversation_id": notice.conversation_id, "text": notice.text}
        await session.execute(insert(_SAID).values(values))
        return True

    async def send(self, conversation_ids: Any) -> None:
        self.sent += conversation_ids

    async def told(self, conversation_id: str) -> list[str]:
        async with self.database.read() as session:
            query = select(_SAID.c.text).where(_SAID.c.conversation_id == conversation_id)
            return list(await session.scalars(query.order_by(_SAID.c.number)))

    async def keys(self, conversation_id: str) -> list[str]:
        async with self.database.read() as session:
            query = select(_SAID.c.key).where(_SAID.c.conversation_id == conversation_id)
            return list(await session.scalars(query))


@pytest.fixture
def notices(database: Database) -> KeptNotices:
    return KeptNotices(database)


@pytest.fixture
def tickets(database: Database, clock: FixedClock, notices: KeptNotices) -> TicketService:
    return TicketService(database, clock, notices, address="https://1022.test")


@pytest.fixture
def desk(database: Database, clock: FixedClock, tickets: TicketService) -> TicketDesk:
    return TicketDesk(database, clock, tickets)


@pytest.fixture
def follow(database: Database, tickets: TicketService) -> TicketFollow:
    return TicketFollow(database, tickets)


def person(*roles: str, name: str = "hoa") -> User:
    return User(id=name, login=name, name=name.title(), roles=roles, active=True, has_password=True)


OPERATOR = person("operator")
SUPERVISOR = person("supervisor", name="minh")


@pytest.fixture
def click() -> Callable[..., Click]:
    """Make a click of an operator."""

    def make(version: int | None = None, *, user: User = OPERATOR, key: str | None = None) -> Click:
        return Click(user, key or new_id(), version)

    return make


@pytest.fixture
def draft() -> Callable[..., TicketDraft]:
    """Make what somebody sends in."""

    def make(**changes: object) -> TicketDraft:
        values: dict[str, object] = {
            "kind": TicketKind.REPORT,
            "content": "Đèn đường hỏng trước số 12 Trần Phú",
            "place": "trước số 12 Trần Phú, phường Pleiku",
            "name": "Nguyễn Văn An",
            "phone": "0905123456",
            "address": "12 Trần Phú",
            "consent": True,
            "channel": "webchat",
            "conversation_id": "conversation-1",
        }
        return TicketDraft.model_validate(values | changes)

    return make
