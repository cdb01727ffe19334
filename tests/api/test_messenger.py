"""Messenger's entrance and the page that connects it, with the app and a played Messenger."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.messenger import missing_settings
from api.messenger_profile import run
from api.routers.webhooks.messenger import get_intake
from api.settings import Settings
from connectors.messenger.signature import sign
from conversations.channel_events import ChannelEvent
from conversations.schemas import InboundMessage, Received
from database.clock import SystemClock
from tests.api.conftest import make_app
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options

PAGE = "/console/channels/connect/messenger"
HTML = {"Accept": "text/html"}


class Recorded:
    """The real inbox, with what else is noted written down."""

    def __init__(self, app: FastAPI) -> None:
        self._inbox = app.state.services.inbox
        self.events: list[ChannelEvent] = []

    async def receive(self, message: InboundMessage) -> Received:
        return await self._inbox.receive(message)  # type: ignore[no-any-return]

    async def note(self, event: ChannelEvent) -> None:
        self.events.append(event)


@pytest.fixture
async def meta() -> AsyncIterator[PlayedMessenger]:
    played = PlayedMessenger(Options(seed=3))
    await played.start()
    yield played
    await played.stop()


@pytest.fixture
def messenger_settings(
    make_settings: Callable[..., Settings], meta: PlayedMessenger
) -> Callable[..., Settings]:
    def make(**more: Any) -> Settings:
        values = {name.lower(): value for name, value in meta.settings().items()}
        return make_settings(**{**values, **more})

    return make


@pytest.fixture
async def connected(messenger_settings: Callable[..., Settings]) -> AsyncIterator[FastAPI]:
    made = make_app(messenger_settings(messenger_page_token=""))
    async with made.router.lifespan_context(made):
        made.dependency_overrides[get_intake] = lambda: Recorded(made)
        yield made


@pytest.fixture
async def http(connected: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(connected, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
        yield opened


async def as_role(app: FastAPI, client: httpx.AsyncClient, role: str) -> str:
    """Log somebody in; return the session's own mark."""
    accounts = app.state.services.accounts
    _user, link = await accounts.users.invite(login=role, name=role, roles=(role,), actor="test")
    await accounts.set_password(link, "mat khau rat dai")
    opened = await client.post("/console/login", data={"login": role, "password": "mat khau rat dai"})
    assert opened.status_code == 303
    page = await client.get("/console", headers=HTML)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def body_of(words: str, mid: str = "m_1", page: str = "108800000001022") -> bytes:
    now = int(SystemClock().now().timestamp() * 1000)
    item = {"sender": {"id": "55"}, "timestamp": now, "message": {"mid": mid, "text": words}}
    entry = {"id": page, "time": now, "messaging": [item]}
    return json.dumps({"object": "page", "entry": [entry]}).encode()


async def post(http: httpx.AsyncClient, meta: PlayedMessenger, body: bytes, **headers: str) -> httpx.Response:
    signed = {"X-Hub-Signature-256": sign(body, meta.options.app_secret), **headers}
    return await http.post("/webhooks/messenger", content=body, headers=signed)


async def test_the_handshake(http: httpx.AsyncClient) -> None:
    asked = {"hub.mode": "subscribe", "hub.verify_token": "played-verify-token", "hub.challenge": "98765"}
    answer = await http.get("/webhooks/messenger", params=asked)
    assert (answer.status_code, answer.text) == (200, "98765")
    wrong = await http.get("/webhooks/messenger", params={**asked, "hub.verify_token": "guess"})
    assert wrong.status_code == 403
    assert "98765" not in wrong.text


async def test_a_delivery_is_stored_before_it_is_acknowledged(
    connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger
) -> None:
    for _repeat in range(2):
        answer = await post(http, meta, body_of("Thủ tục khai sinh"))
        assert (answer.status_code, answer.text) == (200, "EVENT_RECEIVED")
    inbox = connected.state.services.inbox
    conversation = await inbox.conversation_of("messenger", "55")
    said = [m for m in await inbox.history(conversation.id) if m.direction == "in"]
    assert [(m.text, m.provider_message_id) for m in said] == [("Thủ tục khai sinh", "m_1")]


