"""One run: the processes, the people who write, the outage, the kills, the verdict."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass, replace
from typing import Any

import aiohttp

from database.engine import sqlite_url
from deploy.bench.system import processor_seconds
from deploy.channels_load.judge import judge, judge_deliveries
from deploy.channels_load.played import Played
from deploy.local.postgres import PrivatePostgres
from deploy.local.providers import ProviderChannel, connected_settings, provider_service
from deploy.local.runs import Scratch, keep_logs
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import Service, Supervisor

_KEY = "channels-load-secret-key-of-this-run-only"
_SHARES = {"repeat_share": 0.10, "reorder_share": 0.05, "bad_signature_share": 0.02}
_PAIRED = 0.3
"""Share of questions that are followed by another of the same person a tenth of a second later."""
_PAIR_SECONDS = 0.1
_SETTLE_SECONDS = 180.0
_QUESTION = "Câu hỏi số {number}: lệ phí khai sinh bao nhiêu?"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is done in one run.

    Attributes:
        messages, users, rate: how many questions of how many people, how many a second.
        down_after, down_seconds: when the provider goes down, and for how long; 0: not at all.
        kills: how many times a process of ours is killed; `kill_rate`: questions a second meanwhile.
    """

    channel: ProviderChannel
    postgres: bool = False
    messages: int = 5_000
    users: int = 500
    rate: float = 50.0
    down_after: float = 40.0
    down_seconds: float = 120.0
    kills: int = 50
    kill_rate: float = 10.0
    seed: int = 1022


class People:
    """Those who write, and which of their questions were delivered with a right signature.

    Args:
        played: their phones.
        users: how many they are.
        chance: who writes when.
    """

    def __init__(self, played: Played, users: int, chance: random.Random) -> None:
        self._played = played
        self._users = users
        self._chance = chance
        self.said = 0
        self.good: set[int] = set()

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
                self.said += 1
                group.create_task(self._say(user, self.said))
                number += 1

    async def _say(self, user: str, number: int) -> None:
        if await self._played.say(user, _QUESTION.format(number=number)):
            self.good.add(number)


async def run(plan: Plan) -> dict[str, Any]:
    """Do what is planned with processes of its own; return the figures, `wrong` empty where all is well.

    Raises:
        ServiceError: a process did not come up.
    """
    chance = random.Random(plan.seed)  # noqa: S311 - decides who writes when
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(Scratch("channels"))
        source = Stack.from_environment()
        stack = replace(source, data_dir=folder).on_free_ports()
        url = sqlite_url(folder / "1022.sqlite3")
        if plan.postgres:
            url = opened.enter_context(PrivatePostgres(durable=True)).create("channels")
        supervisor = Supervisor(ROOT, folder / "logs", quiet=True, longest_pause=1.0)
        opened.push_async_callback(supervisor.stop)
        redis = stack.redis_service()
        assert redis is not None  # on_free_ports asks for one of our own
        port = stack.on_free_ports().app_port
        played = await opened.enter_async_context(Played(f"http://127.0.0.1:{port}"))
        provider = provider_service(plan.channel, port, stack)
        await supervisor.start(redis, _gateway(stack), provider)
        settings = {
            **await connected_settings(plan.channel, stack, folder / "logs", url, _KEY),
            "DATABASE_URL": url,
            "SERVE_ACTIONS": "false",
            "RUN_WORKER": "false" if plan.postgres else "true",
            "WORKER_CONCURRENCY": "32",
            "LOG_LEVEL": "WARNING",
        }
        ours = [stack.app_service(settings)]
        if plan.postgres:
            ours.append(stack.worker_service({**settings, "RUN_WORKER": "true"}))
        await supervisor.start(*ours)

        await played.faults(**_SHARES)
        people = People(played, plan.users, chance)
        figures: dict[str, Any] = {"plan": asdict(plan)}
        before = _used(supervisor)
        figures["load"] = await _load(plan, played, people)
        figures["processor_ms_per_message"] = {
            name: round((seconds - before[name]) * 1000 / plan.messages, 1)
            for name, seconds in _used(supervisor).items()
        }
        deliveries = await played.webhooks()
        if plan.kills:
            figures["kills"] = await _kill(plan, supervisor, ours, people, chance)
            figures["settled_seconds"] = await _settled(played, people)
        findings = await judge(played, people.good)
        figures["acknowledgement"] = judge_deliveries(deliveries, findings)
        figures["findings"] = asdict(findings)
        if findings.wrong:
            keep_logs(folder / "logs", source.data_dir, "channels-load")
        return figures


async def _load(plan: Plan, played: Played, people: People) -> dict[str, Any]:
    """Let people write while the provider goes down and comes back; return how long the backlog took."""
    figures: dict[str, Any] = {}
    started = time.monotonic()
    writing = asyncio.create_task(people.write(plan.messages, plan.rate))
    try:
        if plan.down_seconds:
            await asyncio.sleep(plan.down_after)
            await played.faults(down=True)
            await asyncio.sleep(plan.down_seconds)
            await played.faults(down=False)
            back = time.monotonic()
        await writing
    finally:
        writing.cancel()
    figures["written_seconds"] = round(time.monotonic() - started, 1)
    await _settled(played, people)
    if plan.down_seconds:
        figures["drained_seconds"] = round(time.monotonic() - back, 1)
    figures["seconds"] = round(time.monotonic() - started, 1)
    return figures


async def _kill(
    plan: Plan, supervisor: Supervisor, services: list[Service], people: People, chance: random.Random
) -> dict[str, int]:
    """Kill our processes, one after another, while people go on writing."""
    killed: dict[str, int] = {}
    stopped = asyncio.Event()
    writing = asyncio.create_task(people.write_until(stopped, plan.kill_rate))
    for number in range(plan.kills):
        service = services[number % len(services)]
        await _until_ready(service)
        await asyncio.sleep(chance.uniform(0.2, 2.5))
        while (pid := supervisor.pids().get(service.name)) is None:
            await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        killed[service.name] = killed.get(service.name, 0) + 1
        print(f"kill {number + 1} of {plan.kills}: {service.name}", file=sys.stderr, flush=True)
    stopped.set()
    await writing
    return killed


async def _settled(played: Played, people: People) -> float:
    """Wait until the phones show an answer to every good question, or show nothing new for long."""
    started = changed = time.monotonic()
    last = -1
    while True:
        items = await played.items()
        if items >= people.said + len(people.good):
            return round(time.monotonic() - started, 1)
        if items != last:
            last, changed = items, time.monotonic()
        elif time.monotonic() - changed > _SETTLE_SECONDS:
            return round(time.monotonic() - started, 1)
        await asyncio.sleep(0.5)


async def _until_ready(service: Service) -> None:
    async with asyncio.timeout(service.start_seconds):
        while not await service.is_ready():
            await asyncio.sleep(0.1)


def _used(supervisor: Supervisor) -> dict[str, float]:
    return {name: processor_seconds(pid) for name, pid in supervisor.pids().items()}


def _gateway(stack: Stack) -> Service:
    command = (sys.executable, "-m", "deploy.channels_load.gateway", "--port", str(stack.bot_port))
    return Service("gateway", command, _answers(f"http://127.0.0.1:{stack.bot_port}/webhooks/gateway/health"))


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        try:
            async with aiohttp.ClientSession() as http, http.get(url) as response:
                return response.status == 200
        except aiohttp.ClientError:
            return False

    return check
