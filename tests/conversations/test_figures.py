"""The figures somebody watches, on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from conversations import repository
from conversations.core import ConversationCore
from conversations.figures import Figures, read_figures
from conversations.schemas import InboundMessage, SendResult
from database.engine import Database

Write = Callable[..., InboundMessage]


async def figures(database: Database, clock: Any) -> Figures:
    async with database.read() as session:
        return await read_figures(session, lately=clock.now() - timedelta(hours=24))


async def test_an_empty_instance(database: Database, clock: Any):
    assert await figures(database, clock) == Figures({}, {}, {"bot": 0}, None)


async def test_what_waits_and_since_when(
    core: ConversationCore, database: Database, clock: Any, write: Write
):
    first = clock.now()
    await core.inbox.receive(write("lệ phí khai sinh?", user="u1"))
    clock.forward(seconds=30)
    await core.inbox.receive(write("lệ phí khai tử?", user="u2"))
    found = await figures(database, clock)
    assert found.backlog == {"received": 2}
    assert found.oldest == {"received": first}
    assert found.sessions == {"bot": 2}


async def test_answers_that_are_not_sent(
    core: ConversationCore, database: Database, clock: Any, write: Write, provider: Any
):
    provider.next = [SendResult.transient("http_500")]
    await core.inbox.receive(write("lệ phí khai sinh?"))
    await core.worker.work_off()
    await core.outbox.settle()
    found = await figures(database, clock)
    assert found.backlog == {"pending": 1}
    assert found.oldest["pending"] == clock.now()


async def test_who_holds_the_conversations(
    core: ConversationCore, database: Database, clock: Any, write: Write
):
    for user in ("u1", "u2", "u3"):
        await core.inbox.receive(write("lệ phí khai sinh?", user=user))
    await core.worker.work_off()
    one = await core.inbox.conversation_of("webchat", "u1")
    assert one is not None
    async with database.write() as session:
        await repository.change_conversation(session, one.id, owner="queue", waiting_since=clock.now())
    clock.forward(hours=25)
    found = await figures(database, clock)
    assert found.sessions == {"queue": 1, "bot": 0}
    assert found.queue_since == clock.now() - timedelta(hours=25)
