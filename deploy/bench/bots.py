"""How throughput grows with bots, where there are not the cores to show it: bots that only take time.

Everything but the bots is real: inbox, worker, the pool that keeps a conversation with one bot, outbox,
SQLite. A played bot does one turn after another, as Rasa's event loop does, and sleeps meanwhile: so long
that the processor is nearly idle.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from api.startup import prepare_database
from conversations.bot_pool import BotPool
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import Capabilities as Able
from conversations.schemas import InboundMessage, OutboundMessage, SendResult
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.local.runs import Scratch

_TURN_SECONDS = 0.2
_CONVERSATIONS = 48
_MESSAGES_EACH = 4
_TOKEN = "bench"  # noqa: S105 - of bots that live as long as this run
_NEVER_SLOW = 60.0


class _Shown:
    """A channel that takes everything."""

    name = "webchat"
    capabilities = Able(max_text=4_000, buttons=True, repeatable=True)

    async def send(self, _message: OutboundMessage) -> SendResult:
        return SendResult.accepted()


class _SleepingBot:
    def __init__(self) -> None:
        self.turns = 0
        self._busy = asyncio.Lock()

    async def answer(self, request: web.Request) -> web.Response:
        body = await request.json()
        async with self._busy:
            await asyncio.sleep(_TURN_SECONDS)
        self.turns += 1
        intent = {"name": "greet", "confidence": 1.0}
        messages = [{"text": "Dạ, em nghe ạ.", "turn": {"route": "smalltalk"}}]
        return web.json_response({"message_id": body["message_id"], "intent": intent, "messages": messages})


async def throughput(bots: int) -> dict[str, Any]:
    """Return messages a second, and how the turns were shared out, with so many bots."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(Scratch("bots"))
        played = [_SleepingBot() for _ in range(bots)]
        urls = [await opened.enter_async_context(_serve(bot)) for bot in played]
        pool = BotPool(urls, _TOKEN, timeout=_NEVER_SLOW)
        opened.push_async_callback(pool.close)
        database = Database(sqlite_url(folder / "bots.sqlite3"))
        opened.push_async_callback(database.close)
        await prepare_database(database)
        core = ConversationCore(
            database,
            SystemClock(),
            RedisLink(None, "bots"),
            pool,
            channels=[_Shown()],
            join_pieces=False,
            concurrency=8 * bots,
        )
        await core.start()
        opened.push_async_callback(core.stop)
        started = time.perf_counter()
        for number in range(_MESSAGES_EACH):
            for person in range(_CONVERSATIONS):
                await core.inbox.receive(_message(person, number))
        while await core.inbox.backlog():
            await asyncio.sleep(0.05)
        seconds = time.perf_counter() - started
        turns = [bot.turns for bot in played]
        return {"bots": bots, "per_second": sum(turns) / seconds, "turns": turns}


async def bots_compared() -> dict[str, Any]:
    """Return the throughput with one bot, two and four, and the ratios to one."""
    runs = [await throughput(count) for count in (1, 2, 4)]
    return {
        "turn_seconds": _TURN_SECONDS,
        "runs": runs,
        "times_one": [run["per_second"] / runs[0]["per_second"] for run in runs],
    }


def _message(person: int, number: int) -> InboundMessage:
    return InboundMessage(
        channel=_Shown.name,
        external_user_id=f"person-{person}",
        provider_message_id=f"{person}-{number}",
        text=f"xin chào lần {number}",
    )


@asynccontextmanager
async def _serve(bot: _SleepingBot) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/webhooks/gateway/messages", bot.answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    try:
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()