async def test_a_forgery_is_refused_and_counted(
    connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger
) -> None:
    def refused(metrics: str) -> float:
        line = re.search(
            r'hotline_deliveries_total{channel="messenger",result="bad_signature"} (\S+)', metrics
        )
        return float(line[1]) if line else 0.0

    async def counted() -> float:
        return refused((await http.get("/metrics")).text)

    before = await counted()
    body = body_of("giả mạo")
    for headers in (
        {},
        {"X-Hub-Signature-256": sign(body, "guess")},
        {"X-Hub-Signature": sign(body, "x", "sha1")},
    ):
        answer = await http.post("/webhooks/messenger", content=body, headers=headers)
        assert answer.status_code == 403
    assert await counted() == before + 3
    assert await connected.state.services.inbox.conversation_of("messenger", "55") is None


async def test_the_older_signature_only_where_it_is_allowed(
    messenger_settings: Callable[..., Settings], meta: PlayedMessenger, http: httpx.AsyncClient
) -> None:
    body = body_of("chữ ký cũ")
    old = {"X-Hub-Signature": sign(body, meta.options.app_secret, "sha1")}
    assert (await http.post("/webhooks/messenger", content=body, headers=old)).status_code == 403
    lenient = make_app(messenger_settings(messenger_allow_sha1=True))
    async with lenient.router.lifespan_context(lenient):
        lenient.dependency_overrides[get_intake] = lambda: Recorded(lenient)
        transport = httpx.ASGITransport(lenient)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            answer = await client.post("/webhooks/messenger", content=body, headers=old)
    assert answer.status_code == 200


async def test_storage_away_lets_meta_come_again(
    connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger
) -> None:
    database = connected.state.services.database
    async with database.write() as session:
        await session.execute(text("ALTER TABLE messages RENAME TO gone"))
    assert (await post(http, meta, body_of("lệ phí?"))).status_code == 503
    async with database.write() as session:
        await session.execute(text("ALTER TABLE gone RENAME TO messages"))
    assert (await post(http, meta, body_of("lệ phí?"))).status_code == 200


async def test_a_channel_without_settings_is_off(client: httpx.AsyncClient, app: FastAPI) -> None:
    assert app.state.services.messenger is None
    assert (await client.post("/webhooks/messenger", content=b"{}")).status_code == 404
    assert (await client.get("/webhooks/messenger")).status_code == 404
    await as_role(app, client, "administrator")
    page = await client.get(PAGE, headers=HTML)
    assert page.status_code == 200
    assert "MESSENGER_PAGE_ID, MESSENGER_APP_ID, MESSENGER_APP_SECRET" in page.text


@pytest.mark.parametrize("role", ["operator", "supervisor"])
async def test_only_administrators_connect(connected: FastAPI, http: httpx.AsyncClient, role: str) -> None:
    mark = await as_role(connected, http, role)
    assert (await http.get(PAGE, headers=HTML)).status_code == 403
    for step in ("token", "subscribe"):
        answer = await http.post(f"{PAGE}/{step}", data={"csrf": mark, "token": "EAA"})
        assert answer.status_code == 403


