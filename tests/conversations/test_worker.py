"""The worker with its loops, over a real Redis: shared work, Redis away, dead workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from redis.asyncio import Redis

from conversations import repository
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import InboundMessage, SendResult
from database.clock import SystemClock
from database.engine import Database

Write = Callable[..., InboundMessage]
MakeCore = Callable[..., Awaitable[ConversationCore]]


async def eventually(true: Callable[[], Any], seconds: float = 15.0) -> None:
    async with asyncio.timeout(seconds):
        while True:
            result = true()
            if isinstance(result, Awaitable):
                result = await result
            if result:
                return
            await asyncio.sleep(0.01)


@pytest.fixture
async def make_core(database: Database, bot_client: Any, provider: Any) -> AsyncIterator[MakeCore]:
    made: list[tuple[ConversationCore, RedisLink]] = []

    async def make(url: str | None, *, worker: bool = True, **more: Any) -> ConversationCore:
        link = RedisLink(url)
        core = ConversationCore(database, SystemClock(), link, bot_client, channels=[provider], **more)
        await core.start(worker=worker)
        made.append((core, link))
        return core

    yield make
    for core, link in made:
        await core.stop()
        await link.close()


async def test_answers_through_the_stream_and_leaves_it_empty(
    make_core: MakeCore, redis_server: Any, provider: Any, write: Write
):
    core = await make_core(redis_server.url)
    for number in range(20):
        await core.inbox.receive(write(f"câu {number}?", user=f"u{number % 5}"))
    await eventually(lambda: len(provider.taken) == 20)
    for user in range(5):
        own = [m.text for m in provider.taken if m.external_user_id == f"u{user}"]
        assert own == [f"bot: câu {number}?" for number in range(20) if number % 5 == user]
    async with Redis.from_url(redis_server.url) as client:
        await eventually(lambda: _is_empty(client))


async def _is_empty(client: Any) -> bool:
    return bool(await client.xlen("1022:inbox") == 0)


async def test_two_workers_answer_each_message_once(
    make_core: MakeCore, redis_server: Any, provider: Any, fake_bot: Any, write: Write
):
    first = await make_core(redis_server.url)
    await make_core(redis_server.url)
    for number in range(30):
        await first.inbox.receive(write(f"câu {number}?", user=f"u{number % 3}"))
    await eventually(lambda: len(provider.taken) == 30)
    assert len(fake_bot.asked) == 30
    for user in range(3):
        own = [m.text for m in provider.taken if m.external_user_id == f"u{user}"]
        assert own == [f"bot: câu {number}?" for number in range(30) if number % 3 == user]


async def test_without_redis_everything_still_works(make_core: MakeCore, provider: Any, write: Write):
    core = await make_core("redis://127.0.0.1:1/0")
    await core.inbox.receive(write("lệ phí?"))
    await eventually(lambda: provider.texts == ["bot: lệ phí?"])


async def test_redis_goes_and_comes_back(make_core: MakeCore, own_redis: Any, provider: Any, write: Write):
    core = await make_core(own_redis.url)
    await core.inbox.receive(write("một?"))
    await eventually(lambda: len(provider.taken) == 1)
    own_redis.stop()
    await core.inbox.receive(write("hai?"))
    await eventually(lambda: len(provider.taken) == 2)
    own_redis.start()
    for number in range(3, 6):
        await core.inbox.receive(write(f"câu {number}?"))
    await eventually(lambda: len(provider.taken) == 5)


async def test_what_was_stored_but_never_announced_is_found(
    make_core: MakeCore, redis_server: Any, provider: Any, write: Write
):
    receiving = await make_core("redis://127.0.0.1:1/0", worker=False)
    await receiving.inbox.receive(write("lệ phí?"))
    await make_core(redis_server.url)
    await eventually(lambda: provider.texts == ["bot: lệ phí?"])


async def test_what_a_dead_worker_had_read_is_taken_over(
    make_core: MakeCore, redis_server: Any, provider: Any, write: Write
):
    async with Redis.from_url(redis_server.url) as client:
        await client.xgroup_create("1022:inbox", "workers", id="0", mkstream=True)
        receiving = await make_core(redis_server.url, worker=False)
        await receiving.inbox.receive(write("lệ phí?"))
        await client.xreadgroup("workers", "dead", {"1022:inbox": ">"}, count=1)
        await make_core(redis_server.url)
        await eventually(lambda: provider.texts == ["bot: lệ phí?"])


async def test_claims_of_a_dead_process_on_this_host_are_freed(
    make_core: MakeCore, database: Database, provider: Any, write: Write
):
    import socket
    import sys

    ended = await asyncio.create_subprocess_exec(sys.executable, "-c", "")
    await ended.wait()
    receiving = await make_core(None, worker=False)
    received = await receiving.inbox.receive(write("lệ phí?"))
    host = socket.gethostname().replace(":", "_")[:60]
    now = SystemClock().now()
    async with database.write() as session:
        await repository.claim_work(
            session, received.conversation_id, f"{host}:{ended.pid}:abc:1", now, now + timedelta(hours=1)
        )
    await make_core(None)
    await eventually(lambda: provider.texts == ["bot: lệ phí?"])


async def test_pieces_are_read_as_one_and_whole_messages_do_not_wait(
    make_core: MakeCore, redis_server: Any, provider: Any, fake_bot: Any, write: Write
):
    core = await make_core(redis_server.url)
    await core.inbox.receive(write("cho em hỏi"))
    await core.inbox.receive(write("làm khai sinh cho con ở đâu"))
    await eventually(lambda: len(provider.taken) == 1)
    assert provider.texts == ["bot: cho em hỏi làm khai sinh cho con ở đâu"]
    received = await core.inbox.receive(write("lệ phí khai sinh bao nhiêu"))
    await eventually(lambda: len(provider.taken) == 2)
    question = (await core.inbox.history(received.conversation_id, after=received.sequence - 1))[0]
    assert question.turn is not None
    assert question.turn["latency_ms"] < 1_500


async def test_a_piece_that_stays_alone_is_answered_after_the_wait(
    make_core: MakeCore, redis_server: Any, provider: Any, write: Write
):
    core = await make_core(redis_server.url)
    await core.inbox.receive(write("cho em hỏi"))
    await eventually(lambda: provider.texts == ["bot: cho em hỏi"])


async def test_waiting_for_pieces_can_be_switched_off(
    make_core: MakeCore, redis_server: Any, provider: Any, write: Write
):
    core = await make_core(redis_server.url, join_pieces=False)
    received = await core.inbox.receive(write("cho em hỏi"))
    await eventually(lambda: len(provider.taken) == 1)
    question = (await core.inbox.history(received.conversation_id))[0]
    assert question.turn is not None
    assert question.turn["latency_ms"] < 1_500


# --- sending ------------------------------------------------------------------------------------------------


async def test_transient_failures_delay_and_keep_the_order(
    core: ConversationCore, provider: Any, clock: Any, write: Write
):
    provider.next = [SendResult.transient("busy"), SendResult.transient("busy")]
    for text in ("một?", "hai?"):
        await core.inbox.receive(write(text))
    await core.worker.work_off()
    await core.outbox.settle()
    assert provider.taken == []
    for _ in range(4):
        clock.forward(minutes=20)
        await core.outbox.sweep()
        await core.outbox.settle()
    assert provider.texts == ["bot: một?", "bot: hai?"]


async def test_permanent_failure_is_shown_and_the_next_goes_on(
    core: ConversationCore, provider: Any, write: Write
):
    provider.next = [SendResult.permanent("blocked")]
    received = await core.inbox.receive(write("một?"))
    await core.worker.work_off()
    await core.outbox.settle()
    await core.inbox.receive(write("hai?"))
    await core.worker.work_off()
    await core.outbox.settle()
    assert provider.texts == ["bot: hai?"]
    failed = (await core.inbox.history(received.conversation_id))[1]
    assert (failed.state, failed.error) == ("failed", "blocked")
    from conversations.schemas import ConversationFilter

    [shown] = (await core.desk.inbox(ConversationFilter(has_failed=True))).conversations
    assert shown.id == received.conversation_id


async def test_connector_that_raises_loses_nothing(
    core: ConversationCore, provider: Any, clock: Any, write: Write
):
    works, broken = provider.send, True

    async def send(message: Any) -> SendResult:
        if broken:
            raise RuntimeError("a bug in the connector")
        return await works(message)  # type: ignore[no-any-return]

    provider.send = send
    await core.inbox.receive(write("một?"))
    await core.worker.work_off()
    await core.outbox.settle()
    broken = False
    clock.forward(minutes=20)
    await core.outbox.sweep()
    await core.outbox.settle()
    assert provider.texts == ["bot: một?"]


async def test_live_events_cross_processes(make_core: MakeCore, redis_server: Any, write: Write):
    listening = await make_core(redis_server.url, worker=False)
    speaking = await make_core(redis_server.url, worker=False)
    received = await speaking.inbox.receive(write("xin chào?"))
    topic = f"conversation:{received.conversation_id}"
    async with listening.events.subscribe(topic) as queue:

        async def heard() -> bool:
            await speaking.events.publish(topic, type="typing")
            return not queue.empty() and queue.get_nowait() == {"type": "typing"}

        await eventually(heard)


async def test_stopping_finishes_what_was_taken_and_leaves_the_rest_to_others(
    make_core: MakeCore, redis_server: Any, provider: Any, fake_bot: Any, write: Write
):
    first = await make_core(redis_server.url, concurrency=3)
    fake_bot.gate.clear()
    for number in range(8):
        await first.inbox.receive(write(f"câu {number}?", user=f"u{number}"))
    stopping = asyncio.create_task(first.stop())
    await eventually(lambda: len(fake_bot.asked) >= 3)
    fake_bot.gate.set()
    await stopping
    done = len(provider.taken)
    assert done >= 3
    await make_core(redis_server.url)
    await eventually(lambda: len(provider.taken) == 8)
    assert sorted(provider.texts) == [f"bot: câu {number}?" for number in range(8)]
    assert len(fake_bot.run) == 8
