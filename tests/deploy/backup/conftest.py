"""Instances on both databases, with something in them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from api.startup import prepare_database
from conversations.bot_client import BotClient
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import InboundMessage
from database.base import new_id
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.backup.service import SQLITE_FILE, Instance
from deploy.local.postgres import PrivatePostgres

MakeInstance = Callable[[str], Instance]


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture(params=["sqlite", "postgresql"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> MakeInstance:
    """Make an instance that holds nothing."""
    server: PrivatePostgres | None = None
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres")

    def new(name: str) -> Instance:
        folder = tmp_path / name
        url = sqlite_url(folder / SQLITE_FILE) if server is None else server.create(new_id())
        return Instance(folder, url, "1.2.3")

    return new


class Running:
    """An instance at work, which takes in messages."""

    def __init__(self, instance: Instance, core: ConversationCore, database: Database) -> None:
        self.instance = instance
        self.core = core
        self.database = database
        self.acknowledged: list[str] = []

    async def receive(self, user: str, text: str = "xin chào") -> None:
        name = new_id()
        message = InboundMessage(
            channel="webchat", external_user_id=user, provider_message_id=name, text=text
        )
        await self.core.inbox.receive(message)
        self.acknowledged.append(name)


@asynccontextmanager
async def running(instance: Instance) -> AsyncIterator[Running]:
    """Open an instance as the app does."""
    database = Database(instance.database_url)
    await prepare_database(database, instance.migrations)
    bot = BotClient("http://127.0.0.1:1", "token")
    core = ConversationCore(database, SystemClock(), RedisLink(None), bot)
    yield Running(instance, core, database)
    await core.stop()
    await bot.close()
    await database.close()


@pytest.fixture
async def filled(make: MakeInstance) -> Instance:
    """An instance with three messages, a file that somebody sent, keys and an index."""
    return await fill(make("filled"))


async def fill(instance: Instance) -> Instance:
    async with running(instance) as opened:
        for user in ("a", "a", "b"):
            await opened.receive(user, f"của {user}")
    folder = instance.data_dir
    contents = {
        "files/ab/abcd-1": "một bức ảnh",
        "files/ab/half.part": "chưa xong",
        "kb/CURRENT": "1",
        "kb/index/1/vectors": "0 1 0",
        "models/embedding/config.json": "{}",
        "secret.key": "rất bí mật",
        "internal.token": "khác",
        "logs/app.log": "dòng",
        "redis/appendonly.aof": "*",
    }
    for name, content in contents.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return instance


Fill = Callable[[Instance], Awaitable[Instance]]


@pytest.fixture
def fill_instance() -> Fill:
    return fill


@pytest.fixture
def run_instance() -> object:
    return running
