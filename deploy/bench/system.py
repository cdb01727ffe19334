"""The system under measurement: a copy of the instance on free ports, and what its processes use."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import aiohttp
from sqlalchemy import Table, insert, select

from api.startup import prepare_database
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres
from deploy.local.predict import copy_instance
from deploy.local.runs import Scratch
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import Supervisor
from kb_index.models import KbEntry

_TICKS = os.sysconf("SC_CLK_TCK")
_NO_LIMITS = {
    "ADDRESS_MESSAGES_PER_MINUTE": "1000000",
    "VISITOR_MESSAGES_PER_MINUTE": "1000000",
    "ADDRESS_SESSIONS_PER_MINUTE": "1000000",
    "LOG_LEVEL": "WARNING",
}


@dataclass
class System:
    """A running system.

    Attributes:
        start_seconds: from nothing to ready.
    """

    stack: Stack
    supervisor: Supervisor
    postgres: PrivatePostgres | None = None
    start_seconds: float = 0.0

    def pids(self) -> dict[str, list[int]]:
        """Return the process ids by part."""
        found = {name: [pid] for name, pid in self.supervisor.pids().items()}
        if self.postgres is not None:
            found["postgres"] = self.postgres.pids()
        return found

    def cpu_seconds(self) -> dict[str, float]:
        """Return the processor seconds each part has used since it started."""
        return {name: sum(map(processor_seconds, pids)) for name, pids in self.pids().items()}

    def memory(self) -> dict[str, float]:
        """Return the resident memory of each part in MiB."""
        return {name: sum(map(_resident, pids)) for name, pids in self.pids().items()}

    async def settle(self) -> None:
        """Wait until nothing is being handled or sent."""
        async with aiohttp.ClientSession() as http:
            while True:
                async with http.get(f"{self.stack.url}/health/ready") as response:
                    if not (await response.json())["backlog"]:
                        return
                await asyncio.sleep(0.05)


@asynccontextmanager
async def running_system(
    source: Stack, *, postgres: bool, separate_worker: bool = False
) -> AsyncIterator[System]:
    """Start a copy of the instance `source` on free ports and yield it; nothing of it is kept.

    Raises:
        ServiceError: a process did not come up.
        FileNotFoundError: `source` holds no instance.
    """
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(Scratch("bench"))
        stack = replace(source, data_dir=folder).on_free_ports()
        copy_instance(source.data_dir, stack.data_dir)
        settings = dict(_NO_LIMITS)
        server = None
        if postgres:
            server = opened.enter_context(PrivatePostgres(durable=True))
            settings["DATABASE_URL"] = server.create("bench")
            await copy_knowledge(stack.data_dir, settings["DATABASE_URL"])
        supervisor = Supervisor(ROOT, stack.data_dir / "logs", quiet=True)
        opened.push_async_callback(supervisor.stop)
        started = time.monotonic()
        redis = stack.redis_service()
        assert redis is not None  # on_free_ports asks for one of our own
        await supervisor.start(redis)
        services = [stack.bot_service(), stack.actions_service(settings)]
        if separate_worker:
            services.append(stack.worker_service({**settings, "RUN_WORKER": "true"}))
            settings["RUN_WORKER"] = "false"
        await supervisor.start(*services, stack.app_service(settings))
        yield System(stack, supervisor, server, time.monotonic() - started)


async def copy_knowledge(source: Path, url: str) -> None:
    """Make the tables of the database at `url` and copy the knowledge base of the instance `source` there."""
    entries = cast(Table, KbEntry.__table__)
    old, new = Database(sqlite_url(source / "1022.sqlite3")), Database(url)
    try:
        await prepare_database(new)
        async with old.read() as session:
            rows = [dict(row) for row in (await session.execute(select(entries))).mappings()]
        async with new.write() as session:
            await session.execute(insert(entries), rows)
    finally:
        await old.close()
        await new.close()


def total(parts: dict[str, float], names: Iterable[str] | None = None) -> float:
    """Return the sum over all parts, or over those named."""
    return sum(value for name, value in parts.items() if names is None or name in names)


def processor_seconds(pid: int) -> float:
    """Return the processor seconds a process has used since it started."""
    # After the last parenthesis: the name before it may hold anything.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _resident(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
