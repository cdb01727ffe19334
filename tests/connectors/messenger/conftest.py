"""A played Messenger, our connector in front of it, and a recorder of what is handed on."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import ChannelEvent, InboundMessage, OutboundMessage, Received
from connectors.messenger.client import GraphClient
from connectors.messenger.connector import Messenger
from conversations.schemas import Button, OutboundFile
from database.base import new_id
from database.clock import SystemClock
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options

PAYLOADS = Path(__file__).parent / "payloads"


class ShiftedClock:
    """The real time, put forward."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset


class Recorder:
    """Takes what a connector hands on."""

    def __init__(self) -> None:
        self.messages: list[InboundMessage] = []
        self.events: list[ChannelEvent] = []
        self.fails_with: Exception | None = None

    async def receive(self, message: InboundMessage) -> Received:
        if self.fails_with is not None:
            raise self.fails_with
        is_repeat = any(m.provider_message_id == message.provider_message_id for m in self.messages)
        self.messages.append(message)
        return Received(new_id(), "c", len(self.messages), is_repeat)

    async def note(self, event: ChannelEvent) -> None:
        if self.fails_with is not None:
            raise self.fails_with
        self.events.append(event)


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
def shifted_clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
async def played() -> AsyncIterator[PlayedMessenger]:
    server = PlayedMessenger(Options(seed=1, first_retry=0.02))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def client(played: PlayedMessenger) -> AsyncIterator[GraphClient]:
    options = played.options

    async def token() -> str | None:
        return options.page_token

    made = GraphClient(
        page_id=options.page_id,
        app_id=options.app_id,
        app_secret=options.app_secret,
        token=token,
        api_url=played.api_url,
        timeout=2.0,
    )
    yield made
    await made.close()


@pytest.fixture
def messenger(client: GraphClient, shifted_clock: ShiftedClock) -> Messenger:
    return Messenger(client, shifted_clock, human_agent=True)


@pytest.fixture
def outbound(played: PlayedMessenger) -> Callable[..., OutboundMessage]:
    """Make a message to somebody who has just written."""

    def make(text: str = "Dạ, em chào anh/chị.", user: str = "lan", **more: Any) -> OutboundMessage:
        person = played.state.person(user)
        if person.last_heard is None:
            person.last_heard = played.state.now()
        values: dict[str, Any] = {
            "id": new_id(),
            "conversation_id": new_id(),
            "channel": "messenger",
            "external_user_id": person.id,
            "sequence": 2,
            "buttons": (),
            "author": "bot",
            "attempt": 1,
            "created_at": SystemClock().now(),
            "last_heard_at": person.last_heard,
        }
        if "buttons" in more:
            more["buttons"] = tuple(Button(title=t, payload=p) for t, p in more["buttons"])
        return OutboundMessage(text=text, **{**values, **more})

    return make


@pytest.fixture
def a_file(tmp_path: Path) -> Callable[..., OutboundFile]:
    def make(content: bytes = b"%PDF-1.4 x", kind: str = "file", **more: Any) -> OutboundFile:
        path = tmp_path / new_id()
        path.write_bytes(content)
        values: dict[str, Any] = {
            "file_id": new_id(),
            "kind": kind,
            "name": "biên nhận.pdf" if kind == "file" else "ảnh.png",
            "content_type": "application/pdf" if kind == "file" else "image/png",
            "size": len(content),
            "path": path,
        }
        return OutboundFile(**{**values, **more})

    return make


@pytest.fixture
def payload() -> Callable[[str], bytes]:
    """Read a recorded delivery."""

    def read(name: str) -> bytes:
        content = (PAYLOADS / f"{name}.json").read_bytes()
        assert json.loads(content)["object"] == "page"
        return content

    return read
