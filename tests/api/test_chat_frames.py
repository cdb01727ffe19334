"""Frames of any kind, thrown at the WebSocket: each is answered, nothing breaks or is stored by mistake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.types import Message

from api.app import create_app
from api.chat_socket import Close
from api.settings import Settings
from tests.api import fuzzing

Talk = Callable[[list[Any]], tuple[list[dict[str, Any]], int | None, int]]

_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)
_SAY = st.fixed_dictionaries(
    {"type": st.just("say"), "client_id": st.uuids().map(str) | st.text(max_size=40), "text": st.text()},
    optional={
        "postback": st.booleans() | _ANY_JSON,
        "location": st.dictionaries(st.sampled_from(["latitude", "longitude"]), st.floats()) | _ANY_JSON,
        "attachments": st.lists(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32) | st.text()),
        "extra": _ANY_JSON,
    },
)
_OTHER = st.fixed_dictionaries(
    {"type": st.sampled_from(["hello", "ping", "pong", "message", "ack", ""]) | st.text(max_size=9)},
    optional={"token": _ANY_JSON, "after": _ANY_JSON, "client_id": _ANY_JSON},
)
_FRAME = (
    (_SAY | _OTHER | _ANY_JSON).map(json.dumps)
    | st.text(max_size=60)
    | st.binary(max_size=60)
    | st.tuples(_SAY.map(json.dumps), st.integers(0, 40)).map(lambda cut: cut[0][: cut[1]])
)


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Talk]:
    """Send frames to an app of its own whose messages nobody works on.

    Returns what was said back, the code of the closing (None: the page closed it), and how many messages
    were stored.
    """
    options = {"redis_url": "", "serve_actions": False, "run_worker": False, "log_level": "INFO"}
    more = {"visitor_messages_per_minute": 10**6, "address_messages_per_minute": 10**6}
    folder = tmp_path_factory.mktemp("frames")
    app = create_app(Settings(_env_file=None, data_dir=folder, **options, **more))
    services = app.state.services

    async def converse(frames: list[Any]) -> tuple[list[dict[str, Any]], int | None, int]:
        visitor, token = services.visitors.new()
        said: list[dict[str, Any]] = []
        closed: list[int] = []
        hello = json.dumps({"type": "hello", "token": token})
        events: list[Message] = [{"type": "websocket.connect"}]
        for frame in (hello, *frames):
            field = "bytes" if isinstance(frame, bytes) else "text"
            events.append({"type": "websocket.receive", field: frame})
        events.append({"type": "websocket.disconnect", "code": 1000})
        waiting = iter(events)

        async def receive() -> Message:
            # The page waits for the answer to one frame before it sends the next.
            await asyncio.sleep(0)
            return next(waiting)

        async def send(event: Message) -> None:
            if event["type"] == "websocket.send":
                said.append(json.loads(event["text"]))
            elif event["type"] == "websocket.close":
                closed.append(event["code"])

        scope = {
            "type": "websocket",
            "path": "/chat/ws",
            "raw_path": b"/chat/ws",
            "query_string": b"",
            "headers": [],
            "client": ("127.0.0.1", 1),
        }
        await app(scope, receive, send)
        state = await services.inbox.state("webchat", visitor)
        return said, closed[0] if closed else None, len(state.messages) if state else 0

    with asyncio.Runner() as runner:
        runner.run(services.start())
        yield lambda frames: runner.run(converse(frames))
        runner.run(services.stop())


@settings(max_examples=fuzzing.EXAMPLES or 150, deadline=None)
@given(frames=st.lists(_FRAME, max_size=6))
def test_frames_of_any_kind(talk: Talk, frames: list[Any]):
    said, code, stored = talk(frames)
    assert code in (None, Close.FLOOD)
    # An emergency among them is answered in the same breath, in a message of its own.
    acknowledged = {frame["client_id"] for frame in said if frame["type"] == "ack"}
    assert len(acknowledged) <= stored <= 2 * len(acknowledged)
    assert all(frame["error"] != "internal" for frame in said if frame["type"] == "error")
    assert all(frame["message"] for frame in said if frame["type"] == "error")
    heard_of = acknowledged | {item.get("client_id") for item in said if item["type"] == "error"}
    for frame in frames:
        if _may_be_stored(frame) and code is None:
            client_id = json.loads(frame)["client_id"]
            assert {client_id, str(UUID(client_id))} & heard_of


def _may_be_stored(frame: Any) -> bool:
    """Tell whether a frame is a `say` with an id: then its page must hear about it."""
    try:
        content = json.loads(frame)
        return content["type"] == "say" and bool(UUID(content["client_id"])) and isinstance(frame, str)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return False


@settings(max_examples=fuzzing.EXAMPLES or 60, deadline=None)
@given(first=_FRAME, client_id=st.uuids().map(str))
def test_what_is_wrong_takes_nothing_with_it(talk: Talk, first: Any, client_id: str):
    said, _code, stored = talk(
        [first, json.dumps({"type": "say", "client_id": client_id, "text": "xin chào"})]
    )
    assert client_id in {frame.get("client_id") for frame in said if frame["type"] == "ack"}
    assert stored >= 1
