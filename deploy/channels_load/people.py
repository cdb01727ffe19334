"""Those who write on a played channel, however busy we are."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable

from deploy.channels_load.judge import Question
from deploy.channels_load.played import Played

_PAIRED = 0.3
"""Share of questions that are followed by another of the same person a tenth of a second later."""
_PAIR_SECONDS = 0.1
_QUESTION = "Câu hỏi số {number}: lệ phí khai sinh bao nhiêu?"


class People:
    """People with numbered questions.

    Args:
        played: their phones.
        users: how many they are.
        chance: who writes when.

    Attributes:
        questions: what they wrote, by number.
        waited: milliseconds the played provider took for each: long ones mean that it did not get the
            processor, and that its times say nothing.
    """

    def __init__(self, played: Played, users: int, chance: random.Random) -> None:
        self._played = played
        self._users = users
        self._chance = chance
        self._said = 0
        self.questions: dict[int, Question] = {}
        self.waited: list[float] = []

    async def write(self, messages: int, rate: float) -> None:
        """Write so many questions at so many a second, however long each call takes."""
        await self._write(lambda number: number < messages, rate)

    async def write_until(self, stopped: asyncio.Event, rate: float) -> None:
        """Write at so many a second until told to stop."""
        await self._write(lambda _number: not stopped.is_set(), rate)

    async def _write(self, goes_on: Callable[[int], bool], rate: float) -> None:
        started = time.monotonic()
        number = 0
        pairs: dict[int, str] = {}
        async with asyncio.TaskGroup() as group:
            while goes_on(number):
                await asyncio.sleep(max(0.0, started + number / rate - time.monotonic()))
                user = pairs.pop(number, None)
                if user is None:
                    user = f"u{self._chance.randrange(self._users)}"
                    if self._chance.random() < _PAIRED:
                        pairs[number + max(1, round(_PAIR_SECONDS * rate))] = user
                self._said += 1
                group.create_task(self._say(user, self._said))
                number += 1

    async def _say(self, user: str, number: int) -> None:
        started = time.monotonic()
        self.questions[number] = Question(*await self._played.say(user, _QUESTION.format(number=number)))
        self.waited.append((time.monotonic() - started) * 1000)
