"""Visitors who keep sending whatever happens, and their own record of what was accepted."""

from __future__ import annotations

import asyncio
import itertools
import random
import uuid
from dataclasses import dataclass, field

import aiohttp

from deploy.bench.visitors import QUESTIONS

_PAUSE_SECONDS = 0.2
_MESSAGES_EACH = 5
_ANSWER_SECONDS = 5.0


@dataclass
class Sender:
    """One visitor.

    Attributes:
        accepted: ids of the messages the system said yes to, in the order they were said.
        repeats: how often something had to be sent again.
    """

    token: str
    accepted: list[str] = field(default_factory=list)
    repeats: int = 0


class Senders:
    """All visitors of one run.

    Args:
        url: where the system is.
        rate: messages a second, all visitors together, as long as the system takes them.
        chance: where the choice of pauses comes from.
    """

    def __init__(self, url: str, rate: float, chance: random.Random) -> None:
        self._url = url
        self._rate = rate
        self._chance = chance
        self._number = itertools.count(1)
        self.all: list[Sender] = []

    async def run(self, stopped: asyncio.Event) -> None:
        """Let visitors come until `stopped`, then wait until the last has had a yes to everything."""
        visitors: set[asyncio.Task[None]] = set()
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_SECONDS)) as http:
            while not stopped.is_set():
                task = asyncio.create_task(self._visit(http))
                visitors.add(task)
                task.add_done_callback(visitors.discard)
                await asyncio.sleep(self._chance.expovariate(self._rate / _MESSAGES_EACH))
            await asyncio.gather(*visitors)

    async def _visit(self, http: aiohttp.ClientSession) -> None:
        answer, _tries = await self._until_yes(http, "/chat/session", {}, {})
        sender = Sender(answer["token"])
        self.all.append(sender)
        for _ in range(_MESSAGES_EACH):
            number = next(self._number)
            # Numbered, so that no two are alike.
            text = f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"
            body = {"client_id": str(uuid.uuid4()), "text": text}
            headers = {"Authorization": f"Bearer {sender.token}"}
            answer, tries = await self._until_yes(http, "/chat/messages", body, headers)
            sender.accepted.append(answer["message_id"])
            sender.repeats += tries - 1
            await asyncio.sleep(self._chance.uniform(0, 2))
            if await self._is_handed_over(http, headers):
                return  # waits for a person; another visitor comes instead

    async def _is_handed_over(self, http: aiohttp.ClientSession, headers: dict[str, str]) -> bool:
        parameters = {"after": 1_000_000}
        try:
            async with http.get(f"{self._url}/chat/messages", params=parameters, headers=headers) as response:
                return response.status == 200 and (await response.json())["owner"] != "bot"
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _until_yes(
        self, http: aiohttp.ClientSession, path: str, body: dict[str, str], headers: dict[str, str]
    ) -> tuple[dict[str, str], int]:
        """Post until the system says yes, as the widget does; return its answer and how often that took."""
        for tries in itertools.count(1):
            try:
                async with http.post(self._url + path, json=body, headers=headers) as response:
                    if response.status < 300:
                        return await response.json(), tries
                    if response.status < 500:
                        raise AssertionError(f"refused with {response.status}: {await response.text()}")
            except (aiohttp.ClientError, TimeoutError):
                pass
            await asyncio.sleep(_PAUSE_SECONDS)
        raise AssertionError("unreachable")
