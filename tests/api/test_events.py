"""The event stream over a real server: replies as they happen, going on where it was, signs of life."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

import httpx
import pytest

from api.settings import Settings
from tests.api.conftest import free_port, serving


@pytest.fixture
async def served(make_settings: Callable[..., Settings]) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(make_settings(app_port=free_port(), event_heartbeat=0.3)) as client:
        yield client


async def frames(response: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    frame: dict[str, Any] = {}
    async for line in response.aiter_lines():
        if not line:
            if frame:
                yield frame
            frame = {}
        elif line.startswith(":"):
            yield {"comment": line}
        else:
            name, _, value = line.partition(": ")
            frame[name] = json.loads(value) if name == "data" else value


async def say(client: httpx.AsyncClient, token: str, text: str) -> None:
    body = {"client_id": str(uuid4()), "text": text}
    response = await client.post("/chat/messages", json=body, headers={"Authorization": f"Bearer {token}"})
    assert response.status_code == 202


async def take(events: AsyncIterator[dict[str, Any]], count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(60):
        async for event in events:
            if event.get("event") == "message":
                found.append(event)
                if len(found) == count:
                    return found
    raise AssertionError("the stream ended")


async def test_listening_from_before_the_first_message(served: httpx.AsyncClient):
    token = (await served.post("/chat/session", json={})).json()["token"]
    async with served.stream("GET", "/chat/events", params={"token": token}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        events = frames(response)
        await say(served, token, "lệ phí khai sinh?")
        first, second = await take(events, 2)
        assert (first["id"], second["id"]) == ("1", "2")
        assert first["data"]["author"] == "citizen"
        assert second["data"]["text"] == "trả lời: lệ phí khai sinh?"
        assert second["data"]["route"] == "answer"
        await say(served, token, "thời hạn?")
        assert [event["id"] for event in await take(events, 2)] == ["3", "4"]


async def test_a_lost_connection_goes_on_where_it_was(served: httpx.AsyncClient):
    token = (await served.post("/chat/session", json={})).json()["token"]
    for text in ("một?", "hai?"):
        await say(served, token, text)
    async with served.stream("GET", "/chat/events", params={"token": token}) as response:
        await take(frames(response), 4)
    headers = {"Last-Event-ID": "3"}
    async with served.stream("GET", "/chat/events", params={"token": token}, headers=headers) as response:
        [event] = await take(frames(response), 1)
        assert event["id"] == "4"
    hostile = {"Last-Event-ID": "9" * 400}
    async with served.stream("GET", "/chat/events", params={"token": token}, headers=hostile) as response:
        assert response.status_code == 200


async def test_signs_of_life(served: httpx.AsyncClient):
    token = (await served.post("/chat/session", json={})).json()["token"]
    await say(served, token, "xin chào?")
    async with served.stream("GET", "/chat/events", params={"token": token, "after": 2}) as response:
        async with asyncio.timeout(60):
            async for event in frames(response):
                if "comment" in event:
                    break


async def test_the_owner_changes_on_open_pages(served: httpx.AsyncClient, bot: Any):
    bot.turn = {"route": "handoff", "handoff": {"reason": "muốn gặp người"}}
    token = (await served.post("/chat/session", json={})).json()["token"]
    async with served.stream("GET", "/chat/events", params={"token": token}) as response:
        events = frames(response)
        await say(served, token, "cho gặp người thật")
        async with asyncio.timeout(60):
            async for event in events:
                if event.get("event") == "owner":
                    assert event["data"] == {"owner": "queue"}
                    break
