"""The inbox: what is shown, in which order, page by page, with a constant number of queries."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from conversations.core import ConversationCore
from conversations.desk.errors import BadPlaceError
from conversations.schemas import Capabilities, ConversationFilter, InboundMessage, SendResult
from database.engine import Database

Write = Callable[..., InboundMessage]


@contextmanager
def statements(database: Database) -> Iterator[list[str]]:
    """Collect the statements that are run."""
    seen: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if statement.lstrip().upper().startswith(("SELECT", "WITH", "INSERT", "UPDATE", "DELETE")):
            seen.append(statement)

    engine = database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(engine, "before_cursor_execute", note)


async def fill(core: ConversationCore, fake_bot: Any, clock: Any, write: Write, count: int) -> list[str]:
    fake_bot.status = 500
    ids = []
    for number in range(count):
        ids.append((await core.inbox.receive(write("xin chào", user=f"u{number}"))).conversation_id)
        await core.worker.work_off()
        await core.outbox.settle()
        clock.forward(seconds=1)
    fake_bot.status = 200
    return ids


async def every_page(core: ConversationCore, wanted: ConversationFilter, limit: int) -> list[str]:
    found: list[str] = []
    after = None
    while True:
        page = await core.desk.inbox(wanted, after=after, limit=limit)
        found += [view.id for view in page.conversations]
        after = page.next
        if after is None:
            return found


async def test_pages_leave_nothing_out_and_show_nothing_twice(
    core: ConversationCore, fake_bot: Any, clock: Any, write: Write
):
    ids = await fill(core, fake_bot, clock, write, 11)
    await core.desk.mark_urgent(ids[7], "boss", urgent=True)
    await core.desk.mark_urgent(ids[9], "boss", urgent=True)
    queue = await every_page(core, ConversationFilter(owner="queue"), 3)
    assert queue[:2] == [ids[7], ids[9]]
    assert sorted(queue) == sorted(ids)
    everything = await every_page(core, ConversationFilter(), 4)
    assert sorted(everything) == sorted(ids)
    at_once = await core.desk.inbox(ConversationFilter(), limit=200)
    assert everything == [view.id for view in at_once.conversations]


async def test_filters(core: ConversationCore, fake_bot: Any, clock: Any, write: Write):
    ids = await fill(core, fake_bot, clock, write, 4)
    await core.desk.claim(ids[0], "op1")
    await core.desk.claim(ids[1], "op2")
    await core.desk.mark_urgent(ids[2], "boss", urgent=True)

    async def shown(**wanted: Any) -> set[int]:
        page = await core.desk.inbox(ConversationFilter(**wanted))
        return {ids.index(view.id) for view in page.conversations}

    assert await shown(owner="person", assigned_to="op1") == {0}
    assert await shown(owner="queue", urgent=True) == {2}
    assert await shown(unread=True) == {2, 3}
    assert await shown(channel="zalo") == set()
    assert await shown(channel="webchat") == {0, 1, 2, 3}


async def test_windows_that_close_soon_are_shown(
    core: ConversationCore, fake_bot: Any, clock: Any, provider: Any, write: Write
):
    provider.capabilities = Capabilities(max_text=2_000, buttons=True, window=timedelta(hours=24))
    ids = await fill(core, fake_bot, clock, write, 2)
    closing = ConversationFilter(window_closing=True)
    assert (await core.desk.inbox(closing)).conversations == []
    clock.forward(hours=23)
    assert {view.id for view in (await core.desk.inbox(closing)).conversations} == set(ids)
    await core.desk.claim(ids[0], "op1")
    await core.desk.reply(ids[0], "op1", "Chào anh/chị", key="k")
    assert [view.id for view in (await core.desk.inbox(closing)).conversations] == [ids[1]]
    clock.forward(hours=2)
    assert (await core.desk.inbox(closing)).conversations == []


async def test_counts(core: ConversationCore, fake_bot: Any, clock: Any, write: Write):
    ids = await fill(core, fake_bot, clock, write, 5)
    await core.desk.claim(ids[0], "op1")
    await core.desk.claim(ids[1], "op2")
    await core.desk.mark_urgent(ids[2], "boss", urgent=True)
    await core.inbox.receive(write("còn ai không", user="u0"))
    counts = await core.desk.counts("op1")
    assert (counts.queue, counts.urgent, counts.person) == (3, 1, 2)
    assert (counts.mine, counts.mine_unread, counts.failed) == (1, 1, 0)
    # What open pages are told of everybody's numbers is what each would be told who asks.
    told = (await core.desk.changed(ids[:1])).counts
    for operator in ("op1", "op2", "nobody"):
        asked = await core.desk.counts(operator)
        assert (told.queue, told.held.get(operator, (0, 0))) == (
            asked.queue,
            (asked.mine, asked.mine_unread),
        )


async def test_what_has_changed_comes_with_what_the_filters_ask(
    core: ConversationCore, fake_bot: Any, clock: Any, provider: Any, write: Write
):
    provider.capabilities = Capabilities(max_text=2_000, buttons=True, window=timedelta(hours=24))
    ids = await fill(core, fake_bot, clock, write, 3)
    await core.desk.claim(ids[0], "op1")
    provider.next = [SendResult.permanent("blocked")]
    await core.desk.reply(ids[0], "op1", "Chào anh/chị", key="k")
    await core.outbox.settle()
    closing = ConversationFilter(window_closing=True)
    for hours in (1, 22, 2):
        clock.forward(hours=hours)
        now = clock.now()
        change = await core.desk.changed([*ids, "gone"])
        assert {view.id for view in change.conversations} == set(ids)
        spans = change.closing.items()
        expected = {view.id for view in (await core.desk.inbox(closing)).conversations}
        assert {each for each, (begin, end) in spans if begin <= now < end} == expected
        failed = await core.desk.inbox(ConversationFilter(has_failed=True))
        assert change.failed == {view.id for view in failed.conversations}
    assert change.failed == {ids[0]}


async def test_the_number_of_queries_does_not_grow(
    core: ConversationCore, database: Database, fake_bot: Any, clock: Any, write: Write
):
    ids = await fill(core, fake_bot, clock, write, 2)
    await core.search.catch_up()

    async def counted() -> list[int]:
        pages: list[Callable[[], Awaitable[Any]]] = [
            lambda: core.desk.inbox(ConversationFilter(owner="queue")),
            lambda: core.desk.inbox(ConversationFilter(text="xin chao")),
            lambda: core.desk.counts("op1"),
            lambda: core.desk.open(ids[0]),
        ]
        numbers = []
        for page in pages:
            with statements(database) as seen:
                await page()
            numbers.append(len(seen))
        return numbers

    few = await counted()
    ids += await fill(core, fake_bot, clock, write, 25)
    for number in range(10):
        await core.notes.add(ids[0], "op1", f"ghi chú {number}", key=f"k{number}")
        await core.desk.mark_urgent(ids[0], "boss", urgent=number % 2 == 0)
    await core.search.catch_up()
    assert await counted() == few
    assert max(few) <= 5


@pytest.mark.parametrize("after", ["x", "W10=", "e30=", "WzEsICJ4IiwgImEiXQ==", "bnVsbA=="])
async def test_strange_places_are_refused(core: ConversationCore, after: str):
    with pytest.raises(BadPlaceError):
        await core.desk.inbox(after=after)


async def test_older_messages_come_with_what_happened_among_them(
    core: ConversationCore, fake_bot: Any, clock: Any, write: Write
):
    [conversation_id] = await fill(core, fake_bot, clock, write, 1)
    await core.desk.claim(conversation_id, "op1")
    for number in range(6):
        await core.desk.reply(conversation_id, "op1", f"tin {number}", key=f"k{number}")
    newest = await core.desk.open(conversation_id, limit=3)
    assert [message.text for message in newest.messages] == ["tin 3", "tin 4", "tin 5"]
    assert newest.events == []
    older = await core.desk.open(conversation_id, before=newest.messages[0].sequence, limit=50)
    assert [message.sequence for message in older.messages] == [1, 2, 3, 4, 5]
    assert [event.kind for event in older.events] == ["handed_over", "claimed"]
