"""Sending lets receiving go first, but not for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import accumulate, repeat

import pytest

from conversations.courtesy import Courtesy


def rounds(of: float) -> Iterator[float]:
    """Return the times a loop shows whose rounds take so many seconds."""
    return accumulate(repeat(of))


@pytest.mark.parametrize(("seconds", "asked"), [(0.0001, 2), (0.004, 5), (1.0, 2)])
async def test_a_busy_loop_gets_a_little_time(seconds: float, asked: int):
    times = rounds(seconds)
    shown: list[float] = []

    def now() -> float:
        shown.append(next(times))
        return shown[-1]

    await Courtesy(now).wait()
    assert len(shown) == asked


async def test_those_who_wait_begin_one_after_the_other():
    times = rounds(0.004)
    courtesy = Courtesy(lambda: next(times))
    begun: list[int] = []

    async def begin(number: int) -> None:
        await courtesy.wait()
        begun.append(number)

    async with asyncio.TaskGroup() as group:
        for number in range(20):
            group.create_task(begin(number))
    assert begun == list(range(20))
