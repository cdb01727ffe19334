"""The web chat's HTTP interface, as the widget uses it and as others abuse it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from hypothesis import given, settings
from hypothesis import strategies as st

from api.app import create_app
from api.settings import Settings
from tests.api.conftest import answered


def new_id() -> str:
    return str(uuid4())


async def test_first_visit_is_greeted(client: httpx.AsyncClient):
    response = await client.post("/chat/session", json={})
    assert response.status_code == 200
    opened = response.json()
    assert opened["conversation_id"] is None
    assert opened["messages"] == []
    assert opened["owner"] == "bot"
    assert "113" in opened["greeting"]["text"]
    assert len(opened["greeting"]["buttons"]) == 3
    assert "{" not in opened["greeting"]["text"]


async def test_question_answer_and_coming_back(client: httpx.AsyncClient, visitor: Any):
    taken = await visitor.say("lệ phí khai sinh?", new_id())
    assert taken.status_code == 202
    assert taken.json()["sequence"] == 1
    assert taken.json()["duplicate"] is False
    found = await answered(visitor, 2)
    question, answer = found["messages"]
    assert (question["author"], question["text"]) == ("citizen", "lệ phí khai sinh?")
    assert "route" not in question or question["route"] is None
    assert (answer["author"], answer["route"]) == ("bot", "answer")
    assert answer["buttons"] == [{"title": "Thời hạn", "payload": "/ask_time"}]
    assert (await visitor.read(after=1))["messages"] == [answer]
    again = (await client.post("/chat/session", json={"token": visitor.token})).json()
    assert [message["sequence"] for message in again["messages"]] == [1, 2]
    assert again["conversation_id"]


async def test_same_message_sent_again_is_there_once(visitor: Any, bot: Any):
    client_id = new_id()
    first = (await visitor.say("lệ phí khai sinh?", client_id)).json()
    again = (await visitor.say("lệ phí khai sinh?", client_id)).json()
    assert again == {**first, "duplicate": True}
    await answered(visitor, 2)
    assert len(bot.asked) == 1


async def test_somebody_elses_client_id_hides_nothing(client: httpx.AsyncClient, visitor: Any):
    from tests.api.conftest import Visitor

    client_id = new_id()
    other = Visitor(client, (await client.post("/chat/session", json={})).json()["token"])
    await visitor.say("của tôi?", client_id)
    response = await other.say("của người khác?", client_id)
    assert response.json()["duplicate"] is False
    assert (await answered(other, 2))["messages"][0]["text"] == "của người khác?"


async def test_emergency_is_answered_when_the_bot_is_broken(visitor: Any, bot: Any):
    bot.is_broken = True
    await visitor.say("cháy nhà ở đường Hùng Vương, cứu với", new_id())
    found = await answered(visitor, 2)
    assert found["messages"][1]["route"] == "redirect_114"
    assert "114" in found["messages"][1]["text"].splitlines()[0]


async def test_broken_bot_queues_and_tells_the_position(visitor: Any, bot: Any):
    bot.is_broken = True
    await visitor.say("lệ phí khai sinh?", new_id())
    found = await answered(visitor, 2)
    assert found["owner"] == "queue"
    assert found["position"] == 1


async def test_tapped_button_comes_back_as_its_title(visitor: Any, bot: Any):
    await visitor.say("lệ phí khai sinh?", new_id())
    await answered(visitor, 2)
    await visitor.say("/ask_time", new_id(), postback=True)
    found = await answered(visitor, 4)
    assert found["messages"][2]["text"] == "Thời hạn"
    assert bot.asked[-1]["postback"] is True
    assert bot.asked[-1]["text"] == "/ask_time"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"client_id": "x", "text": "a"}, 422, "invalid"),
        ({"text": "a"}, 422, "invalid"),
        ({"client_id": new_id(), "text": ""}, 422, "empty_message"),
        ({"client_id": new_id(), "text": " \n\t "}, 422, "empty_message"),
        ({"client_id": new_id(), "text": "\x00\x01"}, 422, "empty_message"),
        ({"client_id": new_id(), "text": "a" * 4_001}, 422, "message_too_long"),
        ({"client_id": new_id(), "text": "a" * 500_000}, 422, "message_too_long"),
        ({"client_id": new_id(), "text": "\ufffd" * 50}, 422, "bad_text"),
        ({"client_id": new_id(), "text": ["a"]}, 422, "invalid"),
        ({"client_id": new_id(), "text": "a", "postback": "maybe"}, 422, "invalid"),
        ({"client_id": new_id(), "location": {"latitude": 100, "longitude": 0}}, 422, "invalid"),
        ([], 422, "invalid"),
        (None, 422, "invalid"),
    ],
)
async def test_impossible_messages_are_refused_in_vietnamese(
    visitor: Any, client: httpx.AsyncClient, body: Any, status: int, code: str
):
    response = await client.post("/chat/messages", json=body, headers=visitor.headers)
    assert (response.status_code, response.json()["error"]) == (status, code)
    assert response.json()["message"]
    assert (await visitor.read())["messages"] == []


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"", 422),
        (b"{", 400),
        (b"\xff\xfe\x00", 400),
        (b'{"client_id": "6f1e6d3a-8f4e-4d5e-9c44-0a4f6b1f2a3b", "text": "\\ud800"}', 422),
        (b"[" * 100_000, 400),
        (b'{"a": NaN}', 422),
    ],
)
async def test_malformed_bodies_are_refused(visitor: Any, client: httpx.AsyncClient, raw: bytes, status: int):
    headers = {**visitor.headers, "Content-Type": "application/json"}
    response = await client.post("/chat/messages", content=raw, headers=headers)
    assert response.status_code == status, response.text
    assert response.json()["message"]


async def test_huge_bodies_are_refused_declared_or_not(visitor: Any, client: httpx.AsyncClient):
    response = await client.post("/chat/messages", content=b"x" * (1024 * 1024 + 1), headers=visitor.headers)
    assert (response.status_code, response.json()["error"]) == (413, "body_too_large")

    async def endless() -> Any:
        for _ in range(2_000):
            yield b"x" * 1024

    response = await client.post("/chat/messages", content=endless(), headers=visitor.headers)
    assert response.status_code == 413


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer x", "Basic abc", "Bearer " + "a" * 5_000])
async def test_without_a_valid_token_nothing_is_said_or_read(client: httpx.AsyncClient, authorization: str):
    headers = {"Authorization": authorization}
    body = {"client_id": new_id(), "text": "xin chào"}
    for response in (
        await client.post("/chat/messages", json=body, headers=headers),
        await client.get("/chat/messages", headers=headers),
        await client.get("/chat/events", params={"token": authorization[:300]}),
    ):
        assert (response.status_code, response.json()["error"]) == (401, "bad_token")


async def test_a_token_that_is_not_valid_opens_a_new_chat(client: httpx.AsyncClient):
    opened = (await client.post("/chat/session", json={"token": "made.up"})).json()
    assert opened["token"] != "made.up"
    assert (await client.post("/chat/session", json={"token": "x" * 401})).status_code == 422


async def test_markup_is_kept_as_text(visitor: Any):
    text = "<script>alert(1)</script> ' OR 1=1; -- {{7*7}}"
    await visitor.say(text, new_id())
    assert (await answered(visitor, 1))["messages"][0]["text"] == text


@pytest.fixture(scope="module")
def post_anything(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[bytes], int]]:
    """Post a body to an app of its own, whose messages nobody works on."""
    options = {"redis_url": "", "serve_actions": False, "run_worker": False, "log_level": "INFO"}
    app = create_app(Settings(_env_file=None, data_dir=tmp_path_factory.mktemp("fuzz"), **options))
    services = app.state.services
    headers = {
        "Authorization": f"Bearer {services.visitors.token('0' * 32)}",
        "Content-Type": "application/json",
    }

    async def post(content: bytes) -> int:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            return (await client.post("/chat/messages", content=content, headers=headers)).status_code

    with asyncio.Runner() as runner:
        runner.run(services.start())
        yield lambda content: runner.run(post(content))
        runner.run(services.stop())


@settings(max_examples=150, deadline=None)
@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
        max_leaves=8,
    )
    | st.fixed_dictionaries(
        {"client_id": st.uuids().map(str), "text": st.text(max_size=60)},
        optional={"postback": st.booleans(), "location": st.dictionaries(st.text(max_size=9), st.floats())},
    )
)
def test_no_json_breaks_the_entrance(post_anything: Callable[[bytes], int], body: Any):
    assert post_anything(json.dumps(body).encode()) in {202, 400, 422, 429}


@settings(max_examples=80, deadline=None)
@given(raw=st.binary(max_size=200))
def test_no_bytes_break_the_entrance(post_anything: Callable[[bytes], int], raw: bytes):
    assert post_anything(raw) in {400, 422, 429}


async def test_limits_stop_a_script_and_say_so(make_settings: Callable[..., Settings]):
    app = create_app(make_settings(visitor_messages_per_minute=3, secret_key="limits"))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            token = (await client.post("/chat/session", json={})).json()["token"]
            headers = {"Authorization": f"Bearer {token}"}
            statuses = []
            for _ in range(8):
                body = {"client_id": new_id(), "text": "xin chào"}
                response = await client.post("/chat/messages", json=body, headers=headers)
                statuses.append(response.status_code)
            assert statuses[:3] == [202, 202, 202]
            assert statuses[-1] == 429
            assert response.headers["Retry-After"] == "60"
            assert response.json()["error"] == "too_many_messages"


async def test_other_sites_may_chat_and_nothing_else(client: httpx.AsyncClient):
    origin = {"Origin": "https://xa-ia-der.example"}
    asked = {
        **origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type",
    }
    preflight = await client.options("/chat/messages", headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["access-control-allow-origin"] == "*"
    assert "authorization" in preflight.headers["access-control-allow-headers"].lower()
    opened = await client.post("/chat/session", json={}, headers=origin)
    assert opened.headers["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in opened.headers
    assert "set-cookie" not in opened.headers
    health = await client.get("/health/live", headers=origin)
    assert "access-control-allow-origin" not in health.headers


async def test_listed_sites_only(make_settings: Callable[..., Settings]):
    app: FastAPI = create_app(make_settings(chat_origins="https://a.example, https://b.example"))
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
        asked = {"Access-Control-Request-Method": "POST"}
        good = await client.options("/chat/session", headers={**asked, "Origin": "https://b.example"})
        bad = await client.options("/chat/session", headers={**asked, "Origin": "https://c.example"})
    assert good.headers["access-control-allow-origin"] == "https://b.example"
    assert "access-control-allow-origin" not in bad.headers
    await app.state.services.stop()
