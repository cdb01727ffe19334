"""Messenger's entrance and the page that connects it, with the app and a played Messenger."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import text

from api.app import create_app
from api.messenger import missing_settings
from api.messenger_profile import run
from api.settings import Settings
from connectors.messenger.signature import sign
from conversations.channel_events import ChannelEvent
from conversations.schemas import InboundMessage, Received
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options

PAGE = "/console/channels/connect/messenger"
HTML = {"Accept": "text/html"}


class Recorded:
    """The real inbox, with what else is noted written down."""

    def __init__(self, app: FastAPI) -> None:
        self._inbox = app.state.services.inbox
        self.events: list[ChannelEvent] = []

    async def receive(self, message: InboundMessage) -> Received:
        return await self._inbox.receive(message)  # type: ignore[no-any-return]

    async def note(self, event: ChannelEvent) -> None:
        self.events.append(event)


@pytest.fixture
async def meta() -> AsyncIterator[PlayedMessenger]:
    played = PlayedMessenger(Options(seed=3))
    await played.start()
    yield played
    await played.stop()


@pytest.fixture
def messenger_settings(make_settings: Callable[..., Settings], meta: PlayedMessenger) -> Callable[..., Settings]:
    def make(**more: Any) -> Settings:
        values = {name.lower(): value for name, value in meta.settings().items()}
        return make_settings(**{**values, **more})

    return make


@pytest.fixture
async def connected(messenger_settings: Callable[..., Settings]) -> AsyncIterator[FastAPI]:
    made = create_app(messenger_settings(messenger_page_token=""))
    async with made.router.lifespan_context(made):
        made.state.services.intake = Recorded(made)
        yield made


@pytest.fixture
async def http(connected: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(connected, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://1022") as opened:
        yield opened


async def as_role(app: FastAPI, client: httpx.AsyncClient, role: str) -> str:
    """Log somebody in; return the session's own mark."""
    accounts = app.state.services.accounts
    user = await accounts.add_user(login=role, name=role, roles=(role,))
    await accounts.set_password(await accounts.password_link(user.id), "mat khau rat dai")
    opened = await client.post("/console/login", data={"login": role, "password": "mat khau rat dai"})
    assert opened.status_code == 303
    page = await client.get("/console", headers=HTML)
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def body_of(words: str, mid: str = "m_1", page: str = "108800000001022") -> bytes:
    item = f'{{"sender":{{"id":"55"}},"timestamp":1763769600000,"message":{{"mid":"{mid}","text":"{words}"}}}}'
    return f'{{"object":"page","entry":[{{"id":"{page}","time":1,"messaging":[{item}]}}]}}'.encode()


async def post(http: httpx.AsyncClient, meta: PlayedMessenger, body: bytes, **headers: str) -> httpx.Response:
    signed = {"X-Hub-Signature-256": sign(body, meta.options.app_secret), **headers}
    return await http.post("/webhooks/messenger", content=body, headers=signed)
