"""What a page is told: in order, once, whatever is lost on the way; and one timer for all pages."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.webchat.connector import CHANNEL, WebChat, provider_id
from connectors.webchat.feed import Feed, Note, Pulse
from connectors.webchat.links import FileLinks
from conversations.bot_client import BotRequest
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import BotMessage, BotTurn, InboundMessage
from conversations.topics import conversation_topic
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from tests.databases import sqlite_with_tables


class Echo:
    """A bot that says what it hears."""

    async def ask(self, request: BotRequest) -> BotTurn:
        return BotTurn(message_id=request.message_id, messages=[BotMessage(text=request.text)])


@asynccontextmanager
async def process(folder: Path) -> AsyncIterator[ConversationCore]:
    file = folder / "1022.sqlite3"
    database = Database(sqlite_url(file) if file.exists() else sqlite_with_tables(file))
    made = ConversationCore(database, SystemClock(), RedisLink(None), Echo())
    made.add_channel(WebChat(made.events))
    await made.start()
    yield made
    await made.stop()
    await database.close()


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[ConversationCore]:
    async with process(tmp_path) as made:
        yield made


@pytest.fixture
async def other_process(tmp_path: Path) -> AsyncIterator[ConversationCore]:
    async with process(tmp_path) as made:
        yield made


def feed(core: ConversationCore, pulse: Pulse, after: int = 0) -> Feed:
    return Feed(core.inbox, core.events, pulse, FileLinks("secret", SystemClock()), "an", after=after)


async def say(core: ConversationCore, number: int) -> str:
    message = InboundMessage(
        channel=CHANNEL,
        external_user_id="an",
        provider_message_id=provider_id("an", number),
        text=f"câu hỏi số {number}?",
        provider_timestamp=datetime.now(UTC),
    )
    return (await core.inbox.receive(message)).conversation_id


async def take(notes: AsyncIterator[Note], kind: str, count: int) -> list[Note]:
    found: list[Note] = []
    async with asyncio.timeout(60):
        async for note in notes:
            if note.kind == kind:
                found.append(note)
            if len(found) == count:
                return found
    raise AssertionError("the feed ended")


async def test_from_before_the_first_message_everything_comes_in_order(core: ConversationCore):
    pulse = Pulse(60)
    async with aclosing(feed(core, pulse).notes()) as notes:
        [start] = await take(notes, "caught_up", 1)
        assert start.data == {"owner": "bot"}
        for number in range(1, 4):
            await say(core, number)
        told = await take(notes, "message", 6)
    assert [note.sequence for note in told] == list(range(1, 7))
    assert told[0].data["client_id"] == "1"


async def test_lost_and_doubled_events_change_nothing(core: ConversationCore):
    pulse = Pulse(60)
    conversation = await say(core, 1)
    async with aclosing(feed(core, pulse).notes()) as notes:
        await take(notes, "message", 2)
        await say(core, 2)
        events: list[dict[str, Any]] = [
            {"type": "message", "sequence": 1},
            {"type": "message", "sequence": 2, "message": {"text": "an old one"}},
            {"type": "message", "sequence": 9, "message": {"text": "too early"}},
            {"type": "message", "sequence": 3},
        ]
        for event in events:
            await core.events.publish(conversation_topic(conversation), **event)
        told = await take(notes, "message", 2)
    assert [note.sequence for note in told] == [3, 4]
    assert [note.data["text"] for note in told] == ["câu hỏi số 2?", "câu hỏi số 2?"]


async def test_what_was_said_unheard_is_found_by_looking(
    core: ConversationCore, other_process: ConversationCore
):
    pulse = Pulse(0.02)
    await say(core, 1)
    async with aclosing(feed(core, pulse).notes()) as notes:
        await take(notes, "message", 2)
        # Another process hears it and answers, and there is no Redis to tell this one.
        await say(other_process, 2)
        assert [note.sequence for note in await take(notes, "message", 2)] == [3, 4]


async def test_a_long_history_comes_whole(core: ConversationCore):
    pulse = Pulse(60)
    for number in range(1, 121):
        await say(core, number)
    async with aclosing(feed(core, pulse).notes()) as notes:
        told = await take(notes, "message", 240)
    assert [note.sequence for note in told] == list(range(1, 241))
    async with aclosing(feed(core, pulse, after=200).notes()) as notes:
        assert [note.sequence for note in await take(notes, "message", 40)] == list(range(201, 241))


async def test_hundreds_of_quiet_pages_are_one_timer(core: ConversationCore):
    pulse = Pulse(0.2)
    await say(core, 1)
    # Others have tasks too, which come and go: what counts is that there is none for each page.
    before = len(asyncio.all_tasks())
    async with AsyncExitStack() as pages:
        opened = [
            await pages.enter_async_context(aclosing(feed(core, pulse, after=2).notes())) for _ in range(300)
        ]
        for notes in opened:
            assert (await anext(notes)).kind == "caught_up"
        assert len(asyncio.all_tasks()) < before + 150
        for notes in opened:
            assert (await anext(notes)).kind == "beat"
    await asyncio.sleep(0)
    assert len(asyncio.all_tasks()) < before + 150
