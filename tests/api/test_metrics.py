"""The metrics as Prometheus reads them: who may, what they count, and that nobody can multiply them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.parser import text_string_to_metric_families

from api.app import create_app
from api.figures import FigureKeeper
from api.metrics_access import may_read
from api.settings import Settings

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def parse(body: str) -> Samples:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(body)
        for sample in family.samples
    }


async def read(client: httpx.AsyncClient, **headers: str) -> Samples:
    response = await client.get("/metrics", headers=headers)
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain; version=0.0.4")
    return parse(response.text)


def grown(before: Samples, after: Samples, name: str, **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return after.get(key, 0.0) - before.get(key, 0.0)


async def answered(visitor: Any, texts: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(60):
        while True:
            messages = (await visitor.read())["messages"]
            if sum(message["author"] != "citizen" for message in messages) >= texts:
                return messages  # type: ignore[no-any-return]
            await asyncio.sleep(0.02)


async def finished(app: FastAPI) -> None:
    """Wait until everything under way is done: an answer can be read before it is counted."""
    await app.state.services.core.worker.stop()
    await app.state.services.core.outbox.settle()


async def test_a_message_is_counted_on_its_whole_way(app: FastAPI, client: httpx.AsyncClient, visitor: Any):
    before = await read(client)
    key = str(uuid4())
    await visitor.say("lệ phí khai sinh bao nhiêu?", key)
    await visitor.say("lệ phí khai sinh bao nhiêu?", key)
    await answered(visitor, 1)
    await visitor.say("cháy nhà ở đường Hùng Vương, cứu với", str(uuid4()))
    await answered(visitor, 2)
    await finished(app)
    after = await read(client)
    count = {"channel": "webchat"}
    assert grown(before, after, "hotline_messages_received_total", **count, kind="text") == 2
    assert grown(before, after, "hotline_messages_repeated_total", **count) == 1
    assert grown(before, after, "hotline_answers_total", **count, route="answer") == 1
    assert grown(before, after, "hotline_answers_total", **count, route="redirect_114") == 1
    assert grown(before, after, "hotline_emergencies_total", kind="114") == 1
    assert grown(before, after, "hotline_sends_total", **count, result="accepted") == 2
    assert grown(before, after, "hotline_receive_seconds_count", **count) == 2
    assert grown(before, after, "hotline_queue_wait_seconds_count") == 1
    assert grown(before, after, "hotline_bot_seconds_count") == 1
    assert grown(before, after, "hotline_turn_seconds_count") == 2
    assert grown(before, after, "hotline_send_seconds_count", **count) == 2
    assert grown(before, after, "hotline_http_responses_total", surface="chat", status="2xx") >= 3


async def test_gauges_tell_how_the_instance_is(app: FastAPI, client: httpx.AsyncClient, visitor: Any):
    await visitor.say("chào em", str(uuid4()))
    await answered(visitor, 1)
    await app.state.services.core.outbox.settle()
    now = await read(client)
    assert now["hotline_part_up", (("part", "database"),)] == 1
    assert now["hotline_part_up", (("part", "bot"),)] == 1
    assert now["hotline_part_up", (("part", "redis"),)] == 1
    assert now["hotline_backlog_messages", (("state", "received"),)] == 0
    assert now["hotline_oldest_waiting_seconds", ()] == 0
    assert now["hotline_sessions", (("owner", "bot"),)] == 1
    assert now["hotline_bots", ()] == 1
    assert now["hotline_bots_resting", ()] == 0
    assert now["hotline_database_pool_limit", ()] > 0
    assert now["hotline_build_info", (("service", "app"), ("version", "0.1.0"))] == 1


async def test_what_waits_is_seen(make_settings: Callable[..., Settings]):
    from sqlalchemy import text as sql

    app = create_app(make_settings(run_worker=False))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            token = (await client.post("/chat/session", json={})).json()["token"]
            body = {"client_id": str(uuid4()), "text": "lệ phí khai sinh?"}
            await client.post("/chat/messages", json=body, headers={"Authorization": f"Bearer {token}"})
            async with app.state.services.database.write() as session:
                old = "UPDATE messages SET created_at = datetime('now', '-90 seconds')"
                await session.execute(sql(old))
                waits = (
                    "UPDATE conversations SET owner = 'queue', waiting_since = datetime('now', '-60 seconds')"
                )
                await session.execute(sql(waits))
            now = await read(client)
            assert now["hotline_backlog_messages", (("state", "received"),)] == 1
            assert 85 < now["hotline_oldest_waiting_seconds", ()] < 120
            assert 55 < now["hotline_queue_oldest_wait_seconds", ()] < 90
            assert now["hotline_sessions", (("owner", "queue"),)] == 1


async def test_a_broken_bot_is_counted_by_reason(
    app: FastAPI, client: httpx.AsyncClient, visitor: Any, bot: Any
):
    before = await read(client)
    bot.is_broken = True
    await visitor.say("lệ phí khai sinh?", str(uuid4()))
    await answered(visitor, 1)
    await finished(app)
    after = await read(client)
    assert grown(before, after, "hotline_bot_failures_total", reason="bot_error_5xx") == 1
    assert grown(before, after, "hotline_answers_total", channel="webchat", route="handoff") == 1


async def test_metrics_are_there_while_the_database_is_not(
    app: FastAPI, client: httpx.AsyncClient, visitor: Any
):
    from sqlalchemy import text as sql

    async with app.state.services.database.write() as session:
        await session.execute(sql("ALTER TABLE messages RENAME TO gone"))
    before = await read(client)
    await visitor.say("lệ phí khai sinh?", str(uuid4()))
    after = await read(client)
    assert after["hotline_part_up", (("part", "database"),)] == 0
    assert after["hotline_oldest_waiting_seconds", ()] != after["hotline_oldest_waiting_seconds", ()]
    assert grown(before, after, "hotline_messages_not_stored_total") == 1


async def test_hostile_values_make_no_new_series(
    app: FastAPI, client: httpx.AsyncClient, visitor: Any, bot: Any
):
    bot.turn = {"route": "answer"}
    await visitor.say("lệ phí?", str(uuid4()))
    await answered(visitor, 1)
    await app.state.services.core.outbox.settle()
    await client.request("GET", "/wp-admin")
    await client.get("/console", headers={"Accept": "*/*"})
    before = set(await read(client))
    bot.turn = {"route": "x" * 50}
    for number in range(5):
        await visitor.say(f"câu hỏi {number}?", str(uuid4()))
        await client.request(f"EVIL{number}", f"/evil-{number}?x=1")
        await client.get(f"/console-{number}", headers={"X-Request-ID": f"evil-evil-{number}"})
    await answered(visitor, 6)
    await app.state.services.core.outbox.settle()
    new = {key for key in set(await read(client)) - before if not key[0].startswith("python_")}
    assert all(dict(labels).get("route", "other") == "other" for _name, labels in new)
    assert all(value in ("other", "webchat", "4xx", "5xx") for _name, labels in new for _key, value in labels)
    assert len(new) <= 3


async def test_an_open_stream_is_counted_until_it_ends(make_settings: Callable[..., Settings]):
    from tests.api.conftest import free_port
    from tests.api.test_events import serving

    async with serving(make_settings(app_port=free_port(), event_heartbeat=0.1)) as client:
        token = (await client.post("/chat/session", json={})).json()["token"]
        async with client.stream("GET", "/chat/events", params={"token": token}) as stream:
            lines = stream.aiter_lines()
            await anext(lines)
            assert (await read(client))["hotline_open_connections", (("kind", "sse"),)] == 1
        async with asyncio.timeout(60):
            while True:
                if (await read(client))["hotline_open_connections", (("kind", "sse"),)] == 0:
                    break
                await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("address", "headers", "may"),
    [
        ("127.0.0.1", {}, True),
        ("::1", {}, True),
        ("10.9.0.7", {}, True),
        ("10.8.0.7", {}, False),
        ("203.0.113.9", {}, False),
        (None, {}, False),
        ("testclient", {}, False),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, False),
        ("203.0.113.9", {"authorization": "Bearer wrong"}, False),
        ("203.0.113.9", {"authorization": "Bearer right-token", "x-forwarded-for": "1.2.3.4"}, True),
    ],
)
def test_who_may_read(tmp_path: Any, address: str | None, headers: dict[str, str], may: bool):
    settings = Settings(
        _env_file=None,
        data_dir=tmp_path,
        metrics_token="right-token",
        metrics_networks="127.0.0.0/8, ::1/128, 10.9.0.0/16",
    )
    assert may_read(settings, address, headers) is may
    assert "right-token" not in repr(settings)


async def test_an_empty_token_opens_nothing(client: httpx.AsyncClient):
    headers = {"X-Forwarded-For": "203.0.113.9", "Authorization": "Bearer "}
    response = await client.get("/metrics", headers=headers)
    assert (response.status_code, response.json()["error"]) == (403, "forbidden")


async def test_figures_are_read_once_in_five_seconds(app: FastAPI):
    statements = 0

    def count(*_: Any) -> None:
        nonlocal statements
        statements += 1

    from sqlalchemy import event

    event.listen(app.state.services.database.engine.sync_engine, "before_cursor_execute", count)
    await FigureKeeper(app.state.services).refresh()
    once, statements = statements, 0
    keeper = FigureKeeper(app.state.services)
    await asyncio.gather(*(keeper.refresh() for _ in range(20)))
    assert 0 < statements <= once
