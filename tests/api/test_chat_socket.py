"""The web chat over a WebSocket, on a real server: said, told in order, gone on with, abused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from starlette.websockets import WebSocket
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.app import create_app
from api.chat_socket import LARGEST_FRAME, ChatSocket
from api.open_sockets import Close
from api.settings import Settings
from tests.api.conftest import free_port, serving


def new_id() -> str:
    return str(uuid4())


class Page:
    """A page with an open connection; keeps what it was told."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection
        self.frames: list[dict[str, Any]] = []

    async def send(self, **frame: Any) -> None:
        await self.connection.send(json.dumps(frame))

    async def say(self, text: str, client_id: str | None = None, **more: Any) -> None:
        await self.send(type="say", client_id=client_id or new_id(), text=text, **more)

    async def next(self, *types: str) -> dict[str, Any]:
        """Return the next frame of one of these types."""
        async with asyncio.timeout(60):
            while True:
                frame: dict[str, Any] = json.loads(await self.connection.recv())
                self.frames.append(frame)
                if frame["type"] in types:
                    return frame

    async def messages(self, count: int) -> list[dict[str, Any]]:
        return [(await self.next("message"))["message"] for _ in range(count)]

    async def closed(self) -> int:
        """Return the code the server closes the connection with."""
        async with asyncio.timeout(60):
            try:
                while True:
                    self.frames.append(json.loads(await self.connection.recv()))
            except ConnectionClosed as closed:
                assert closed.rcvd is not None
                return closed.rcvd.code


