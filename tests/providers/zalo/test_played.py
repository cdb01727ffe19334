"""The played Zalo itself: strict where Zalo is, and as faulty as it is told to be."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.providers.played.server import listen
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options


@dataclass
class Receiver:
    """Stands where the app under test would be."""

    status: int = 200
    url: str = ""
    taken: list[tuple[dict[str, Any], bool]] = field(default_factory=list)

    async def take(self, request: web.Request) -> web.Response:
        raw = await request.read()
        body = json.loads(raw)
        options = Options()
        signed = options.app_id.encode() + raw + body["timestamp"].encode() + options.oa_secret.encode()
        good = request.headers["X-ZEvent-Signature"] == f"mac={hashlib.sha256(signed).hexdigest()}"
        self.taken.append((body, good))
        return web.Response(status=self.status)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = web.Application()
    app.router.add_post("/webhooks/zalo", made.take)
    runner = web.AppRunner(app)
    made.url = f"{await listen(runner, 0)}/webhooks/zalo"
    yield made
    await runner.cleanup()


@pytest.fixture
async def played(receiver: Receiver) -> AsyncIterator[PlayedZalo]:
    server = PlayedZalo(Options(webhook=receiver.url, first_retry=0.01, most_tries=3, seed=1))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def control(played: PlayedZalo) -> AsyncIterator[aiohttp.ClientSession]:
    headers = {"Authorization": "Bearer control"}
    async with aiohttp.ClientSession(played.url, headers=headers) as session:
        yield session


async def ask(control: aiohttp.ClientSession, method: str, path: str, **body: Any) -> Any:
    given = {"json": body} if method == "POST" else {"params": body}
    async with control.request(method, f"/_control/{path}", **given) as response:  # type: ignore[arg-type]
        assert response.status == 200, await response.text()
        return await response.json()


async def test_nothing_without_the_control_token(played: PlayedZalo):
    async with aiohttp.ClientSession(played.url) as session:
        for path in ("screen", "users", "record", "faults", "tokens"):
            assert (await session.get(f"/_control/{path}")).status == 401


async def test_what_is_said_is_delivered_signed_and_shown(
    control: aiohttp.ClientSession, played: PlayedZalo, receiver: Receiver
):
    said = await ask(control, "POST", "say", user="An", name="Nguyễn An", text="xin chào")
    await played.webhooks.settled()
    ((body, good),) = receiver.taken
    assert good and said == {"mids": [body["message"]["msg_id"]], "good": True}
    assert (body["event_name"], body["message"]["text"]) == ("user_send_text", "xin chào")
    (shown,) = await ask(control, "GET", "screen", user="An")
    assert (shown["from"], shown["kind"], shown["text"]) == ("me", "text", "xin chào")
    (user,) = await ask(control, "GET", "users")
    assert (user["user"], user["name"], user["items"]) == ("An", "Nguyễn An", 1)
    assert [line["kind"] for line in await ask(control, "GET", "record")] == ["webhook"]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"attachments": [{"type": "image"}]}, "user_send_image"),
        ({"attachments": [{"type": "file", "name": "a.pdf"}]}, "user_send_file"),
        ({"attachments": [{"type": "location", "latitude": 13.98, "longitude": 108}]}, "user_send_location"),
        ({"text": "chào", "anonymous": True}, "anonymous_send_text"),
        ({"event": "follow"}, "follow"),
        ({"event": "unfollow"}, "unfollow"),
        ({"event": "submit_info"}, "user_submit_info"),
        ({"event": "withdraw", "mid": "m1"}, "user_withdraw"),
        ({"event": "reaction", "mid": "m1"}, "user_reacted_message"),
        ({"event": "click_chatnow"}, "user_click_chatnow"),
        ({"event": "answered_elsewhere", "text": "Tôi là cán bộ"}, "oa_send_text"),
        ({"event": "unknown"}, "something_new"),
    ],
)
async def test_every_event_can_be_played(
    control: aiohttp.ClientSession, played: PlayedZalo, receiver: Receiver, said: dict[str, Any], name: str
):
    await ask(control, "POST", "say", user="An", **said)
    await played.webhooks.settled()
    assert [(body["event_name"], good) for body, good in receiver.taken] == [(name, True)]


async def test_what_is_not_acknowledged_comes_again_until_the_subscription_ends(
    control: aiohttp.ClientSession, played: PlayedZalo, receiver: Receiver
):
    receiver.status = 503
    await ask(control, "POST", "say", user="An", text="một")
    await played.webhooks.settled()
    assert len(receiver.taken) == 3 and not played.state.subscribed
    await ask(control, "POST", "say", user="An", text="hai")
    await played.webhooks.settled()
    assert len(receiver.taken) == 3


async def test_faults_of_the_webhooks(control: aiohttp.ClientSession, played: PlayedZalo, receiver: Receiver):
    await ask(control, "POST", "faults", repeat_share=1.0)
    await ask(control, "POST", "say", user="An", text="một")
    await played.webhooks.settled()
    assert [body["message"]["text"] for body, _good in receiver.taken] == ["một", "một"]
    receiver.taken.clear()
    await ask(control, "POST", "faults", repeat_share=0, bad_signature_share=1.0)
    assert not (await ask(control, "POST", "say", user="An", text="hai"))["good"]
    await played.webhooks.settled()
    assert [good for _body, good in receiver.taken] == [False]
    receiver.taken.clear()
    await ask(control, "POST", "faults", bad_signature_share=0, reorder_share=1.0)
    await ask(control, "POST", "say", user="An", text="ba")
    await ask(control, "POST", "faults", reorder_share=0)
    await asyncio.wait_for(played.webhooks.settled(), 30)
    assert len(receiver.taken) == 1


async def test_a_fault_that_does_not_exist_is_a_mistake(control: aiohttp.ClientSession):
    async with control.post("/_control/faults", json={"dwon": True}) as response:
        assert response.status == 400


async def test_it_checks_what_is_sent(control: aiohttp.ClientSession, played: PlayedZalo):
    token = played.state.new_pair()["access_token"]
    person = played.state.person("An")

    async def send(text: str, header: str = token, user: str = person.id) -> int:
        body = {"recipient": {"user_id": user}, "message": {"text": text}}
        url = f"{played.url}/v3.0/oa/message/cs"
        async with control.post(url, json=body, headers={"access_token": header}) as response:
            assert response.status == 200
            return int((await response.json())["error"])

    assert await send("a", header="") == -216
    assert await send("a", user="1") == -213
    assert await send("a") == -213, "they have never written"
    await ask(control, "POST", "say", user="An", text="chào")
    assert await send("a") == 0
    assert await send("a" * 2_001) == -201
    await ask(control, "POST", "clock", forward_seconds=7 * 86_400 + 60)
    assert await send("a") == -220, "the token has run out"
    token = played.state.new_pair()["access_token"]
    assert await send("a", header=token) == -230
    await ask(control, "POST", "faults", error_code=-32, error_times=1)
    await ask(control, "POST", "say", user="An", text="chào")
    assert await send("a", header=token) == -32
    assert await send("a", header=token) == 0
    await ask(control, "POST", "faults", expire_token=True)
    assert await send("a", header=token) == -220
