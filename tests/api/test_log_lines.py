"""The real app in a process of its own: all it says is read, and nothing of what people said is in it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.api.conftest import TOKEN, free_port

ROOT = Path(__file__).parents[2]
PHONE, SPACED, IDENTITY, NAME = "0905123456", "0905 123 456", "052099001234", "Nguyễn Thị Hồng Thắm"
SECRETS = (PHONE, SPACED, IDENTITY, NAME, "Thắm", "ống nước nhà em", TOKEN)


class Served:
    """An app process, and what it printed."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.process = process
        self.url = url

    async def ended(self) -> str:
        """Stop it and return all it has said."""
        self.process.terminate()
        said, _ = await asyncio.wait_for(self.process.communicate(), 30)
        return said.decode("utf-8")


@pytest.fixture
async def served(tmp_path: Path, redis_url: str, bot: Any) -> AsyncIterator[Served]:
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "api", cwd=ROOT,
        env={
            "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1",
            "APP_PORT": str(port), "DATA_DIR": str(tmp_path), "REDIS_URL": redis_url, "BOT_URL": bot.url,
            "INTERNAL_TOKEN": TOKEN, "SERVE_ACTIONS": "false", "LOG_LEVEL": "DEBUG", "LOG_FORMAT": "json",
            "WORKER_CONCURRENCY": "2",
        },
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=url) as client, asyncio.timeout(60):
        while True:
            try:
                await client.get("/health")
                break
            except httpx.TransportError:
                await asyncio.sleep(0.1)
    yield Served(process, url)
    if process.returncode is None:
        process.kill()
        await process.communicate()


async def test_a_chat_leaves_ids_in_the_log_and_nothing_of_what_was_said(served: Served, bot: Any):
    async with httpx.AsyncClient(base_url=served.url) as client:
        opened = (await client.post("/chat/session", json={"token": f"{PHONE}.{IDENTITY}"})).json()
        headers = {"Authorization": f"Bearer {opened['token']}", "X-Request-ID": "hospital-7-0001"}

        async def say(text: str) -> str:
            body = {"client_id": str(uuid4()), "text": text}
            response = await client.post("/chat/messages", json=body, headers=headers)
            return str(response.json()["message_id"])

        async def heard(count: int) -> None:
            async with asyncio.timeout(60):
                while True:
                    shown = (await client.get("/chat/messages", headers=headers)).json()["messages"]
                    if len(shown) >= count:
                        return
                    await asyncio.sleep(0.05)

        first = await say(f"Em tên {NAME}, sđt {PHONE}, cccd {IDENTITY}, ống nước nhà em bị vỡ")
        await heard(2)
        await say(f"gọi lại số {SPACED} nhé, cháy nhà rồi cứu với, {NAME}")
        await heard(4)
        # What goes wrong quotes what it choked on: bodies, paths, queries, a bot that answers rubbish.
        await client.post("/chat/messages", content=f'{{"text": "{NAME} {PHONE}"'.encode(), headers=headers)
        await client.post("/chat/messages", json={"client_id": NAME, "text": PHONE}, headers=headers)
        await client.get(f"/{NAME}/{PHONE}", params={"phone": IDENTITY})
        await client.get("/chat/events", params={"token": f"{IDENTITY}-{PHONE}"})
        await client.post("/internal/actions/webhook", params={"token": TOKEN}, json={"next_action": NAME})
        bot.turn = {"route": NAME}
        await say(f"câu hỏi của {NAME}?")
        await heard(6)
        bot.is_broken = True
        await say(f"câu hỏi khác của {NAME}, {PHONE}?")
        await heard(8)
        token = opened["token"]
    said = await served.ended()
    for secret in (*SECRETS, token):
        assert secret not in said, secret
    lines = [json.loads(line) for line in said.splitlines()]
    assert all({"timestamp", "level", "service", "correlation_id", "event"} <= set(line) for line in lines)
    way = [line["event"] for line in lines if line["correlation_id"] == first]
    assert sorted(way) == ["message_handled", "message_received", "message_sent", "request"]
    (request,) = [line for line in lines if line["event"] == "request" and line["correlation_id"] == first]
    assert request["request_id"] == "hospital-7-0001"
    assert request["path"] == "/chat/messages"
    assert bot.ids[0] == first
    failed = [line for line in lines if line["event"] == "bot_failed"]
    assert failed[0]["reason"] == "bot_error_500"
    assert failed[0]["correlation_id"] == failed[0]["message_id"]
