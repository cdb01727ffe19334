"""The channels' page and figures: what an administrator sees, and who may."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI

from api.figures import FigureKeeper
from api.settings import Settings
from conversations.schemas import SendResult
from telemetry import metrics
from tests.api.conftest import make_app

HTML = {"accept": "text/html"}


@pytest.fixture
async def with_messenger(make_settings: Callable[..., Settings]) -> AsyncIterator[FastAPI]:
    made = make_app(
        make_settings(
            messenger_page_id="108",
            messenger_app_id="1022",
            messenger_app_secret="app-secret",
            messenger_page_token="token",
            messenger_api_url="http://127.0.0.1:9",
        )
    )
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def browser(with_messenger: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(with_messenger, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
        yield opened


async def log_in(app: FastAPI, client: httpx.AsyncClient, role: str) -> None:
    accounts = app.state.services.accounts
    _user, link = await accounts.users.invite(login=role, name=role, roles=(role,), actor="test")
    await accounts.set_password(link, "mat khau rat dai")
    opened = await client.post("/console/login", data={"login": role, "password": "mat khau rat dai"})
    assert opened.status_code == 303


async def test_only_who_may_see_it_does(with_messenger: FastAPI, browser: httpx.AsyncClient):
    assert (await browser.get("/console/channels", headers=HTML)).status_code == 303
    await log_in(with_messenger, browser, "operator")
    assert (await browser.get("/console/channels", headers=HTML)).status_code == 403
    assert "/console/channels" not in (await browser.get("/console", headers=HTML)).text


async def test_a_channel_that_is_well_and_one_that_is_not(
    with_messenger: FastAPI, browser: httpx.AsyncClient
):
    await log_in(with_messenger, browser, "administrator")
    page = (await browser.get("/console/channels", headers=HTML)).text
    assert "Messenger" in page
    assert "Chưa nhận, chưa gửi tin nào" in page
    assert "chưa có" in page
    health = with_messenger.state.services.health
    health.sent("messenger", SendResult.accepted("m1"))
    await health.flush()
    assert "Hoạt động bình thường" in (await browser.get("/console/channels/list", headers=HTML)).text
    health.state("messenger", "auth", "token_invalid")
    health.sent("messenger", SendResult.auth("token_invalid"))
    await health.flush()
    part = (await browser.get("/console/channels/list", headers=HTML)).text
    assert "<html" not in part
    assert "Kênh không chấp nhận quyền truy cập" in part
    assert "Mã truy cập của trang đã hết hạn" in part
    assert 'href="/console/channels/connect/messenger"' in part


async def test_a_supervisor_sees_it_but_connects_nothing(with_messenger: FastAPI, browser: httpx.AsyncClient):
    await log_in(with_messenger, browser, "supervisor")
    page = (await browser.get("/console/channels", headers=HTML)).text
    assert "Messenger" in page
    assert "connect/messenger" not in page


async def test_what_a_provider_delivers_is_counted_and_kept(
    with_messenger: FastAPI, browser: httpx.AsyncClient
):
    services = with_messenger.state.services
    now = int(services.clock.now().timestamp() * 1000)
    item = {"sender": {"id": "55"}, "recipient": {"id": "108"}, "timestamp": now}
    body = json.dumps(
        {"object": "page", "entry": [{"id": "108", "time": now, "messaging": [{**item, "dance": {"a": 1}}]}]}
    ).encode()
    good = "sha256=" + hmac.new(b"app-secret", body, hashlib.sha256).hexdigest()
    for signature, status in ((good, 200), (good, 200), ("sha256=00", 403)):
        answer = await browser.post(
            "/webhooks/messenger", content=body, headers={"X-Hub-Signature-256": signature}
        )
        assert answer.status_code == status
    await services.health.flush()
    (report,) = await services.health.reports()
    assert (report.events, report.refused) == (2, 1)
    assert len(report.unknown) == 1
    assert report.unknown[0][1] == 1
    await log_in(with_messenger, browser, "administrator")
    page = (await browser.get("/console/channels", headers=HTML)).text
    assert "Sự kiện lạ" in page
    assert "sai chữ ký" in page


async def test_the_figures_of_the_channels(with_messenger: FastAPI):
    services = with_messenger.state.services
    services.health.state("messenger", "down", "http_503")
    services.health.event("messenger", "message")
    await services.health.flush()
    await FigureKeeper(services).refresh()
    assert metrics.channel_up.labels("messenger")._value.get() == 0
    assert metrics.channel_quiet.labels("messenger")._value.get() == 0
    assert metrics.channel_last_event.labels("messenger")._value.get() >= 0
    assert math.isnan(metrics.channel_last_success.labels("messenger")._value.get())
