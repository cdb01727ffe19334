"""What a message costs: processor time of the whole way against Rasa alone, in one run.

Both sides say the same texts in conversations of the same length, as many at once. "Alone" posts them
straight to Rasa's gateway, which runs its actions as always: the processor time of Rasa, of the actions and
of Redis (the tracker) is what Rasa alone costs. "Whole" sends them through the web
chat, with storing, announcing, dispatch, outbox and the event stream that the visitor listens to; what is
counted are all processes, and the database server where there is one. The visitors' own processor time
is not counted.
"""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from deploy.bench.system import System, total
from deploy.bench.visitors import QUESTIONS, open_chats

# What follows an answer (marking it as shown, indexing its words) is done by then; asking for it every few
# milliseconds would cost more than it.
_TRAILING_SECONDS = 2.5
_AT_ONCE = 4
_RASA = ("bot", "actions", "redis")


@dataclass(frozen=True)
class Cost:
    """Milliseconds of processor time a message, by process."""

    whole: dict[str, float]
    alone: dict[str, float]

    @property
    def ratio(self) -> float:
        """The whole way against Rasa alone."""
        return total(self.whole) / total(self.alone)

    def as_dict(self) -> dict[str, Any]:
        """Return it for the record."""
        return {
            "whole_ms": {**self.whole, "all": total(self.whole)},
            "alone_ms": {**self.alone, "all": total(self.alone)},
            "ratio": self.ratio,
        }


async def cost_of_a_message(system: System, *, rounds: int, chats: int, texts: int) -> Cost:
    """Measure `rounds` rounds of each side: `chats` conversations of `texts` messages, four at once."""
    said = [QUESTIONS[number % len(QUESTIONS)] for number in range(texts)]
    await _said_in_chats(system, said, chats)  # what is loaded late is loaded now
    spent: dict[str, dict[str, float]] = {"whole": {}, "alone": {}}
    for number in range(rounds):
        order = [("whole", _said_in_chats), ("alone", _posted_to_rasa)]
        for name, run in order if number % 2 == 0 else reversed(order):
            for part, seconds in (await run(system, said, chats)).items():
                spent[name][part] = spent[name].get(part, 0.0) + seconds
    messages = rounds * chats * texts
    per_message = {
        name: {part: seconds / messages * 1000 for part, seconds in parts.items()}
        for name, parts in spent.items()
    }
    return Cost(**per_message)


async def _said_in_chats(system: System, said: list[str], chats: int) -> dict[str, float]:
    # Opening a chat is no message: it is done before the counting begins.
    async with open_chats(system.stack.url, chats) as visitors:
        before = system.cpu_seconds()

        async def talk(first: int) -> None:
            for visitor in visitors[first::_AT_ONCE]:
                for text in said:
                    await visitor.ask(text)

        await asyncio.gather(*map(talk, range(_AT_ONCE)))
        await asyncio.sleep(_TRAILING_SECONDS)
        await system.settle()
        return _since(before, system)


async def _posted_to_rasa(system: System, said: list[str], chats: int) -> dict[str, float]:
    url = f"http://127.0.0.1:{system.stack.bot_port}/webhooks/gateway/messages"
    headers = {"Authorization": f"Bearer {system.stack.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def say(conversation: str, text: str) -> None:
            message_id = uuid.uuid4().hex
            body = {
                "conversation": f"{conversation}-1",
                "message_id": message_id,
                "text": text,
                "postback": False,
                "metadata": {
                    "message_id": message_id,
                    "conversation_id": conversation,
                    "channel": "webchat",
                    "text": text,
                },
            }
            async with http.post(url, json=body) as response:
                response.raise_for_status()
                await response.read()

        async def talk(first: int) -> None:
            for _chat in range(first, chats, _AT_ONCE):
                conversation = uuid.uuid4().hex
                for text in said:
                    await say(conversation, text)

        before = system.cpu_seconds()
        await asyncio.gather(*map(talk, range(_AT_ONCE)))
        return {part: seconds for part, seconds in _since(before, system).items() if part in _RASA}


def _since(before: dict[str, float], system: System) -> dict[str, float]:
    return {part: seconds - before[part] for part, seconds in system.cpu_seconds().items()}
