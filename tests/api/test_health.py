"""Alive and ready, with each part away by itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from api.app import create_app
from api.services import build_services
from api.settings import Settings
from api.worker_port import WorkerPort
from tests.api.conftest import free_port

NOWHERE = "127.0.0.1:1"


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[tuple[Any, httpx.AsyncClient]]:
    app = create_app(settings)
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            yield app, client


@pytest.mark.parametrize("path", ["/health", "/health/live"])
async def test_alive_whatever_is_away(make_settings: Callable[..., Settings], path: str):
    settings = make_settings(redis_url=f"redis://{NOWHERE}/0", bot_url=f"http://{NOWHERE}")
    async with opened(settings) as (app, client):
        async with app.state.services.database.write() as session:
            await session.execute(text("ALTER TABLE messages RENAME TO gone"))
        response = await client.get(path)
    assert (response.status_code, response.json()) == (200, {"status": "live"})


@pytest.mark.parametrize("path", ["/ready", "/health/ready"])
async def test_ready_when_everything_works(make_settings: Callable[..., Settings], path: str):
    async with opened(make_settings()) as (_app, client):
        response = await client.get(path)
    assert response.status_code == 200
    assert response.json() == {
        "status": "ready",
        "parts": {"database": "up", "redis": "up", "bot": "up", "knowledge": "off"},
        "backlog": {},
    }


@pytest.mark.parametrize(
    ("part", "changed"),
    [("redis", {"redis_url": f"redis://{NOWHERE}/0"}), ("bot", {"bot_url": f"http://{NOWHERE}"})],
)
async def test_without_a_part_that_can_be_missed_it_is_degraded(
    make_settings: Callable[..., Settings], part: str, changed: dict[str, str]
):
    async with opened(make_settings(**changed)) as (_app, client):
        response = await client.get("/ready")
        assert response.status_code == 200
        state = response.json()
        assert state["status"] == "degraded"
        assert [name for name, is_up in state["parts"].items() if is_up == "down"] == [part]
        token = (await client.post("/chat/session", json={})).json()["token"]
        body = {"client_id": "3f0c1d52-6a53-4b52-9d9c-1d2f9a0d3a11", "text": "lệ phí khai sinh?"}
        taken = await client.post("/chat/messages", json=body, headers={"Authorization": f"Bearer {token}"})
    assert taken.status_code == 202


async def test_a_bot_whose_model_is_not_loaded_is_down(make_settings: Callable[..., Settings], bot: Any):
    bot.health_status = 503
    async with opened(make_settings()) as (_app, client):
        assert (await client.get("/ready")).json()["parts"]["bot"] == "down"


async def test_without_the_search_index_it_is_degraded(make_settings: Callable[..., Settings]):
    settings = make_settings(serve_actions=True, embedding_model="/nowhere/model", log_level="INFO")
    async with opened(settings) as (_app, client):
        response = await client.get("/ready")
    assert response.status_code == 200
    state = response.json()
    assert (state["status"], state["parts"]["knowledge"]) == ("degraded", "down")


async def test_without_the_database_it_is_not_ready(make_settings: Callable[..., Settings]):
    async with opened(make_settings()) as (app, client):
        async with app.state.services.database.write() as session:
            await session.execute(text("ALTER TABLE messages RENAME TO gone"))
        response = await client.get("/ready")
    assert response.status_code == 503
    assert (response.json()["status"], response.json()["parts"]["database"]) == ("unready", "down")


async def test_a_worker_has_the_same_on_a_port_of_its_own(make_settings: Callable[..., Settings]):
    settings = make_settings(worker_port=free_port(), metrics_networks="10.9.0.0/16", metrics_token="right")
    services = build_services(settings)
    port = WorkerPort(services)
    await services.start()
    await port.open(settings.worker_host, settings.worker_port)
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{settings.worker_port}") as client:
            assert (await client.get("/health")).json() == {"status": "live"}
            assert (await client.get("/ready")).json()["status"] == "ready"
            assert (await client.get("/metrics")).status_code == 403
            shown = await client.get("/metrics", headers={"Authorization": "Bearer right"})
            assert shown.status_code == 200
            assert 'hotline_part_up{part="bot"} 1.0' in shown.text
            assert shown.headers["content-type"].startswith("text/plain; version=0.0.4")
            async with services.database.write() as session:
                await session.execute(text("ALTER TABLE messages RENAME TO gone"))
            assert (await client.get("/ready")).status_code == 503
    finally:
        await port.close()
        await services.stop()