async def test_connecting_a_page(connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger) -> None:
    mark = await as_role(connected, http, "administrator")
    empty = await http.get(PAGE, headers=HTML)
    assert "/webhooks/messenger</code>" in empty.text
    assert "Chưa có mã truy cập nào." in empty.text
    assert meta.options.verify_token not in empty.text

    without_mark = await http.post(f"{PAGE}/token", data={"token": meta.options.page_token})
    assert without_mark.status_code == 403
    wrong = await http.post(f"{PAGE}/token", data={"csrf": mark, "token": "EAAwrong"})
    assert wrong.status_code == 422
    assert "hết hạn hoặc bị thu hồi" in wrong.text
    blank = await http.post(f"{PAGE}/token", data={"csrf": mark, "token": "EAA with blanks"})
    assert blank.status_code == 422
    assert await connected.state.services.credentials.get("messenger") is None

    meta.state.subscribed = {"messages"}
    saved = await http.post(f"{PAGE}/token", data={"csrf": mark, "token": f" {meta.options.page_token}\n"})
    assert (saved.status_code, saved.headers["location"]) == (303, f"{PAGE}?done=saved")
    kept = await connected.state.services.credentials.get("messenger")
    assert (kept.account, dict(kept.values)) == (
        meta.options.page_name,
        {"page_token": meta.options.page_token},
    )

    page = await http.get(saved.headers["location"], headers=HTML)
    assert meta.options.page_name in page.text
    assert "message_echoes" in page.text
    assert meta.options.page_token not in page.text
    done = await http.post(f"{PAGE}/subscribe", data={"csrf": mark})
    assert done.headers["location"] == f"{PAGE}?done=subscribed"
    complete = await http.get(PAGE, headers=HTML)
    assert "Đã kết nối, không thiếu gì." in complete.text
    actions = [entry.action for entry in await connected.state.services.accounts.audit("messenger")]
    assert set(actions) == {"channel.connected", "channel.subscribed"}


async def test_the_stored_token_is_used_at_once(
    connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger
) -> None:
    client = connected.state.services.messenger.connector.client
    mark = await as_role(connected, http, "administrator")
    await http.post(f"{PAGE}/token", data={"csrf": mark, "token": meta.options.page_token})
    assert await client.page_name() == meta.options.page_name


async def test_meta_away_is_said(connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger) -> None:
    mark = await as_role(connected, http, "administrator")
    await http.post(f"{PAGE}/token", data={"csrf": mark, "token": meta.options.page_token})
    meta.state.faults.down = True
    page = await http.get(PAGE, headers=HTML)
    assert page.status_code == 200
    assert "Chưa dùng được." in page.text
    assert (await http.post(f"{PAGE}/subscribe", data={"csrf": mark})).status_code == 502


async def test_a_token_of_the_settings_is_not_replaced_here(
    messenger_settings: Callable[..., Settings], meta: PlayedMessenger
) -> None:
    app = make_app(messenger_settings())
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            mark = await as_role(app, client, "administrator")
            page = await client.get(PAGE, headers=HTML)
            assert "MESSENGER_PAGE_TOKEN" in page.text
            assert 'name="token"' not in page.text
            await client.post(f"{PAGE}/token", data={"csrf": mark, "token": "EAAother"})
        assert await app.state.services.credentials.get("messenger") is None


async def test_an_answer_goes_the_whole_way(
    connected: FastAPI, http: httpx.AsyncClient, meta: PlayedMessenger
) -> None:
    """From the webhook through inbox, bot and outbox to the citizen's phone."""
    await connected.state.services.credentials.put(
        "messenger", account="page", values={"page_token": meta.options.page_token}
    )
    person = meta.state.person("55")
    person.last_heard = meta.state.now()
    assert (await post(http, meta, body_of("lệ phí khai sinh bao nhiêu?"))).status_code == 200
    async with asyncio.timeout(60):
        await person.answered.wait()
    (shown,) = person.screen
    assert shown["text"] == "trả lời: lệ phí khai sinh bao nhiêu?"
    assert shown["buttons"] == [{"title": "Thời hạn", "payload": "/ask_time"}]


async def test_the_profile_command(
    messenger_settings: Callable[..., Settings], meta: PlayedMessenger, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = messenger_settings()
    assert await run(settings) == 0
    assert capsys.readouterr().out == "changed: get_started\nchanged: greeting\nchanged: persistent_menu\n"
    assert await run(settings) == 0
    assert capsys.readouterr().out == "Nothing had to be changed.\n"
    meta.state.faults.expire_token = True
    assert await run(settings) == 1
    assert "token_invalid (code 190, subcode 463)" in capsys.readouterr().err


async def test_the_profile_command_without_settings(
    make_settings: Callable[..., Settings], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(messenger_page_id="1")
    assert missing_settings(settings) == ["MESSENGER_APP_ID", "MESSENGER_APP_SECRET"]
    assert await run(settings) == 2
    assert "MESSENGER_APP_ID, MESSENGER_APP_SECRET" in capsys.readouterr().err
