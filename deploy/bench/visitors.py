"""Visitors of the web chat, as many as wanted: they ask over HTTP and listen by server-sent events."""

from __future__ import annotations

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp

QUESTIONS = (
    "làm giấy khai sinh cho con cần giấy tờ gì",
    "lam can cuoc het bao nhieu tien",
    "đăng ký tạm trú ở đâu",
    "sang ten xe may cu can gi",
    "xin giấy xác nhận độc thân mất mấy ngày",
    "cảm ơn nhiều nhé",
)
EMERGENCY = "cháy nhà rồi, cứu với"
PATIENCE_SECONDS = 60.0
_REPEAT_SECONDS = 1.0
# Shorter than the server keeps an idle connection.
_KEPT_SECONDS = 3.0


@dataclass
class Visitor:
    """One open chat."""

    http: aiohttp.ClientSession
    url: str
    token: str = ""
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    """Set while the event stream is open."""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)
    answers: int = 0
    """Messages that came from the other side."""
    repeats: int = 0
    """How often something had to be said again."""

    async def open(self) -> None:
        """Open the chat."""
        async with self.http.post(f"{self.url}/chat/session", json={}) as response:
            response.raise_for_status()
            self.token = (await response.json())["token"]

    async def listen(self) -> None:
        """Read the event stream for ever."""
        timeout = aiohttp.ClientTimeout(total=None)
        parameters = {"token": self.token}
        async with self.http.get(f"{self.url}/chat/events", params=parameters, timeout=timeout) as stream:
            self.listening.set()
            async for line in stream.content:
                is_message = line.startswith(b"data: ") and b'"author"' in line
                if is_message and json.loads(line[6:])["author"] != "citizen":
                    self.answers += 1
                    self.answered.set()

    async def history(self) -> list[str]:
        """Return who said each message of this chat, as the page would show it."""
        authors: list[str] = []
        headers = {"Authorization": f"Bearer {self.token}"}
        while True:
            parameters = {"after": len(authors)}  # sequences have no gaps
            async with self.http.get(
                f"{self.url}/chat/messages", params=parameters, headers=headers
            ) as response:
                response.raise_for_status()
                page = (await response.json())["messages"]
            if not page:
                return authors
            authors += [message["author"] for message in page]

    async def say(self, text: str) -> float:
        """Say `text` without waiting for an answer; return the seconds until it was taken.

        As the widget does, it is said again under the same id until the system says yes.

        Raises:
            TimeoutError: that never happened.
        """
        started = time.perf_counter()
        body = {"client_id": str(uuid.uuid4()), "text": text}
        headers = {"Authorization": f"Bearer {self.token}"}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not await self._is_taken(body, headers):
                self.repeats += 1
                await asyncio.sleep(_REPEAT_SECONDS)
        return time.perf_counter() - started

    async def _is_taken(self, body: dict[str, str], headers: dict[str, str]) -> bool:
        try:
            async with self.http.post(f"{self.url}/chat/messages", json=body, headers=headers) as response:
                if response.status < 500:
                    response.raise_for_status()
                    return True
        except aiohttp.ClientConnectionError:
            pass  # a kept connection that the server was just closing
        return False

    async def ask(self, text: str) -> tuple[float, float]:
        """Say `text`; return the seconds until it was taken and until it was answered.

        Raises:
            TimeoutError: no answer came.
        """
        async with self.busy:
            self.answered.clear()
            started = time.perf_counter()
            taken = await self.say(text)
            await asyncio.wait_for(self.answered.wait(), PATIENCE_SECONDS)
            return taken, time.perf_counter() - started


@asynccontextmanager
async def open_chats(url: str, count: int) -> AsyncIterator[list[Visitor]]:
    """Yield `count` open chats that listen."""
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_KEPT_SECONDS)
    ) as http:
        chats = [Visitor(http, url) for _ in range(count)]
        for first in range(0, count, 50):
            await asyncio.gather(*(chat.open() for chat in chats[first : first + 50]))
        listeners = [asyncio.create_task(chat.listen()) for chat in chats]
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await asyncio.gather(*(chat.listening.wait() for chat in chats))
            yield chats
        finally:
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*listeners, return_exceptions=True)
