"""Several bots: a conversation keeps to one, and goes to another while that one is away."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from conversations.bot_client import BotRequest
from conversations.bot_pool import BotPool
from conversations.errors import BotError


class OneBot:
    """Answers with its own name, or with a status."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.status = 200
        self.asked = 0
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def handle(self, request: web.Request) -> web.Response:
        self.asked += 1
        body = await request.json()
        if self.status != 200:
            return web.json_response({"error": "unavailable"}, status=self.status)
        answer: dict[str, Any] = {"message_id": body["message_id"], "messages": [{"text": self.name}]}
        return web.json_response(answer)

    async def start(self) -> None:
        app = web.Application()
        app.router.add_post("/webhooks/gateway/messages", self.handle)
        app.router.add_get("/", self.handle_health)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def handle_health(self, _request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None


@pytest.fixture
async def bots() -> AsyncIterator[list[OneBot]]:
    made = [OneBot("a"), OneBot("b"), OneBot("c")]
    for bot in made:
        await bot.start()
    yield made
    for bot in made:
        await bot.stop()


@pytest.fixture
async def pool(bots: list[OneBot]) -> AsyncIterator[BotPool]:
    made = BotPool([bot.url for bot in bots], "internal", timeout=2.0)
    yield made
    await made.close()


async def ask(pool: BotPool, conversation: str) -> str:
    turn = await pool.ask(BotRequest(conversation, "m1", "lệ phí?", False, {}))
    return turn.messages[0].text


async def test_a_conversation_keeps_to_one_bot_and_all_have_their_share(pool: BotPool) -> None:
    first = {number: await ask(pool, f"c{number}") for number in range(60)}
    assert {number: await ask(pool, f"c{number}") for number in range(60)} == first
    shares = Counter(first.values())
    assert set(shares) == {"a", "b", "c"}
    assert min(shares.values()) >= 8


@pytest.mark.parametrize("how", ["gone", "503"])
async def test_while_one_is_away_only_its_conversations_move(
    pool: BotPool, bots: list[OneBot], how: str
) -> None:
    before = {number: await ask(pool, f"c{number}") for number in range(30)}
    if how == "gone":
        await bots[0].stop()
    else:
        bots[0].status = 503
    during = {number: await ask(pool, f"c{number}") for number in range(30)}
    assert "a" not in during.values()
    assert all(during[number] == before[number] for number in before if before[number] != "a")
    assert await pool.is_ready()


async def test_what_a_bot_has_decided_is_not_asked_elsewhere(pool: BotPool, bots: list[OneBot]) -> None:
    for bot in bots:
        bot.status = 500
    with pytest.raises(BotError, match="bot_error_500"):
        await ask(pool, "c1")
    assert sum(bot.asked for bot in bots) == 1


async def test_all_away(pool: BotPool, bots: list[OneBot]) -> None:
    for bot in bots:
        await bot.stop()
    with pytest.raises(BotError, match="bot_unreachable"):
        await ask(pool, "c1")
    assert not await pool.is_ready()


def test_one_is_needed() -> None:
    with pytest.raises(ValueError, match="at least one"):
        BotPool([], "internal")