class Site:
    """A served app."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self.client = client
        self.address = f"ws://{client.base_url.host}:{client.base_url.port}/chat/ws"

    async def token(self) -> str:
        token: str = (await self.client.post("/chat/session", json={})).json()["token"]
        return token

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Page]:
        async with connect(self.address, max_queue=None) as connection:
            yield Page(connection)

    @asynccontextmanager
    async def open(self, token: str, after: int = 0) -> AsyncIterator[Page]:
        async with self.connected() as page:
            await page.send(type="hello", token=token, after=after)
            yield page

    async def read(self, token: str) -> list[dict[str, Any]]:
        headers = {"Authorization": f"Bearer {token}"}
        messages: list[dict[str, Any]] = (await self.client.get("/chat/messages", headers=headers)).json()[
            "messages"
        ]
        return messages


@pytest.fixture
async def site(make_settings: Callable[..., Settings]) -> AsyncIterator[Site]:
    async with serving(make_settings(app_port=free_port(), event_heartbeat=0.5)) as client:
        yield Site(client)


async def test_a_question_is_acknowledged_and_answered(site: Site):
    token, client_id = await site.token(), new_id()
    async with site.open(token) as page:
        ready = await page.next("ready")
        assert (ready["owner"], ready["heartbeat"]) == ("bot", 0.5)
        await page.say("lệ phí khai sinh?", client_id)
        question, answer = await page.messages(2)
        assert (question["author"], question["client_id"], question["sequence"]) == ("citizen", client_id, 1)
        assert (answer["author"], answer["sequence"], answer["route"]) == ("bot", 2, "answer")
        assert answer["buttons"] == [{"title": "Thời hạn", "payload": "/ask_time"}]
        acknowledged = [frame for frame in page.frames if frame["type"] == "ack"]
        if not acknowledged:
            acknowledged = [await page.next("ack")]
        assert acknowledged[0]["client_id"] == client_id
        assert (acknowledged[0]["sequence"], acknowledged[0]["duplicate"]) == (1, False)
    assert [message["sequence"] for message in await site.read(token)] == [1, 2]


async def test_the_acknowledged_is_stored_and_the_repeated_is_stored_once(site: Site, bot: Any):
    token, client_id = await site.token(), new_id()
    async with site.open(token) as page:
        await page.say("lệ phí khai sinh?", client_id)
        first = await page.next("ack")
    # The connection is cut before the page has heard; it sends again on the next one, and by HTTP.
    async with site.open(token) as page:
        await page.say("lệ phí khai sinh?", client_id)
        again = await page.next("ack")
    body = {"client_id": client_id, "text": "lệ phí khai sinh?"}
    third = await site.client.post("/chat/messages", json=body, headers={"Authorization": f"Bearer {token}"})
    assert again == {**first, "duplicate": True}
    assert third.json()["message_id"] == first["message_id"]
    async with site.open(token) as page:
        await page.messages(2)
    assert len(bot.asked) == 1


async def test_a_lost_connection_goes_on_where_it_was(site: Site):
    token = await site.token()
    async with site.open(token) as page:
        for text in ("một?", "hai?"):
            await page.say(text)
            await page.messages(2)
    async with site.open(token, after=3) as page:
        [message] = await page.messages(1)
        assert (message["sequence"], message["text"]) == (4, "trả lời: hai?")
        ready = await page.next("ready")
        assert ready["owner"] == "bot"
    async with site.open(token, after=4) as page:
        assert (await page.next("ready", "message"))["type"] == "ready"


async def test_several_pages_of_one_visitor_stay_in_step(site: Site):
    token = await site.token()
    async with site.open(token) as one, site.open(token) as two:
        for page in (one, two):
            await page.next("ready")
        await asyncio.gather(*(page.say(f"{n}?") for n in range(5) for page in (one, two)))
        seen = [await page.messages(20) for page in (one, two)]
        assert seen[0] == seen[1]
        assert [message["sequence"] for message in seen[0]] == list(range(1, 21))


async def test_a_page_hears_what_others_send_over_http(site: Site):
    token = await site.token()
    async with site.open(token) as page:
        await page.next("ready")
        body = {"client_id": new_id(), "text": "lệ phí khai sinh?"}
        await site.client.post("/chat/messages", json=body, headers={"Authorization": f"Bearer {token}"})
        assert [message["sequence"] for message in await page.messages(2)] == [1, 2]


async def test_the_owner_changes_on_open_pages(site: Site, bot: Any):
    bot.turn = {"route": "handoff", "handoff": {"reason": "muốn gặp người"}}
    token = await site.token()
    async with site.open(token) as page:
        await page.say("cho gặp người thật")
        assert (await page.next("owner"))["owner"] == "queue"
    async with site.open(token) as page:
        ready = await page.next("ready")
        assert (ready["owner"], ready["position"]) == ("queue", 1)


async def test_an_emergency_is_answered_while_the_bot_is_broken(site: Site, bot: Any):
    bot.is_broken = True
    async with site.open(await site.token()) as page:
        await page.say("cháy nhà ở đường Hùng Vương, cứu với")
        _said, answer = await page.messages(2)
        assert answer["route"] == "redirect_114"


async def test_signs_of_life_go_both_ways(site: Site):
    async with site.open(await site.token()) as page:
        await page.next("ping")
        await page.send(type="ping")
        await page.next("pong")
        await page.send(type="pong")


async def test_a_page_that_gives_no_sign_of_life_is_let_go(site: Site):
    async with site.open(await site.token()) as page:
        assert await page.closed() == Close.SILENT
        assert any(frame["type"] == "ping" for frame in page.frames)


async def test_a_made_up_token_opens_nothing(site: Site):
    async with site.open("made.up") as page:
        assert await page.closed() == Close.BAD_TOKEN
        assert page.frames[0]["error"] == "bad_token"
        assert page.frames[0]["message"].startswith("Phiên trò chuyện")


async def test_nothing_is_taken_before_the_token(site: Site):
    async with site.connected() as page:
        await page.say("lệ phí khai sinh?")
        assert (await page.next("error"))["error"] == "bad_token"
        token = await site.token()
        await page.send(type="hello", token=token)
        await page.next("ready")
        await page.send(type="hello", token=token)
        assert (await page.next("error"))["error"] == "invalid"
    assert await site.read(token) == []


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("", "bad_frame"),
        ("{", "bad_frame"),
        ("null", "bad_frame"),
        ("[]", "invalid"),
        ("5", "invalid"),
        ('"say"', "invalid"),
        ("{}", "invalid"),
        ('{"type": "shout"}', "invalid"),
        ('{"type": {"say": 1}}', "invalid"),
        ("[" * 60_000, "bad_frame"),
        ('{"type": "say", "text": "a"}', "invalid"),
        ('{"type": "say", "client_id": "x", "text": "a"}', "invalid"),
        ('{"type": "say", "client_id": "%s", "text": ""}', "empty_message"),
        ('{"type": "say", "client_id": "%s", "text": "\\u0000"}', "empty_message"),
        ('{"type": "say", "client_id": "%s", "text": "\\ud800"}', "bad_text"),
        ('{"type": "say", "client_id": "%s", "text": "' + "a" * 4_001 + '"}', "message_too_long"),
        ('{"type": "say", "client_id": "%s", "text": "' + "\ufffd" * 9 + '"}', "bad_text"),
        ('{"type": "say", "client_id": "%s", "location": {"latitude": NaN, "longitude": 0}}', "invalid"),
        ('{"type": "say", "client_id": "%s", "attachments": ["../../etc/passwd"]}', "invalid"),
        ('{"type": "say", "client_id": "%s", "attachments": ["' + "a" * 32 + '"]}', "file_gone"),
        (b"\x00\xff", "bad_frame"),
    ],
)
async def test_a_frame_that_makes_no_sense_is_answered_and_the_chat_goes_on(
    site: Site, frame: str | bytes, code: str
):
    token = await site.token()
    async with site.open(token) as page:
        await page.next("ready")
        await page.connection.send(frame % new_id() if isinstance(frame, str) and "%s" in frame else frame)
        error = await page.next("error")
        assert error["error"] == code
        assert error["message"]
        await page.say("lệ phí khai sinh?")
        await page.next("ack")
    assert [message["text"] for message in (await site.read(token))[:1]] == ["lệ phí khai sinh?"]


async def test_a_frame_that_is_too_large_ends_the_connection(site: Site):
    token = await site.token()
    async with site.open(token) as page:
        await page.say("a" * (LARGEST_FRAME + 1))
        assert await page.closed() == Close.FRAME_TOO_LARGE
    assert await site.read(token) == []


async def test_a_flood_ends_the_connection(site: Site):
    async with site.open(await site.token()) as page:
        await page.next("ready")
        for _ in range(200):
            await page.send(type="ping")
        assert await page.closed() == Close.FLOOD


async def test_the_limits_are_those_of_http(make_settings: Callable[..., Settings]):
    settings = make_settings(
        app_port=free_port(), visitor_messages_per_minute=3, secret_key="socket-limits", bot_timeout=1
    )
    async with serving(settings) as client:
        site = Site(client)
        token = await site.token()
        async with site.open(token) as page:
            for _ in range(8):
                await page.say("xin chào")
            answers = [await page.next("ack", "error") for _ in range(8)]
        codes = [answer.get("error") for answer in answers]
        # A minute may turn while this runs; then a second window begins.
        assert codes.count("too_many_messages") >= 2
        refused = next(answer for answer in answers if answer["type"] == "error")
        assert refused["retry_after"] == 60
        assert refused["client_id"]
        assert len([m for m in await site.read(token) if m["author"] == "citizen"]) == codes.count(None)


async def test_of_very_many_pages_of_one_visitor_the_oldest_ends(site: Site):
    token = await site.token()
    async with site.open(token) as first:
        await first.next("ready")
        others = [connect(site.address) for _ in range(10)]
        opened = [await other for other in others]
        for connection in opened:
            await connection.send(json.dumps({"type": "hello", "token": token}))
            await connection.recv()
        assert await first.closed() == Close.TOO_MANY
        for connection in opened:
            await connection.close()


async def test_a_full_process_and_a_foreign_site_are_refused(make_settings: Callable[..., Settings]):
    settings = make_settings(app_port=free_port(), chat_sockets=1, chat_origins="https://xa.example")
    async with serving(settings) as client:
        site = Site(client)
        async with connect(site.address, origin="https://xa.example"):
            with pytest.raises(InvalidStatus):
                async with connect(site.address):
                    pass
        with pytest.raises(InvalidStatus):
            async with connect(site.address, origin="https://other.example"):
                pass
        async with connect(site.address, origin=f"http://127.0.0.1:{settings.app_port}"):
            pass


async def test_a_page_that_does_not_read_is_dropped_and_reads_on_later(
    make_settings: Callable[..., Settings],
):
    app = create_app(make_settings())
    async with app.router.lifespan_context(app):
        services = app.state.services
        _visitor, token = services.visitors.new()
        closed = asyncio.get_running_loop().create_future()
        received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        received.put_nowait({"type": "websocket.connect"})
        hello = json.dumps({"type": "hello", "token": token})
        received.put_nowait({"type": "websocket.receive", "text": hello})

        async def send(event: Any) -> None:
            if event["type"] == "websocket.close":
                closed.set_result(event["code"])
            elif event["type"] == "websocket.send":
                await asyncio.Event().wait()  # a full pipe

        scope = {"type": "websocket", "path": "/chat/ws", "headers": [], "client": ("127.0.0.1", 1)}
        socket = ChatSocket(
            WebSocket(scope, received.get, send), services, services.sockets, send_seconds=0.2
        )
        async with asyncio.timeout(60):
            await socket.serve()
        assert closed.result() == Close.TOO_SLOW
        assert services.sockets.open == 0


async def test_a_database_that_is_away_is_said_and_the_emergency_answered(app: Any):
    from sqlalchemy import text

    services = app.state.services
    _visitor, token = services.visitors.new()
    async with services.database.write() as session:
        await session.execute(text("ALTER TABLE messages RENAME TO gone"))
    said: list[dict[str, Any]] = []
    received: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    over = asyncio.Event()
    frames = [
        {"type": "hello", "token": token},
        {"type": "say", "client_id": new_id(), "text": "lệ phí khai sinh?"},
        {"type": "say", "client_id": new_id(), "text": "cháy nhà, cứu với"},
    ]
    received.put_nowait({"type": "websocket.connect"})
    for frame in frames:
        received.put_nowait({"type": "websocket.receive", "text": json.dumps(frame)})

    async def send(event: Any) -> None:
        if event["type"] == "websocket.send":
            said.append(json.loads(event["text"]))
        if len([frame for frame in said if frame["type"] == "error"]) == 2 and not over.is_set():
            over.set()
            received.put_nowait({"type": "websocket.disconnect", "code": 1000})

    scope = {"type": "websocket", "path": "/chat/ws", "headers": [], "client": ("127.0.0.1", 1)}
    async with asyncio.timeout(60):
        await ChatSocket(WebSocket(scope, received.get, send), services, services.sockets).serve()
    errors = [frame for frame in said if frame["type"] == "error"]
    assert [error["error"] for error in errors] == ["storage_unavailable"] * 2
    assert errors[1]["message"].startswith("114") or "114" in errors[1]["message"].splitlines()[0]
