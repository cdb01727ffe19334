"""Zalo's entrance, over the real app: from the played provider's webhook to the answer on the phone."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client import REGISTRY
from sqlalchemy import text

from api.settings import Settings
from tests.api.conftest import make_app
from tests.providers.zalo.server import PlayedZalo


@pytest.fixture
async def played() -> AsyncIterator[PlayedZalo]:
    server = PlayedZalo()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def given(played: PlayedZalo) -> dict[str, Any]:
    return {name.lower(): value for name, value in played.settings().items()}


@pytest.fixture
async def app(
    make_settings: Callable[..., Settings], given: dict[str, Any], played: PlayedZalo
) -> AsyncIterator[FastAPI]:
    """The app with a connected account."""
    made = make_app(make_settings(**given, join_pieces=False))
    async with made.router.lifespan_context(made):
        services = made.state.services
        pair = played.state.new_pair()
        await services.credentials.put(
            "zalo",
            account="OA",
            values={"access_token": pair["access_token"], "refresh_token": pair["refresh_token"]},
            expires_at=services.clock.now() + timedelta(hours=25),
        )
        yield made


def event(played: PlayedZalo, text: str = "lệ phí khai sinh?", **more: Any) -> dict[str, Any]:
    person = played.state.person("An")
    person.last_heard = played.state.now()
    return {
        "app_id": played.options.app_id,
        "sender": {"id": person.id},
        "recipient": {"id": played.options.oa_id},
        "event_name": "user_send_text",
        "message": {"text": text, "msg_id": played.state.new_message_id()},
        "timestamp": played.state.milliseconds(),
        **more,
    }


async def post(
    client: httpx.AsyncClient, played: PlayedZalo, body: dict[str, Any], *, forged: bool = False
) -> httpx.Response:
    raw = played.webhooks.body_of(body)
    signature = played.webhooks.sign(raw, str(body["timestamp"]), forged=forged)
    headers = {"X-ZEvent-Signature": signature, "Content-Type": "application/json"}
    return await client.post("/webhooks/zalo", content=raw, headers=headers)


def counted(result: str) -> float:
    labels = {"channel": "zalo", "result": result}
    return REGISTRY.get_sample_value("hotline_deliveries_total", labels) or 0.0


async def shown(played: PlayedZalo, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while len(played.state.person("An").screen) < count:  # noqa: ASYNC110 - the phone has no event
            await asyncio.sleep(0.01)
    return played.state.person("An").screen


async def test_a_message_is_answered_on_the_phone(client: httpx.AsyncClient, played: PlayedZalo):
    response = await post(client, played, event(played))
    assert (response.status_code, response.json()) == (200, {"ok": True})
    (answer,) = await shown(played, 1)
    assert answer["text"].startswith("trả lời: lệ phí khai sinh?")


async def test_a_repeat_changes_nothing(app: FastAPI, client: httpx.AsyncClient, played: PlayedZalo):
    body = event(played)
    for _ in range(3):
        assert (await post(client, played, body)).status_code == 200
    found = await app.state.services.inbox.state("zalo", played.state.person("An").id)
    assert [message.direction for message in found.messages].count("in") == 1


@pytest.mark.parametrize("secret", ["oa_secret", "app_secret"])
@pytest.mark.parametrize("first", ["app_id", "oa_id"])
async def test_both_readings_of_the_signature_are_taken(
    client: httpx.AsyncClient, played: PlayedZalo, first: str, secret: str
):
    played.options.first_term, played.options.signing_secret = first, secret
    assert (await post(client, played, event(played))).status_code == 200


async def test_a_bad_signature_is_refused_and_counted(
    app: FastAPI, client: httpx.AsyncClient, played: PlayedZalo
):
    before = counted("bad_signature")
    response = await post(client, played, event(played), forged=True)
    assert (response.status_code, response.json()["error"]) == (403, "forbidden")
    assert counted("bad_signature") == before + 1
    assert await app.state.services.inbox.conversation_of("zalo", played.state.person("An").id) is None


async def test_what_is_no_json_is_refused(client: httpx.AsyncClient):
    assert (await client.post("/webhooks/zalo", content=b"{")).status_code == 400


async def test_a_body_of_more_than_a_megabyte_is_refused(client: httpx.AsyncClient):
    response = await client.post("/webhooks/zalo", content=b" " * (1024 * 1024 + 1))
    assert response.status_code == 413


async def test_an_event_we_do_not_know_is_acknowledged(client: httpx.AsyncClient, played: PlayedZalo):
    assert (await post(client, played, event(played, event_name="something_new"))).status_code == 200


async def test_a_database_that_is_away_makes_zalo_come_again(
    app: FastAPI, client: httpx.AsyncClient, played: PlayedZalo
):
    await app.state.services.zalo.tokens.access()
    async with app.state.services.database.write() as session:
        await session.execute(text("ALTER TABLE messages RENAME TO gone"))
    response = await post(client, played, event(played))
    assert (response.status_code, response.json()["error"]) == (503, "storage_unavailable")
    emergency = event(played, "cháy nhà ở đường Hùng Vương, cứu với")
    for _ in range(2):
        assert (await post(client, played, emergency)).status_code == 503
    (said,) = await shown(played, 1)
    assert "114" in said["text"]


async def test_among_repeats_and_forgeries_each_good_message_is_answered_once(
    client: httpx.AsyncClient, played: PlayedZalo
):
    good = 0
    for number in range(20):
        body = event(played, f"câu hỏi {number}")
        forged = number % 5 == 0
        good += not forged
        for _ in range(2):
            await post(client, played, body, forged=forged)
    answers = [one["text"] for one in await shown(played, good)]
    assert len(answers) == len(set(answers)) == good


async def test_without_the_accounts_secret_the_address_is_alive_and_takes_nothing(
    make_settings: Callable[..., Settings], given: dict[str, Any], played: PlayedZalo
):
    """Zalo calls the address before it shows the secret."""
    made = make_app(make_settings(**{**given, "zalo_oa_secret": ""}))
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
            assert (await post(opened, played, event(played))).status_code == 200
        services = made.state.services
        assert await services.inbox.conversation_of("zalo", played.state.person("An").id) is None


async def test_without_settings_the_channel_is_off(make_settings: Callable[..., Settings]):
    made = make_app(make_settings())
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
            response = await opened.post("/webhooks/zalo", content=json.dumps({}))
    assert response.status_code == 404


async def test_the_home_page_bears_zalos_mark(
    make_settings: Callable[..., Settings], client: httpx.AsyncClient
):
    assert "zalo-platform-site-verification" not in (await client.get("/")).text
    made = make_app(make_settings(zalo_site_verification='a"b'))
    async with made.router.lifespan_context(made):
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
            page = (await opened.get("/")).text
    assert '<meta name="zalo-platform-site-verification" content="a&#34;b">' in page
