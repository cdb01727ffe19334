"""`python -m deploy.faults`: kill processes of a running system under load, then check that nothing was lost.

A copy of the instance is started on free ports under the supervisor. Visitors send numbered messages and
repeat each until it is accepted. Meanwhile Redis, the bot, the app and, on PostgreSQL, the worker process are
killed with SIGKILL at random moments, also while they are still starting. At the end everything must have
been received once, answered once and in order, by the senders' own record.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import asdict, replace
from typing import Any

from database.engine import Database, sqlite_url
from deploy.bench.system import copy_knowledge
from deploy.faults.check import check, settled
from deploy.faults.senders import Senders
from deploy.local.postgres import PostgresMissingError, PrivatePostgres
from deploy.local.predict import copy_instance
from deploy.local.runs import Scratch, keep_logs, run_stoppable
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import Service, ServiceError, Supervisor

_PATIENCE_SECONDS = 180.0
_SETTINGS = {
    "ADDRESS_MESSAGES_PER_MINUTE": "1000000",
    "ADDRESS_SESSIONS_PER_MINUTE": "1000000",
    "LOG_LEVEL": "WARNING",
}


async def run(
    source: Stack, *, kills: int, settled_share: float, postgres: bool, rate: float, seed: int
) -> dict[str, Any]:
    """Do one run and return its record; `wrong` in it is empty when nothing was lost."""
    chance = random.Random(seed)  # noqa: S311 - chooses what to kill
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(Scratch("faults"))
        stack = replace(source, data_dir=folder).on_free_ports()
        copy_instance(source.data_dir, stack.data_dir)
        # A database of its own, with the knowledge and no conversations: every one in it has its sender.
        url = sqlite_url(stack.data_dir / "faults.sqlite3")
        if postgres:
            # Killed are our processes; the database server's own crash safety is its own.
            url = opened.enter_context(PrivatePostgres()).create("faults")
        settings = {**_SETTINGS, "DATABASE_URL": url}
        if postgres:
            settings["RUN_WORKER"] = "false"
        await copy_knowledge(stack.data_dir, url)
        supervisor = Supervisor(ROOT, stack.data_dir / "logs", quiet=True, longest_pause=1.0)
        opened.push_async_callback(supervisor.stop)
        services = await _start(supervisor, stack, settings, separate_worker=postgres)
        database = Database(url)
        opened.push_async_callback(database.close)

        senders = Senders(stack.url, rate, chance)
        stopped = asyncio.Event()
        sending = asyncio.create_task(senders.run(stopped))
        started = time.monotonic()
        killed = await _kill(supervisor, services, kills, settled_share, chance)
        await asyncio.gather(*(_until_ready(service) for service in services))
        stopped.set()
        await sending
        wrong = [] if await settled(database, _PATIENCE_SECONDS) else ["messages are left unfinished"]
        findings = await check(stack.url, database, senders.all)
        findings.wrong = wrong + findings.wrong
        seconds = time.monotonic() - started
        record = {"database": "postgresql" if postgres else "sqlite", "kills": killed, "seed": seed}
        if findings.wrong:
            keep_logs(stack.data_dir / "logs", source.data_dir, "faults")
        return {**record, "seconds": round(seconds), "visitors": len(senders.all), **asdict(findings)}


async def _start(
    supervisor: Supervisor, stack: Stack, settings: dict[str, str], *, separate_worker: bool
) -> list[Service]:
    redis = stack.redis_service()
    assert redis is not None  # on_free_ports asks for one of our own
    others = [stack.bot_service(), stack.actions_service(settings), stack.app_service(settings)]
    if separate_worker:
        others.append(stack.worker_service({**settings, "RUN_WORKER": "true"}))
    # All together: the order of starting must not matter.
    await supervisor.start(redis, *others)
    return [redis, *others]


async def _kill(
    supervisor: Supervisor, services: list[Service], kills: int, settled_share: float, chance: random.Random
) -> dict[str, int]:
    """Kill one process after another; `settled_share` of them only when all are up again."""
    killed: Counter[str] = Counter()
    plan = [services[number % len(services)].name for number in range(kills)]
    chance.shuffle(plan)
    for number, name in enumerate(plan, 1):
        if chance.random() < settled_share:
            await asyncio.gather(*(_until_ready(service) for service in services))
        await asyncio.sleep(chance.uniform(0, 3))
        while (pid := supervisor.pids().get(name)) is None:
            await asyncio.sleep(0.05)
        os.kill(pid, signal.SIGKILL)
        killed[name] += 1
        print(f"kill {number} of {kills}: {name}", file=sys.stderr, flush=True)
    return dict(killed)


async def _until_ready(service: Service) -> None:
    # Longer than one start may take: it may be killed again meanwhile.
    async with asyncio.timeout(_PATIENCE_SECONDS + service.start_seconds):
        while not await service.is_ready():
            await asyncio.sleep(0.2)


def main() -> int:
    """Read the command line, run, print the record; 1 when something was lost, doubled or out of order."""
    parser = argparse.ArgumentParser(prog="faults", description="Kills processes under load.")
    parser.add_argument("--kills", type=int, default=30, help="how many processes are killed")
    parser.add_argument(
        "--settled", type=float, default=0.5, metavar="SHARE", help="how many of them when all is up again"
    )
    parser.add_argument("--db", choices=("sqlite", "postgres"), default="sqlite", help="the database")
    parser.add_argument("--rate", type=float, default=5.0, help="messages a second")
    parser.add_argument("--seed", type=int, default=1022, help="chooses what is killed when")
    given = parser.parse_args()
    try:
        record = run_stoppable(
            run(
                Stack.from_environment(),
                kills=given.kills,
                settled_share=given.settled,
                postgres=given.db == "postgres",
                rate=given.rate,
                seed=given.seed,
            )
        )
    except (ServiceError, FileNotFoundError, PostgresMissingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(json.dumps(record, ensure_ascii=False, indent=2))
    return 1 if record["wrong"] else 0


if __name__ == "__main__":
    raise SystemExit(main())
