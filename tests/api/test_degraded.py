"""Each part the app needs is away, or hangs, alone: what the citizen reads; it comes back by itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest

from api.app import create_app
from api.settings import Settings
from deploy.local.postgres import PrivatePostgres

EMERGENCY = "cháy nhà ở đường Hùng Vương, cứu với"


class Line:
    """A TCP line to a server, which can be cut, or hold everything back."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._passing = asyncio.Event()
        self._passing.set()
        self.port = 0

    async def start(self) -> None:
        self._passing.set()
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def cut(self) -> None:
        assert self._server is not None
        self._server.close()
        self._drop()

    async def hang(self) -> None:
        self._passing.clear()

    async def mend(self) -> None:
        """Whatever was wrong is over; connections that hung are gone, as after a restart."""
        assert self._server is not None
        self._drop()
        if not self._server.is_serving():
            await self.start()

    def _drop(self) -> None:
        for writer in list(self._open):
            writer.transport.abort()
        self._passing.set()  # those who were held back find their line dead

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            far_reader, far_writer = await asyncio.open_connection(*self._target)
            self._open |= {writer, far_writer}
            await asyncio.gather(self._pass(reader, far_writer), self._pass(far_reader, writer))

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await reader.read(65_536):
                await self._passing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
        self._open.discard(writer)


@asynccontextmanager
async def line_to(url: str) -> AsyncIterator[tuple[Line, str]]:
    """Yield a line to the server of `url`, and the URL that leads through it."""
    parts = urlsplit(url)
    line = Line(parts.hostname or "", parts.port or 0)
    await line.start()
    host = parts.netloc.replace(f"{parts.hostname}:{parts.port}", f"127.0.0.1:{line.port}")
    try:
        yield line, parts._replace(netloc=host).geturl()
    finally:
        await line.cut()


@pytest.fixture
async def lines(redis_url: str, bot: Any, postgres: PrivatePostgres) -> AsyncIterator[dict[str, Any]]:
    async with (
        line_to(redis_url) as redis,
        line_to(bot.url) as to_bot,
        line_to(postgres.create(uuid4().hex)) as database,
    ):
        yield {"redis": redis, "bot": to_bot, "database": database}


@pytest.fixture
async def reached(
    make_settings: Callable[..., Settings], lines: dict[str, Any]
) -> AsyncIterator[httpx.AsyncClient]:
    settings = make_settings(
        redis_url=lines["redis"][1],
        bot_url=lines["bot"][1],
        database_url=lines["database"][1],
        bot_timeout=1.0,
    )
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            yield client


class Citizen:
    """Somebody with a chat of their own."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.headers: dict[str, str] = {}

    async def say(self, text: str) -> httpx.Response:
        if not self.headers:
            opened = await self.client.post("/chat/session", json={})
            self.headers = {"Authorization": f"Bearer {opened.json()['token']}"}
        body = {"client_id": str(uuid4()), "text": text}
        return await self.client.post("/chat/messages", json=body, headers=self.headers)

    async def answer(self) -> str:
        """Return what is answered first."""
        async with asyncio.timeout(15):
            while True:
                response = await self.client.get("/chat/messages", headers=self.headers)
                said = [m for m in response.json().get("messages", ()) if m["author"] != "citizen"]
                if said:
                    return str(said[0]["text"])
                await asyncio.sleep(0.02)

    async def ask(self, text: str) -> str:
        response = await self.say(text)
        assert response.status_code == 202, response.text
        return await self.answer()


async def back_to_normal(client: httpx.AsyncClient) -> None:
    """New citizens are answered by the bot again, without anybody having done anything."""
    async with asyncio.timeout(60):
        while True:
            citizen = Citizen(client)
            response = await citizen.say("lệ phí khai sinh?")
            if response.status_code == 202 and (await citizen.answer()).startswith("trả lời"):
                return
            await asyncio.sleep(0.2)


@pytest.mark.parametrize("trouble", ["cut", "hang"])
async def test_bot_away(reached: httpx.AsyncClient, lines: dict[str, Any], trouble: str) -> None:
    assert (await Citizen(reached).ask("lệ phí?")).startswith("trả lời")
    line = lines["bot"][0]
    await getattr(line, trouble)()
    assert "114" in await Citizen(reached).ask(EMERGENCY)
    assert "người" in await Citizen(reached).ask("lệ phí khai sinh?")
    for _ in range(8):
        await Citizen(reached).ask("lệ phí khai sinh?")
    # After several failures nobody waits for the time limit any more.
    started = time.monotonic()
    await asyncio.gather(*(Citizen(reached).ask("lệ phí khai sinh?") for _ in range(10)))
    assert time.monotonic() - started < 8
    await line.mend()
    await back_to_normal(reached)


@pytest.mark.parametrize("trouble", ["cut", "hang"])
async def test_redis_away(reached: httpx.AsyncClient, lines: dict[str, Any], trouble: str) -> None:
    assert (await Citizen(reached).ask("lệ phí?")).startswith("trả lời")
    line = lines["redis"][0]
    await getattr(line, trouble)()
    assert "114" in await Citizen(reached).ask(EMERGENCY)
    # The first one noticed; now nobody waits for it.
    citizen = Citizen(reached)
    started = time.monotonic()
    assert (await citizen.ask("lệ phí khai sinh?")).startswith("trả lời")
    assert time.monotonic() - started < 3
    ready = (await reached.get("/health/ready")).json()
    assert (ready["status"], ready["parts"]["redis"]) == ("degraded", "down")
    await line.mend()
    await back_to_normal(reached)
    async with asyncio.timeout(60):
        while (await reached.get("/health/ready")).json()["status"] != "ready":
            pass


@pytest.mark.parametrize("trouble", ["cut", "hang"])
async def test_database_away(reached: httpx.AsyncClient, lines: dict[str, Any], trouble: str) -> None:
    citizen = Citizen(reached)
    assert (await citizen.ask("lệ phí?")).startswith("trả lời")
    line = lines["database"][0]
    await getattr(line, trouble)()
    started = time.monotonic()
    response = await citizen.say(EMERGENCY)
    assert time.monotonic() - started < 5
    assert response.status_code == 503
    assert "114" in response.json()["message"]
    response = await citizen.say("lệ phí khai sinh?")
    assert (response.status_code, response.json()["error"]) == (503, "storage_unavailable")
    assert "chưa nhận được" in response.json()["message"]
    ready = await reached.get("/health/ready")
    assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "down")
    await line.mend()
    await back_to_normal(reached)


async def test_started_without_a_database_it_answers_emergencies_and_works_when_that_comes(
    make_settings: Callable[..., Settings], lines: dict[str, Any]
) -> None:
    line, url = lines["database"]
    await line.cut()
    app = create_app(make_settings(database_url=url))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            response = await Citizen(client).say(EMERGENCY)
            assert response.status_code == 503
            assert "114" in response.json()["message"]
            await line.start()
            await back_to_normal(client)
