"""Connecting a Zalo account: the whole way over the played permission page."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from api.settings import Settings
from tests.api.conftest import make_app
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options

HERE = "/console/channels/connect/zalo"
PASSWORD = "mot con meo ngu tren mai"


@pytest.fixture
async def played() -> AsyncIterator[PlayedZalo]:
    server = PlayedZalo(Options(redirect_uri=f"https://1022.example{HERE}/callback"))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def app(make_settings: Callable[..., Settings], played: PlayedZalo) -> AsyncIterator[FastAPI]:
    given: dict[str, Any] = {name.lower(): value for name, value in played.settings().items()}
    made = make_app(make_settings(**given, public_url="https://1022.example"))
    async with made.router.lifespan_context(made):
        yield made


@pytest.fixture
async def administrator(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    services = app.state.services
    token = await services.accounts.create_first_admin()
    await services.accounts.set_password(token, PASSWORD)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://1022.example") as opened:
        entered = await opened.post("/console/login", data={"login": "admin", "password": PASSWORD})
        assert entered.status_code == 303
        yield opened


async def permission_link(client: httpx.AsyncClient) -> str:
    page = (await client.get(HERE)).text
    found = re.search(r'href="(http[^"]+/v4/oa/permission[^"]+)"', page)
    assert found is not None
    return html.unescape(found[1])


async def allowed(link: str) -> dict[str, str]:
    """Allow at Zalo; return what it sends the administrator back with."""
    async with httpx.AsyncClient() as zalo:
        back = (await zalo.get(link)).headers["location"]
    return {name: values[0] for name, values in parse_qs(urlsplit(back).query).items()}


def fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {name: html.unescape(value) for name, value in found}


async def finish(client: httpx.AsyncClient, back: dict[str, str]) -> httpx.Response:
    page = await client.get(f"{HERE}/finish", params=back)
    given = {"csrf": fields((await client.get(HERE)).text).get("csrf", ""), **back, **fields(page.text)}
    return await client.post(HERE, data=given)


async def test_the_whole_way(app: FastAPI, administrator: httpx.AsyncClient, played: PlayedZalo):
    page = (await administrator.get(HERE)).text
    challenge = app.state.services.zalo.oauth.code_challenge
    for value in (challenge, "https://1022.example/webhooks/zalo", f"https://1022.example{HERE}/callback"):
        assert value in page
    assert "Chưa kết nối OA nào." in page
    assert played.options.app_secret not in page and played.options.oa_secret not in page
    back = await allowed(await permission_link(administrator))
    # The visit from Zalo's page comes without the cookie, and leads on.
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="https://1022.example"
    ) as stranger:
        arrival = await stranger.get(f"{HERE}/callback", params=back)
    assert arrival.status_code == 200
    target = re.search(r'content="0;url=([^"]+)"', arrival.text)
    assert target is not None and html.unescape(target[1]).startswith(f"{HERE}/finish?")
    assert (await finish(administrator, back)).headers["location"] == f"{HERE}?done=1"
    stored = await app.state.services.credentials.get("zalo")
    assert stored.values["refresh_token"] == played.state.refresh
    assert (stored.account, stored.state) == (played.options.oa_name, "ok")
    page = html.unescape((await administrator.get(f"{HERE}?done=1")).text)
    assert f"Đã kết nối OA {played.options.oa_name}." in page
    assert stored.values["access_token"] not in page
    audit = await app.state.services.accounts.audit("zalo")
    assert [line.action for line in audit] == ["channel.connected"]


async def test_what_somebody_else_began_is_not_finished(
    app: FastAPI, administrator: httpx.AsyncClient, played: PlayedZalo
):
    back = await allowed(await permission_link(administrator))
    response = await finish(administrator, {**back, "state": back["state"][:-2]})
    assert response.status_code == 422
    assert await app.state.services.credentials.get("zalo") is None


async def test_a_code_that_zalo_does_not_know_changes_nothing(app: FastAPI, administrator: httpx.AsyncClient):
    back = await allowed(await permission_link(administrator))
    response = await finish(administrator, {**back, "code": "another"})
    assert response.status_code == 422 and "zalo_14002" in response.text
    assert await app.state.services.credentials.get("zalo") is None


async def test_another_account_is_refused(app: FastAPI, administrator: httpx.AsyncClient):
    back = await allowed(await permission_link(administrator))
    response = await finish(administrator, {**back, "oa_id": "999"})
    assert response.status_code == 422 and "ZALO_OA_ID" in response.text


async def test_without_the_sessions_own_mark_nothing_is_stored(
    app: FastAPI, administrator: httpx.AsyncClient
):
    back = await allowed(await permission_link(administrator))
    assert (await administrator.post(HERE, data={**back, "csrf": "x"})).status_code == 403
    assert await app.state.services.credentials.get("zalo") is None


async def test_strangers_and_operators_do_not_see_it(app: FastAPI):
    services = app.state.services
    await services.accounts.create_first_admin()
    _user, token = await services.accounts.users.invite(
        login="lan", name="Lan", roles=("operator",), actor="system"
    )
    await services.accounts.set_password(token, PASSWORD)
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="https://1022.example") as client:
        assert (await client.get(HERE)).status_code == 401
        await client.post("/console/login", data={"login": "lan", "password": PASSWORD})
        assert (await client.get(HERE)).status_code == 403
        assert (await client.get(f"{HERE}/finish")).status_code == 403


async def test_without_settings_the_page_says_which(make_settings: Callable[..., Settings]):
    made = make_app(make_settings())
    async with made.router.lifespan_context(made):
        services = made.state.services
        await services.accounts.set_password(await services.accounts.create_first_admin(), PASSWORD)
        transport = httpx.ASGITransport(made)
        async with httpx.AsyncClient(transport=transport, base_url="http://1022") as client:
            await client.post("/console/login", data={"login": "admin", "password": PASSWORD})
            page = (await client.get(HERE)).text
    assert "ZALO_APP_ID, ZALO_APP_SECRET" in page
