"""The page of the phones, in front of a played Messenger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest

from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options
from tests.providers.phone.server import PhonePage, Provider


@pytest.fixture
async def behind() -> AsyncIterator[PlayedMessenger]:
    played = PlayedMessenger(Options())
    await played.start()
    yield played
    await played.stop()


@pytest.fixture
async def phones(behind: PlayedMessenger) -> AsyncIterator[PhonePage]:
    page = PhonePage({"messenger": Provider(behind.url, behind.options.control_token)})
    await page.start()
    yield page
    await page.stop()


@pytest.fixture
async def visit(phones: PhonePage) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(phones.url) as session:
        yield session


@pytest.mark.parametrize("path", ["/", "/phone.js", "/phone.css", "/static/tokens.css", "/providers"])
async def test_the_page_and_its_parts(visit: aiohttp.ClientSession, path: str) -> None:
    async with visit.get(path) as answer:
        assert answer.status == 200


async def test_what_is_said_on_a_phone_shows_on_it(visit: aiohttp.ClientSession) -> None:
    said = {"user": "Chị Lan", "text": "Thủ tục khai sinh?"}
    async with visit.post("/control/messenger/say", json=said) as answer:
        assert answer.status == 200
    async with visit.get("/control/messenger/screen", params={"user": "Chị Lan"}) as answer:
        (shown,) = await answer.json()
    assert (shown["from"], shown["text"]) == ("me", "Thủ tục khai sinh?")


async def test_mistakes_are_passed_on(visit: aiohttp.ClientSession) -> None:
    async with visit.post("/control/messenger/say", json={"user": "Lan"}) as answer:
        assert (answer.status, await answer.json()) == (400, {"error": "nothing said"})


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/control/pigeon/users", 404),
        ("GET", "/control/messenger/secrets", 404),
        ("DELETE", "/control/messenger/users", 404),
        ("POST", "/control/messenger/say", 415),
    ],
)
async def test_only_the_page_s_own_calls(
    visit: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with visit.request(method, path, data="user=Lan&text=a" if method == "POST" else None) as answer:
        assert answer.status == status


async def test_a_provider_that_is_away(visit: aiohttp.ClientSession, behind: PlayedMessenger) -> None:
    await behind.stop()
    async with asyncio.timeout(60), visit.get("/control/messenger/users") as answer:
        assert answer.status == 502
