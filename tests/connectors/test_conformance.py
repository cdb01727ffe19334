"""What every channel has to do, tried on each of them; a new one is added to `channels_under_test`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog

import connectors.credentials_store
import connectors.uploads  # noqa: F401 - defines a table
import conversations.intake_models
import conversations.media.fetch_models
import conversations.media.models  # noqa: F401 - defines tables
from connectors.base import Connector, OutboundMessage, SendResult
from conversations.bot_client import BotRequest
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import BotIntent, BotMessage, BotTurn, Button, MessageView
from database.base import new_id
from database.clock import SystemClock
from database.engine import Database
from tests.connectors.channels_under_test import ALL, PLAYED, WITH_PROVIDER
from tests.databases import sqlite_with_tables

SECRET = "Nguyễn Thị Bí Mật 0905123456"


class Echoing:
    """A bot that says what it was told."""

    async def ask(self, request: BotRequest) -> BotTurn:
        message = BotMessage(text=f"trả lời {request.text}", turn={"route": "answer"})
        return BotTurn(message_id=request.message_id, intent=BotIntent(), messages=[message])


@pytest.fixture
async def open_channel(tmp_path: Path) -> AsyncIterator[Callable[..., Any]]:
    database = Database(sqlite_with_tables(tmp_path / "1022.sqlite3"))

    @asynccontextmanager
    async def opened(name: str) -> AsyncIterator[tuple[Any, ConversationCore]]:
        core = ConversationCore(
            database, SystemClock(), RedisLink(None), Echoing(), settle=timedelta(milliseconds=50)
        )
        async with ALL[name](core, database) as channel:
            core.add_channel(channel.connector)
            yield channel, core
            await core.stop()

    yield opened
    await database.close()


def outbound(
    channel: Any, user: str = "lan", text: str = "Dạ, em chào anh/chị.", **more: Any
) -> OutboundMessage:
    now = SystemClock().now()
    values: dict[str, Any] = {
        "id": new_id(),
        "conversation_id": new_id(),
        "channel": channel.connector.name,
        "external_user_id": channel.address(user),
        "sequence": 2,
        "text": text,
        "buttons": (),
        "author": "bot",
        "attempt": 1,
        "created_at": now,
        "last_heard_at": now,
    }
    return OutboundMessage(**{**values, **more})


async def talk(channel: Any, core: ConversationCore) -> list[MessageView]:
    """Let everything be worked on and sent; return what is stored."""
    while await core.inbox.backlog():
        await core.worker.work_off()
        await core.outbox.sweep()
        await core.outbox.settle()
        await asyncio.sleep(0.01)
    found = await core.inbox.state(channel.connector.name, channel.address("lan"))
    return found.messages if found is not None else []


@pytest.mark.parametrize("name", ALL)
async def test_it_is_a_connector_and_says_what_it_can(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        assert isinstance(channel.connector, Connector)
        assert channel.connector.name == name
        able = channel.connector.capabilities
        assert able.max_text >= 100
        assert able.most_buttons > 0
        assert able.person_window is None or (able.window is not None and able.person_window >= able.window)
        assert hasattr(channel.connector, "typing") is able.typing


@pytest.mark.parametrize("name", ALL)
async def test_what_is_said_comes_once_however_often_it_is_delivered(open_channel: Any, name: str):
    async with open_channel(name) as (channel, core):
        await channel.say_twice("lan", "lệ phí khai sinh?")
        stored = await talk(channel, core)
        assert [one.text for one in stored] == ["lệ phí khai sinh?", "trả lời lệ phí khai sinh?"]
        assert await channel.shown("lan") == ["trả lời lệ phí khai sinh?"]


@pytest.mark.parametrize("name", ALL)
async def test_answers_stand_in_the_order_of_the_questions(open_channel: Any, name: str):
    async with open_channel(name) as (channel, core):
        questions = [f"câu hỏi số {number}?" for number in range(5)]
        for question in questions:
            await channel.say("lan", question)
        await talk(channel, core)
        assert await channel.shown("lan") == [f"trả lời {question}" for question in questions]


@pytest.mark.parametrize("name", ALL)
async def test_nobody_else_can_deliver(open_channel: Any, name: str):
    async with open_channel(name) as (channel, core):
        assert await channel.forge("lan", "lệ phí?") in (401, 403)
        assert await talk(channel, core) == []


@pytest.mark.parametrize("name", ALL)
async def test_a_message_is_accepted_and_shown_as_it_was_written(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        if name != "webchat":
            await channel.say("lan", "alo")
            text = "Dạ, “phí” là 8.000 đồng.\nMời anh/chị đến UBND phường. 👍"
            result = await channel.connector.send(outbound(channel, text=text))
            assert result.status == "accepted"
            assert result.provider_id
            assert await channel.shown("lan") == [text]
        else:
            assert await channel.connector.send(outbound(channel)) == SendResult.accepted()


@pytest.mark.parametrize("name", WITH_PROVIDER)
async def test_the_longest_text_is_taken_whole(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        await channel.say("lan", "alo")
        text = ("Điều kiện là thế này. " * 500)[: channel.connector.capabilities.max_text].strip()
        assert (await channel.connector.send(outbound(channel, text=text))).status == "accepted"
        assert await channel.shown("lan") == [text]


@pytest.mark.parametrize("name", WITH_PROVIDER)
async def test_as_many_buttons_as_it_says_are_taken(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        await channel.say("lan", "alo")
        able = channel.connector.capabilities
        title = "Tên thủ tục rất dài, dài hơn nữa và nữa"[: able.longest_title].strip()
        buttons = tuple(Button(title=title, payload=f"/choose{n}") for n in range(able.most_buttons))
        message = outbound(channel, text="Chọn giúp em ạ.", buttons=buttons if able.buttons else ())
        assert (await channel.connector.send(message)).status == "accepted"


@pytest.mark.parametrize("name", WITH_PROVIDER)
@pytest.mark.parametrize(
    ("how", "status"),
    [
        ("down", "transient"),
        ("drop", "transient"),
        ("limit", "transient"),
        ("auth", "auth"),
        ("refuse", "permanent"),
    ],
)
async def test_what_the_provider_says_is_told_apart(open_channel: Any, name: str, how: str, status: str):
    async with open_channel(name) as (channel, _core):
        await channel.say("lan", "alo")
        await channel.fail(how)
        result = await channel.connector.send(outbound(channel))
        assert result.status == status
        assert result.error
        assert len(result.error) <= 60
        assert (result.retry_after is not None) == (how == "limit")
        assert await channel.shown("lan") == []


@pytest.mark.parametrize("name", WITH_PROVIDER)
async def test_an_outage_loses_and_doubles_nothing(open_channel: Any, name: str):
    async with open_channel(name) as (channel, core):
        await channel.fail("down")
        for number in range(3):
            await channel.say("lan", f"câu {number}?")
        await asyncio.sleep(0.1)
        await core.worker.work_off()
        await core.outbox.settle()
        assert await channel.shown("lan") == []
        await channel.fail("well")
        await talk(channel, core)
        assert await channel.shown("lan") == [f"trả lời câu {number}?" for number in range(3)]


@pytest.mark.parametrize("name", PLAYED)
async def test_a_slow_provider_holds_nobody_else_up(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        await channel.say("lan", "alo")
        await channel.fail("slow")

        async def seconds(count: int) -> float:
            messages = [outbound(channel, text=f"tin {number}") for number in range(count)]
            started = time.monotonic()
            results = await asyncio.gather(*(channel.connector.send(message) for message in messages))
            assert {result.status for result in results} == {"accepted"}
            return time.monotonic() - started

        # Side by side: one after the other eight would take eight times as long.
        assert await seconds(8) < 5 * await seconds(1)


@pytest.mark.parametrize("name", PLAYED)
@pytest.mark.parametrize(
    ("kind", "attachment"),
    [
        ("image", {"type": "image"}),
        ("file", {"type": "file"}),
        ("voice", {"type": "voice"}),
        ("video", {"type": "video"}),
        ("sticker", {"type": "sticker"}),
        ("location", {"type": "location", "latitude": 13.98, "longitude": 108.0}),
    ],
)
async def test_every_kind_of_message_is_understood(
    open_channel: Any, name: str, kind: str, attachment: dict[str, Any]
):
    async with open_channel(name) as (channel, core):
        await channel.do("lan", attachments=[attachment])
        (message,) = [one for one in await talk(channel, core) if one.direction == "in"]
        assert message.kind == kind
        if kind == "location":
            assert message.payload["location"] == {"latitude": 13.98, "longitude": 108.0}
        else:
            assert [file["kind"] for file in message.payload["attachments"]] == [kind]


@pytest.mark.parametrize("name", WITH_PROVIDER)
async def test_a_send_that_is_broken_off_leaves_the_connector_usable(open_channel: Any, name: str):
    async with open_channel(name) as (channel, _core):
        await channel.say("lan", "alo")
        sending = asyncio.create_task(channel.connector.send(outbound(channel)))
        await asyncio.sleep(0)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        result = await channel.connector.send(outbound(channel, text="còn đây ạ"))
        assert result.status == "accepted"
        assert (await channel.shown("lan"))[-1] == "còn đây ạ"


@pytest.mark.parametrize("name", ALL)
async def test_nothing_personal_is_logged(open_channel: Any, name: str):
    async with open_channel(name) as (channel, core):
        with structlog.testing.capture_logs() as lines:
            await channel.say("lan", f"tên tôi là {SECRET}?")
            await talk(channel, core)
            await channel.connector.send(outbound(channel, text=SECRET))
            if name in WITH_PROVIDER:
                await channel.fail("refuse")
                await channel.connector.send(outbound(channel, text=SECRET))
        assert lines
        told = str(lines)
        assert SECRET not in told
        assert "0905123456" not in told
        if channel.address("lan") != "lan":
            assert channel.address("lan") not in told
