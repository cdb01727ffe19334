"""Live events inside one process and between processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from conversations.events import LiveEvents
from conversations.redis_link import RedisLink
from database.base import new_id

_PATIENCE = 10.0


@pytest.fixture
async def processes(redis_server: Any) -> AsyncIterator[list[tuple[RedisLink, LiveEvents]]]:
    instance = new_id()
    links = [RedisLink(redis_server.url, instance) for _ in range(2)]
    both = [(link, LiveEvents(link)) for link in links]
    yield both
    for link, events in both:
        await events.stop()
        await link.close()


async def listeners(link: RedisLink) -> int:
    assert link.client is not None
    ((_channel, count),) = await link.client.pubsub_numsub(link.key("live"))
    return int(count)


async def notes_sent(link: RedisLink) -> int:
    assert link.client is not None
    return int((await link.client.info("commandstats"))["cmdstat_publish"]["calls"])


async def until_listening(link: RedisLink, count: int) -> None:
    async with asyncio.timeout(_PATIENCE):
        while await listeners(link) < count:  # noqa: ASYNC110 - Redis knows, nobody tells
            await asyncio.sleep(0.01)


async def until_told(events: LiveEvents, queue: asyncio.Queue[Any], number: int) -> None:
    """Tell until the queue has it: a process that has just come is told within moments."""
    async with asyncio.timeout(_PATIENCE):
        while True:
            await events.publish("room", number=number)
            try:
                assert await asyncio.wait_for(queue.get(), 0.1) == {"number": number}
            except TimeoutError:
                continue
            return


async def test_inside_one_process_without_redis():
    events = LiveEvents(RedisLink(None))
    async with events.subscribe("room") as queue:
        await events.publish("room", "other", text="one")
        await events.publish("elsewhere", text="two")
        assert queue.get_nowait() == {"text": "one"}
        assert queue.empty()


async def test_another_process_is_told(processes: list[tuple[RedisLink, LiveEvents]]):
    (link, one), (_link, other) = processes
    one.start()
    await until_listening(link, 1)
    # Alone for a while, so that it stops to tell.
    await one.publish("room", number=0)
    other.start()
    await until_listening(link, 2)
    async with AsyncExitStack() as opened:
        here = await opened.enter_async_context(one.subscribe("room"))
        there = await opened.enter_async_context(other.subscribe("room"))
        await until_told(one, there, 1)
        await until_told(other, here, 1)


async def test_nobody_is_told_when_nobody_listens(processes: list[tuple[RedisLink, LiveEvents]]):
    (link, one), _other = processes
    one.start()
    await until_listening(link, 1)
    async with one.subscribe("room") as queue:
        await one.publish("room", number=-1)
        before = await notes_sent(link)
        for number in range(20):
            await one.publish("room", number=number)
            await asyncio.sleep(0.02)
        # Once in a while it looks whether somebody came; twenty notes are not sent for that.
        assert await notes_sent(link) - before < 10
        assert [queue.get_nowait()["number"] for _ in range(21)] == list(range(-1, 20))
