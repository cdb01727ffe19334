"""The played Messenger refuses what Meta refuses, and delivers as Meta delivers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from connectors.messenger.signature import proof, verified
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options
from tests.providers.played.server import listen

Call = Callable[..., Any]


class App:
    """The app under test: keeps what it is given, answers as it is told."""

    def __init__(self) -> None:
        self.url = ""
        self.bodies: list[bytes] = []
        self.headers: list[Any] = []
        self.statuses: list[int] = []
        self.came = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.read())
        self.headers.append(request.headers)
        self.came.set()
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200)

    async def handshake(self, request: web.Request) -> web.Response:
        return web.Response(text=request.query["hub.challenge"])

    def items(self) -> list[dict[str, Any]]:
        envelopes = [json.loads(body) for body in self.bodies]
        entries = [entry for envelope in envelopes for entry in envelope["entry"]]
        return [item for entry in entries for item in entry.get("messaging", entry.get("standby", ()))]


@pytest.fixture
async def app_under_test() -> AsyncIterator[App]:
    app = App()
    server = web.Application()
    server.router.add_post("/webhook", app.take)
    server.router.add_get("/webhook", app.handshake)
    runner = web.AppRunner(server)
    app.url = f"{await listen(runner, 0)}/webhook"
    yield app
    await runner.cleanup()


@pytest.fixture
async def meta(app_under_test: App) -> AsyncIterator[PlayedMessenger]:
    server = PlayedMessenger(Options(webhook=app_under_test.url, seed=7, first_retry=0.01))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def call(meta: PlayedMessenger, http: aiohttp.ClientSession) -> Call:
    """Call the Send API; return status and error code with subcode."""

    async def make(
        body: Any, *, token: str | None = None, secret: str | None = None, **query: str
    ) -> tuple[int, Any]:
        options = meta.options
        token = options.page_token if token is None else token
        signed = {
            "access_token": token,
            "appsecret_proof": proof(token, secret or options.app_secret),
            **query,
        }
        params = {name: value for name, value in signed.items() if value}
        async with http.post(
            f"{meta.api_url}/{options.page_id}/messages", json=body, params=params
        ) as answer:
            found = await answer.json()
            error = found.get("error")
            if error is None:
                return answer.status, found
            assert {"message", "type", "code", "fbtrace_id"} <= set(error)
            return answer.status, (error["code"], error.get("error_subcode"))

    return make


@pytest.fixture
def control(meta: PlayedMessenger, http: aiohttp.ClientSession) -> Call:
    async def make(verb: str, body: Any = None, *, token: str = "control") -> Any:
        headers = {"Authorization": f"Bearer {token}"}
        method = "GET" if body is None else "POST"
        url = f"{meta.url}/_control/{verb}"
        async with http.request(method, url, json=body, headers=headers) as answer:
            return await answer.json() if answer.status == 200 else answer.status

    return make


def to(meta: PlayedMessenger, message: Any = None, **more: Any) -> dict[str, Any]:
    person = meta.state.person("lan")
    if person.last_heard is None:
        person.last_heard = meta.state.now()
    message = {"text": "Dạ"} if message is None else message
    return {"recipient": {"id": person.id}, "messaging_type": "RESPONSE", "message": message, **more}


def reply(title: str = "Có", payload: str = "/yes") -> dict[str, str]:
    return {"content_type": "text", "title": title, "payload": payload}


async def test_a_right_call(meta: PlayedMessenger, call: Call) -> None:
    status, answer = await call(to(meta))
    assert (status, answer["recipient_id"]) == (200, meta.state.person("lan").id)
    assert answer["message_id"].startswith("m_")


@pytest.mark.parametrize(
    ("how", "status", "error"),
    [
        ({"token": ""}, 401, (104, None)),
        ({"token": "EAAother"}, 401, (190, None)),
        ({"secret": "not it"}, 400, (100, None)),
        ({"appsecret_proof": ""}, 400, (100, None)),
    ],
)
async def test_who_calls(meta: PlayedMessenger, call: Call, how: Any, status: int, error: Any) -> None:
    assert await call(to(meta), **how) == (status, error)


async def test_an_expired_token(meta: PlayedMessenger, call: Call) -> None:
    meta.state.faults.expire_token = True
    assert await call(to(meta)) == (401, (190, 463))


@pytest.mark.parametrize(
    ("message", "code"),
    [
        ({}, 100),
        ({"text": " "}, 100),
        ({"text": "a" * 2_000}, 100),
        ({"text": "😀" * 1_000}, 100),
        ({"text": "a", "attachment": {}}, 100),
        ({"text": "a", "metadata": "x" * 1_000}, 100),
        ({"text": "a", "colour": "red"}, 100),
        ({"text": "a", "quick_replies": []}, 194),
        ({"text": "a", "quick_replies": [reply()] * 14}, 105),
        ({"text": "a", "quick_replies": [reply("quá dài cho một nút bấm")]}, 100),
        ({"text": "a", "quick_replies": [reply("")]}, 100),
        ({"text": "a", "quick_replies": [reply(payload="x" * 1_001)]}, 100),
        ({"text": "a", "quick_replies": [{"title": "a", "payload": "b"}]}, 100),
        ({"attachment": {"type": "hologram", "payload": {}}}, 100),
        ({"attachment": {"type": "image", "payload": {"attachment_id": "1"}}}, 100),
    ],
)
async def test_messages_that_are_refused(meta: PlayedMessenger, call: Call, message: Any, code: int) -> None:
    status, (found, _subcode) = await call(to(meta, message))
    assert (status, found) == (400, code)
    assert meta.state.person("lan").screen == []


async def test_the_limits_themselves_are_taken(meta: PlayedMessenger, call: Call) -> None:
    replies = [reply("x" * 20, "y" * 1_000)] * 13
    message = {"text": "a" * 1_999, "metadata": "m" * 999, "quick_replies": replies}
    assert (await call(to(meta, message)))[0] == 200


@pytest.mark.parametrize(
    ("hours", "more", "expected"),
    [
        (23, {}, None),
        (25, {}, (10, 2018278)),
        (25, {"messaging_type": "UPDATE"}, (10, 2018278)),
        (25, {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}, None),
        (169, {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}, (10, 2018278)),
        (1, {"messaging_type": "MESSAGE_TAG"}, (100, None)),
        (1, {"tag": "HUMAN_AGENT"}, (100, None)),
        (1, {"messaging_type": "MESSAGE_TAG", "tag": "ACCOUNT_UPDATE"}, (100, None)),
        (1, {"messaging_type": "SHOUT"}, (100, None)),
    ],
)
async def test_windows_and_tags(
    meta: PlayedMessenger, call: Call, hours: float, more: Any, expected: Any
) -> None:
    body = to(meta, **more)
    meta.state.offset = timedelta(hours=hours)
    _status, answer = await call(body)
    assert answer == expected if expected else "message_id" in answer


async def test_whom_it_goes_to(meta: PlayedMessenger, call: Call) -> None:
    assert await call(to(meta, recipient={"id": "1"})) == (400, (100, 2018001))
    assert await call({"message": {"text": "a"}}) == (400, (100, None))
    body = to(meta)
    meta.state.person("lan").blocked = True
    assert await call(body) == (400, (551, 1545041))


async def test_an_action_is_its_own_request(meta: PlayedMessenger, call: Call) -> None:
    assert (await call(to(meta, sender_action="typing_on")))[1] == (100, None)
    body = to(meta, sender_action="typing_on")
    del body["message"], body["messaging_type"]
    assert (await call(body))[0] == 200


async def test_other_pages_and_versions(meta: PlayedMessenger, http: aiohttp.ClientSession) -> None:
    token = meta.options.page_token
    params = {"access_token": token, "appsecret_proof": proof(token, meta.options.app_secret)}
    for path, code, kind in (("v25.0/999", 100, "GraphMethodException"), ("v3.0/me", 2500, "OAuthException")):
        async with http.get(f"{meta.url}/{path}", params=params) as answer:
            error = (await answer.json())["error"]
            assert (answer.status, error["code"], error["type"]) == (400, code, kind)


async def test_rate_limits_show_in_the_headers(meta: PlayedMessenger, http: aiohttp.ClientSession) -> None:
    meta.options.calls_per_second = 2
    token = meta.options.page_token
    params = {"access_token": token, "appsecret_proof": proof(token, meta.options.app_secret)}
    seen = []
    for _call in range(3):
        async with http.get(f"{meta.api_url}/me", params=params) as answer:
            usage = json.loads(answer.headers["X-App-Usage"])["call_count"]
            business = json.loads(answer.headers["X-Business-Use-Case-Usage"])[meta.options.page_id][0]
            seen.append((answer.status, usage, business["estimated_time_to_regain_access"]))
    assert seen == [(200, 50, 0), (200, 99, 0), (403, 100, 1)]


async def test_deliveries_are_signed_both_ways(
    meta: PlayedMessenger, control: Call, app_under_test: App
) -> None:
    said = await control("say", {"user": "lan", "text": "Xin chào"})
    await meta.webhooks.settled()
    (body,), (headers,) = app_under_test.bodies, app_under_test.headers
    secret = meta.options.app_secret
    assert verified(body, secret, sha256=headers["X-Hub-Signature-256"], sha1=None) == "sha256"
    assert verified(body, secret, sha256=None, sha1=headers["X-Hub-Signature"], allow_sha1=True) == "sha1"
    (item,) = app_under_test.items()
    assert item["message"] == {"mid": said["mids"][0], "text": "Xin chào"}
    assert item["sender"]["id"] == meta.state.person("lan").id


async def test_the_handshake(control: Call) -> None:
    assert await control("verify", {}) == {"verified": True}


async def test_what_is_not_acknowledged_comes_again(
    meta: PlayedMessenger, control: Call, app_under_test: App
) -> None:
    app_under_test.statuses = [503, 500]
    await control("say", {"user": "lan", "text": "Xin chào"})
    await meta.webhooks.settled()
    assert len(app_under_test.bodies) == 3
    assert len(set(app_under_test.bodies)) == 1


async def test_repeats_and_forgeries(meta: PlayedMessenger, control: Call, app_under_test: App) -> None:
    await control("faults", {"repeat_share": 1.0})
    await control("say", {"user": "lan", "text": "hai lần"})
    await meta.webhooks.settled()
    assert len(app_under_test.bodies) == 2
    await control("faults", {"repeat_share": 0, "bad_signature_share": 1.0})
    said = await control("say", {"user": "lan", "text": "giả mạo"})
    await meta.webhooks.settled()
    assert said["good"] is False
    header = app_under_test.headers[-1]["X-Hub-Signature-256"]
    assert verified(app_under_test.bodies[-1], meta.options.app_secret, sha256=header, sha1=None) is None


async def test_reordered(meta: PlayedMessenger, control: Call, app_under_test: App) -> None:
    meta.options.held_seconds = 60
    await control("faults", {"reorder_share": 1.0})
    await control("say", {"user": "lan", "text": "một"})
    await control("faults", {"reorder_share": 0})
    await control("say", {"user": "lan", "text": "hai"})
    await meta.webhooks.settled()
    later, earlier = app_under_test.items()
    assert (later["message"]["text"], earlier["message"]["text"]) == ("hai", "một")
    assert earlier["timestamp"] <= later["timestamp"]


async def test_what_is_held_back_alone_comes_all_the_same(
    meta: PlayedMessenger, control: Call, app_under_test: App
) -> None:
    meta.options.held_seconds = 0.01
    await control("faults", {"reorder_share": 1.0})
    await control("say", {"user": "lan", "text": "một"})
    await meta.webhooks.settled()
    assert len(app_under_test.items()) == 1


async def test_batches(meta: PlayedMessenger, control: Call, app_under_test: App) -> None:
    says = [{"user": user, "text": user} for user in ("a", "b", "c")]
    await control("say", {"batch": says})
    await meta.webhooks.settled()
    (body,) = app_under_test.bodies
    assert [len(entry["messaging"]) for entry in json.loads(body)["entry"]] == [1, 2]


async def test_an_echo_may_come_first(meta: PlayedMessenger, call: Call, app_under_test: App) -> None:
    meta.state.faults.echo_first_share = 1.0
    status, answer = await call(to(meta, {"text": "Dạ", "metadata": "our-id"}))
    assert status == 200
    echoes = [item for item in app_under_test.items() if item.get("message", {}).get("is_echo")]
    assert [(e["message"]["mid"], e["message"]["metadata"]) for e in echoes] == [
        (answer["message_id"], "our-id")
    ]
    await meta.webhooks.settled()
    receipts = [item["delivery"] for item in app_under_test.items() if "delivery" in item]
    assert all("watermark" in receipt for receipt in receipts)
    assert receipts


@pytest.mark.parametrize("when", [True, "before", "after"])
async def test_dropped_connections(meta: PlayedMessenger, call: Call, control: Call, when: Any) -> None:
    await control("faults", {"drop_connection": when})
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await call(to(meta))
    assert len(meta.state.person("lan").screen) == (1 if when == "after" else 0)


@pytest.mark.parametrize(
    ("said", "key"),
    [
        ({"event": "read"}, "read"),
        ({"event": "reaction"}, "reaction"),
        ({"event": "optin"}, "optin"),
        ({"event": "referral", "ref": "qr"}, "referral"),
        ({"event": "edit", "mid": "m_1", "text": "sửa"}, "message_edit"),
        ({"event": "pass_thread_control"}, "pass_thread_control"),
        ({"event": "take_thread_control"}, "take_thread_control"),
        ({"event": "postback", "title": "Gặp người trực", "payload": "/ask_human"}, "postback"),
        ({"event": "standby", "text": "?"}, "message"),
        ({"event": "answered_elsewhere", "text": "Tôi đây"}, "message"),
        ({"event": "unknown"}, "something_new"),
    ],
)
async def test_events(meta: PlayedMessenger, control: Call, app_under_test: App, said: Any, key: str) -> None:
    await control("say", {"user": "lan", **said})
    await meta.webhooks.settled()
    (item,) = app_under_test.items()
    assert key in item


async def test_a_tap(meta: PlayedMessenger, call: Call, control: Call, app_under_test: App) -> None:
    meta.state.subscribed = set()
    await call(to(meta, {"text": "Hỏi gì?", "quick_replies": [reply("Lệ phí", "/ask_fee")]}))
    (shown,) = await control("screen?user=lan")
    assert [button["title"] for button in shown["buttons"]] == ["Lệ phí"]
    assert await control("say", {"user": "lan", "event": "tap", "payload": "/other"}) == 400
    await control("say", {"user": "lan", "event": "tap", "payload": "/ask_fee"})
    await meta.webhooks.settled()
    (item,) = app_under_test.items()
    assert (item["message"]["text"], item["message"]["quick_reply"]) == ("Lệ phí", {"payload": "/ask_fee"})
    assert [entry.get("buttons") for entry in await control("screen?user=lan")] == [None, None]


async def test_pictures_and_places(
    meta: PlayedMessenger, control: Call, app_under_test: App, http: aiohttp.ClientSession
) -> None:
    attachments = [{"type": "image"}, {"type": "location", "latitude": 13.98, "longitude": 108.0}]
    await control("say", {"user": "lan", "attachments": attachments})
    await meta.webhooks.settled()
    (item,) = app_under_test.items()
    picture, place = item["message"]["attachments"]
    async with http.get(picture["payload"]["url"]) as answer:
        assert (await answer.read()).startswith(b"\x89PNG")
    assert place["payload"] == {"coordinates": {"lat": 13.98, "long": 108.0}}
    assert [shown["kind"] for shown in await control("screen?user=lan")] == ["image", "location"]


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("say", {"text": "ai?"}),
        ("say", {"user": "lan"}),
        ("say", {"user": "lan", "event": "sing"}),
        ("say", {"user": "lan", "attachments": [{"type": "smell"}]}),
        ("say", {"user": "lan", "attachments": [{"type": "image", "data": "*"}]}),
        ("faults", {"moon": True}),
        ("faults", {"down": "yes"}),
        ("say", []),
    ],
)
async def test_control_calls_without_sense(control: Call, verb: str, body: Any) -> None:
    assert await control(verb, body) == 400


async def test_control_needs_its_token(control: Call) -> None:
    assert await control("users", token="wrong") == 401


async def test_the_record_and_the_users(meta: PlayedMessenger, control: Call, call: Call) -> None:
    await control("say", {"user": "lan", "name": "Chị Lan", "text": "Xin chào"})
    await call(to(meta))
    await meta.webhooks.settled()
    (user,) = await control("users")
    assert (user["name"], user["items"]) == ("Chị Lan", 2)
    record = await control("record")
    assert {entry["kind"] for entry in record} == {"webhook", "call"}
    assert meta.options.page_token not in json.dumps(record)


async def test_the_clock_can_be_put_forward(meta: PlayedMessenger, control: Call, call: Call) -> None:
    body = to(meta)
    await control("clock", {"forward_seconds": 25 * 3600})
    assert (await call(body))[1] == (10, 2018278)
