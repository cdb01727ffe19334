"""A delivery from the bytes to the inbox: verified, whole, once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

import conversations.models  # noqa: F401 - defines the tables
from connectors.messenger.connector import Messenger
from connectors.messenger.events import Account
from connectors.messenger.signature import sign
from connectors.messenger.webhook import BadSignatureError, Keys, MessengerWebhook
from conversations.bot_client import BotClient
from conversations.core import ConversationCore
from conversations.errors import StorageUnavailableError
from conversations.redis_link import RedisLink
from conversations.schemas import OutboundMessage
from database.clock import SystemClock
from database.engine import Database
from tests.providers.messenger.server import PlayedMessenger

Read = Callable[[str], bytes]


@pytest.fixture
def webhook(played: PlayedMessenger, messenger: Messenger) -> MessengerWebhook:
    options = played.options
    keys = Keys(app_secret=options.app_secret, verify_token=options.verify_token)
    return MessengerWebhook(Account(options.page_id, options.app_id), keys, messenger, SystemClock())


@pytest.fixture
def deliver(played: PlayedMessenger, webhook: MessengerWebhook, recorder: Any) -> Callable[..., Any]:
    async def make(body: bytes, **more: Any) -> None:
        headers = {"sha256": sign(body, played.options.app_secret), "sha1": None, **more}
        await webhook.deliver(body, intake=recorder, **headers)

    return make


def test_the_handshake(webhook: MessengerWebhook) -> None:
    assert webhook.challenge("subscribe", "played-verify-token", "12345") == "12345"
    assert webhook.challenge("subscribe", "wrong", "12345") is None
    assert webhook.challenge("unsubscribe", "played-verify-token", "12345") is None


def test_without_a_verify_token_nobody_is_believed(messenger: Messenger) -> None:
    webhook = MessengerWebhook(Account("1", "2"), Keys("s", ""), messenger, SystemClock())
    assert webhook.challenge("subscribe", "", "12345") is None


async def test_everything_of_a_batch_is_handed_on(deliver: Any, recorder: Any, payload: Read) -> None:
    await deliver(payload("batch"))
    assert [message.text for message in recorder.messages] == ["một", "hai", "ba"]
    assert [event.kind for event in recorder.events] == ["read"]


async def test_a_wrong_signature_is_not_even_read(deliver: Any, recorder: Any, payload: Read) -> None:
    for sha256 in (
        None,
        sign(payload("text"), "another secret"),
        sign(payload("image"), "played-app-secret"),
    ):
        with pytest.raises(BadSignatureError):
            await deliver(payload("text"), sha256=sha256)
    assert recorder.messages == []


async def test_signed_nonsense_is_taken_and_left(deliver: Any, recorder: Any) -> None:
    await deliver(b"nonsense")
    assert (recorder.messages, recorder.events) == ([], [])


async def test_storage_away(deliver: Any, recorder: Any, payload: Read) -> None:
    recorder.fails_with = StorageUnavailableError()
    with pytest.raises(StorageUnavailableError):
        await deliver(payload("batch"))


@pytest.fixture
async def echoes(
    played: PlayedMessenger, webhook: MessengerWebhook, recorder: Any
) -> AsyncIterator[asyncio.Queue[bytes]]:
    """Let the played Messenger deliver its echoes to the webhook; each body that was taken comes here."""
    taken: asyncio.Queue[bytes] = asyncio.Queue()

    async def take(request: web.Request) -> web.Response:
        body = await request.read()
        await webhook.deliver(body, sha256=request.headers["X-Hub-Signature-256"], sha1=None, intake=recorder)
        await taken.put(body)
        return web.Response()

    app = web.Application()
    app.router.add_post("/", take)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    played.options.webhook = f"http://127.0.0.1:{runner.addresses[0][1]}/"
    played.state.subscribed = {"message_echoes"}
    yield taken
    await runner.cleanup()


async def test_an_echo_saves_a_second_send(
    echoes: asyncio.Queue[bytes],
    recorder: Any,
    messenger: Messenger,
    played: PlayedMessenger,
    outbound: Callable[..., OutboundMessage],
) -> None:
    """Meta takes the message, the connection breaks, the echo comes: the second try calls nobody."""
    message = outbound("Dạ, em đã ghi nhận.")
    played.state.faults.drop_connection = "after"
    first = await messenger.send(message)
    await echoes.get()
    played.state.faults.drop_connection = False
    second = await messenger.send(message)
    # Where the echo was quicker than the break was noticed, the first try says so already.
    assert first.status in ("transient", "accepted")
    assert second.status == "accepted"
    (shown,) = played.state.person("lan").screen
    assert second.provider_id == shown["mid"]
    (echo,) = recorder.events
    assert (echo.our_id, echo.from_elsewhere) == (message.id, False)


async def test_an_echo_before_the_call_returns_is_no_second_message(
    echoes: asyncio.Queue[bytes],
    recorder: Any,
    messenger: Messenger,
    played: PlayedMessenger,
    outbound: Callable[..., OutboundMessage],
) -> None:
    played.state.faults.echo_first_share = 1.0
    message = outbound("Dạ, em đã ghi nhận.")
    result = await messenger.send(message)
    assert echoes.qsize() == 1
    (echo,) = recorder.events
    assert (echo.our_id, echo.provider_message_id) == (message.id, result.provider_id)
    assert echo.from_elsewhere is False


@pytest.fixture
async def core(tmp_path: Path, database: Database) -> AsyncIterator[ConversationCore]:
    bot = BotClient("http://127.0.0.1:9", "token", timeout=0.1)
    made = ConversationCore(database, SystemClock(), RedisLink(None), bot)
    yield made
    await made.stop()
    await bot.close()


async def test_the_real_inbox_takes_each_message_once(
    webhook: MessengerWebhook, played: PlayedMessenger, core: ConversationCore, recorder: Any, payload: Read
) -> None:
    class Both:
        receive = core.inbox.receive
        note = recorder.note

    body = payload("batch")
    for _repeat in range(3):
        await webhook.deliver(body, sha256=sign(body, played.options.app_secret), sha1=None, intake=Both())
    conversation = await core.inbox.conversation_of("messenger", "7311846298873120")
    assert conversation is not None
    said = await core.inbox.history(conversation.id)
    assert [message.text for message in said if message.direction == "in"] == ["một", "hai"]
