"""What the bot remembers of somebody in Redis goes with what they said."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from redis import Redis

from conversations.bot_memory import TRACKER_KEY, BotMemoryAwayError, BotMemoryHolder, bot_session
from conversations.core import ConversationCore
from conversations.personal_data import ConversationHolder
from conversations.redis_link import RedisLink
from conversations.schemas import InboundMessage
from database.engine import STORAGE_DOWN, Database
from database.personal_data import Person
from deploy.local.stack import ROOT
from tickets.personal_data import TicketHolder

Write = Callable[..., InboundMessage]


@pytest.fixture
def memory(redis_server: Any) -> Iterator[Redis]:
    with Redis.from_url(redis_server.url, decode_responses=True) as client:
        yield client


@pytest.fixture
async def holder(database: Database, redis_server: Any):
    link = RedisLink(redis_server.url)
    yield BotMemoryHolder(database, link)
    await link.close()


async def person(database: Database, clock: Any, *ids: str) -> Person:
    found = await ConversationHolder(database, clock, TicketHolder(database, clock)).find(ids=ids)
    return Person(conversations=tuple(key for _, key in found))


async def talk(core: ConversationCore, write: Write, memory: Redis, text: str, user: str, asked: Any) -> str:
    """Let somebody say something and the bot remember it, under the name it was asked with."""
    received = await core.inbox.receive(write(text, user=user))
    await core.worker.work_off()
    await core.outbox.settle()
    memory.set(f"bot:tracker:{asked[-1]['conversation']}", text, ex=172_800)
    return received.conversation_id


def test_the_key_is_the_one_the_bot_writes():
    tree = ast.parse((ROOT / "bot" / "tracker_store.py").read_text(encoding="utf-8"))
    [made] = [
        each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef) and each.name == "__init__"
    ]
    names = [argument.arg for argument in made.args.args][-len(made.args.defaults) :]
    defaults = dict(zip(names, made.args.defaults, strict=True))
    assert ast.literal_eval(defaults["key_prefix"]) == TRACKER_KEY


async def test_every_stretch_of_talk_goes_and_nobody_elses(
    core: ConversationCore, database: Database, write: Write, fake_bot: Any, clock: Any, memory: Redis,
    holder: BotMemoryHolder,
):  # fmt: skip
    one = await talk(core, write, memory, "tôi tên Mật", "one", fake_bot.asked)
    clock.forward(days=2)
    assert await talk(core, write, memory, "tôi ở hẻm kín", "one", fake_bot.asked) == one
    other = await talk(core, write, memory, "xin chào", "other", fake_bot.asked)
    assert set(memory.keys("bot:tracker:*")) == {
        TRACKER_KEY + bot_session(each, session) for each, session in ((one, 1), (one, 2), (other, 1))
    }
    assert await holder.erase(await person(database, clock, one), before=None, limit=200) == 2
    assert memory.keys("bot:tracker:*") == [TRACKER_KEY + bot_session(other, 1)]
    assert await holder.erase(await person(database, clock, one), before=None, limit=200) == 0


async def test_by_age_only_stretches_with_something_old_go(
    core: ConversationCore, database: Database, write: Write, fake_bot: Any, clock: Any, memory: Redis,
    holder: BotMemoryHolder,
):  # fmt: skip
    one = await talk(core, write, memory, "chuyện cũ", "one", fake_bot.asked)
    clock.forward(days=2)
    await talk(core, write, memory, "chuyện mới", "one", fake_bot.asked)
    before: datetime = clock.now() - timedelta(days=1)
    assert await holder.erase(await person(database, clock, one), before=before, limit=200) == 1
    assert memory.keys("bot:tracker:*") == [TRACKER_KEY + bot_session(one, 2)]


async def test_while_redis_is_away_nothing_counts_as_erased(
    core: ConversationCore, database: Database, write: Write, clock: Any, own_redis: Any
):
    received = await core.inbox.receive(write("tôi tên Mật"))
    link = RedisLink(own_redis.url)
    holder = BotMemoryHolder(database, link)
    whose = await person(database, clock, received.conversation_id)
    own_redis.stop()
    for _ in range(2):  # found out, then known
        with pytest.raises(BotMemoryAwayError) as raised:
            await holder.erase(whose, before=None, limit=200)
        assert isinstance(raised.value, STORAGE_DOWN)
    await link.close()


async def test_without_redis_there_is_no_memory_to_erase(
    core: ConversationCore, database: Database, write: Write, clock: Any
):
    received = await core.inbox.receive(write("tôi tên Mật"))
    holder = BotMemoryHolder(database, RedisLink(None))
    whose = await person(database, clock, received.conversation_id)
    assert await holder.erase(whose, before=None, limit=200) == 0
    assert (await holder.export(whose)).rows == []
