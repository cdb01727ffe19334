"""Kills our processes one after another while people write on."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

from deploy.channels_load.people import People
from deploy.channels_load.played import Played
from deploy.local.supervisor import Service, Supervisor

_WORKING = 0.5
"""Share of kills that wait until everything is up and answers; the others come when they come."""
_LONGEST_PAUSE = 3.0
_PATIENCE_SECONDS = 600.0


async def kill(
    kills: int,
    rate: float,
    supervisor: Supervisor,
    services: Sequence[Service],
    played: Played,
    people: People,
    chance: random.Random,
) -> dict[str, Any]:
    """Kill `kills` times while people write `rate` questions a second; return what was killed and when."""
    killed: Counter[str] = Counter()
    while_working = 0
    stopped = asyncio.Event()
    started = time.monotonic()
    async with asyncio.TaskGroup() as group:
        group.create_task(people.write_until(stopped, rate))
        for number in range(kills):
            service = services[number % len(services)]
            if chance.random() < _WORKING:
                await _working(services, played)
                while_working += 1
            await asyncio.sleep(chance.uniform(0, _LONGEST_PAUSE))
            while (pid := supervisor.pids().get(service.name)) is None:
                await asyncio.sleep(0.05)
            os.kill(pid, signal.SIGKILL)
            killed[service.name] += 1
            print(f"kill {number + 1} of {kills}: {service.name}", file=sys.stderr, flush=True)
        stopped.set()
    return {
        "killed": dict(killed),
        "while_working": while_working,
        "seconds": round(time.monotonic() - started, 1),
    }


async def _working(services: Sequence[Service], played: Played) -> None:
    """Wait until all processes are ready and the phones show an answer more than then."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        for service in services:
            while not await service.is_ready():
                await asyncio.sleep(0.1)
        before = await played.answers()
        while await played.answers() == before:
            await asyncio.sleep(0.1)
