"""What is measured: steady rates, a burst, many open chats, emergencies with the bot stopped."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import statistics
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from deploy.bench.system import System
from deploy.bench.visitors import EMERGENCY, PATIENCE_SECONDS, QUESTIONS, Visitor, open_chats

Times = dict[str, list[float]]
"""Seconds by kind: `taken` (acknowledged), `answer`, `emergency`, `lost` (no answer in time)."""


@dataclass(frozen=True)
class Load:
    """So many messages a second for so long, from so many open chats; each tenth is an emergency."""

    rate: float
    seconds: float
    chats: int


def quantile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def summary(times: Times) -> dict[str, dict[str, float]]:
    """Return number, percentiles and mean in milliseconds, by kind."""
    return {
        kind: {
            "n": len(values),
            **{f"p{share * 100:.0f}": quantile(values, share) * 1000 for share in (0.5, 0.95, 0.99)},
            "mean": statistics.mean(values) * 1000,
        }
        for kind, values in times.items()
    }


async def _ask(chat: Visitor, text: str, kind: str, times: Times) -> None:
    try:
        taken, answered = await chat.ask(text)
    except TimeoutError:
        times["lost"].append(PATIENCE_SECONDS)
        return
    times["taken"].append(taken)
    times[kind].append(answered)


async def _at_rate(chats: list[Visitor], load: Load, *, emergencies_only: bool = False) -> Times:
    """Ask at a fixed rate, whether earlier questions are answered or not."""
    times: Times = defaultdict(list)
    started = time.perf_counter()
    tasks = []
    turns = zip(
        itertools.cycle(chats),
        itertools.cycle(QUESTIONS),
        range(int(load.rate * load.seconds)),
        strict=False,
    )
    for chat, question, number in turns:
        await asyncio.sleep(max(0.0, started + number / load.rate - time.perf_counter()))
        is_emergency = emergencies_only or number % 10 == 9
        text, kind = (EMERGENCY, "emergency") if is_emergency else (question, "answer")
        tasks.append(asyncio.create_task(_ask(chat, text, kind, times)))
    await asyncio.gather(*tasks)
    return times


async def warm_up(system: System) -> None:
    """Let the processes load what they load late."""
    async with open_chats(system.stack.url, 4) as chats:
        for question in QUESTIONS:
            await asyncio.gather(*(chat.ask(question) for chat in chats))


async def steady(system: System, load: Load) -> dict[str, Any]:
    """A steady rate."""
    async with open_chats(system.stack.url, load.chats) as chats:
        before = system.cpu_seconds()
        times = await _at_rate(chats, load)
        after = system.cpu_seconds()
        cores = {name: (seconds - before[name]) / load.seconds for name, seconds in after.items()}
        return {
            "rate": load.rate,
            "seconds": load.seconds,
            "chats": load.chats,
            "ms": summary(times),
            "cores": cores,
            "memory_mib": system.memory(),
        }


async def burst(system: System, *, messages: int, seconds: float, chats: int) -> dict[str, Any]:
    """Many messages in a few seconds: all are taken, and all are answered in the end."""
    async with open_chats(system.stack.url, chats) as visitors:
        started = time.perf_counter()

        async def say(number: int) -> float:
            await asyncio.sleep(max(0.0, started + number * seconds / messages - time.perf_counter()))
            return await visitors[number % chats].say(QUESTIONS[number % len(QUESTIONS)])

        taken = await asyncio.gather(*map(say, range(messages)))
        offered = time.perf_counter() - started
        await system.settle()
        drained = time.perf_counter() - started
        expected = await _said(visitors, "citizen")
        return {
            "messages": messages,
            "taken_in_seconds": offered,
            "drained_in_seconds": drained,
            "stored": expected,
            "lost": messages - expected,
            "repeats": sum(chat.repeats for chat in visitors),
            "ms": summary({"taken": list(taken)}),
        }


async def _said(visitors: list[Visitor], author: str) -> int:
    """Return how many messages of an author the visitors' pages show."""
    return sum([(await visitor.history()).count(author) for visitor in visitors])


async def open_and_active(system: System, *, chats: int, active: int, load: Load) -> dict[str, Any]:
    """Many open chats of which some are used."""
    before = system.memory()
    async with open_chats(system.stack.url, chats) as visitors:
        opened = system.memory()
        times = await _at_rate(visitors[:active], load)
        return {
            "chats": chats,
            "active": active,
            "rate": load.rate,
            "ms": summary(times),
            "app_mib": {"before": before["app"], "open": opened["app"], "in_use": system.memory()["app"]},
        }


async def without_bot(system: System, load: Load) -> dict[str, Any]:
    """Emergencies while the bot's process stands still: it takes connections and answers nothing."""
    pid = system.supervisor.pids()["bot"]
    async with open_chats(system.stack.url, load.chats) as chats:
        os.kill(pid, signal.SIGSTOP)
        try:
            # Others ask meanwhile, so that the workers wait for the bot.
            for chat in chats[: load.chats // 2]:
                await chat.say(QUESTIONS[0])
            times = await _at_rate(chats[load.chats // 2 :], load, emergencies_only=True)
        finally:
            os.kill(pid, signal.SIGCONT)
        await system.settle()
        return {"rate": load.rate, "seconds": load.seconds, "ms": summary(times)}
