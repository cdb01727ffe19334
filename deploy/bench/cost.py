"""What a message costs: processor time of the whole way against Rasa alone, in one run.

Both sides say the same texts in conversations of the same length, as many at once. "Alone" posts them
straight to Rasa's gateway, which runs its actions in the app as always: the processor time of Rasa, of the
app (the actions) and of Redis (the tracker) is what Rasa alone costs. "Whole" sends them through the web
chat, with storing, announcing, dispatch, outbox and the event stream that the visitor listens to; what is
counted are the same processes, and the database server where there is one. The visitors' own processor time
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
    """Measure `rounds` rounds of each side, `chats` conversations at once of `texts` messages each."""
    said = [QUESTIONS[number % len(QUESTIONS)] for number in range(texts)]
    await _whole(system, said, chats)  # what is loaded late is loaded now
    spent: dict[str, dict[str, float]] = {"whole": {}, "alone": {}}
    for number in range(rounds):
        order = [("whole", _whole), ("alone", _alone)]
        for name, run in order if number % 2 == 0 else reversed(order):
            before = system.cpu_seconds()
            await run(system, said, chats)
            after = system.cpu_seconds()
            for part, seconds in after.items():
                spent[name][part] = spent[name].get(part, 0.0) + seconds - before[part]
    messages = rounds * chats * texts
    per_message = {
        name: {part: seconds / messages * 1000 for part, seconds in parts.items()}
        for name, parts in spent.items()
    }
    return Cost(**per_message)


async def _whole(system: System, said: list[str], chats: int) -> None:
    async with open_chats(system.stack.url, chats) as visitors:

        async def talk(number: int) -> None:
            for text in said:
                await visitors[number].ask(text)

        await asyncio.gather(*map(talk, range(chats)))
        await system.settle()


async def _alone(system: System, said: list[str], chats: int) -> None:
    url = f"http://127.0.0.1:{system.stack.bot_port}/webhooks/gateway/messages"
    headers = {"Authorization": f"Bearer {system.stack.token}"}
    async with aiohttp.ClientSession(headers=headers) as http:

        async def talk(_number: int) -> None:
            conversation = uuid.uuid4().hex
            for text in said:
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

        await asyncio.gather(*map(talk, range(chats)))
