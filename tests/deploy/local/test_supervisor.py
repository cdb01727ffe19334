"""The supervisor: what it starts finds its own temporary folder, empty, each time."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from deploy.local.stack import Stack
from deploy.local.supervisor import Service, Supervisor

_LEAVES_A_FILE = """
import os, sys, tempfile, time
before = len(os.listdir(os.environ["TMPDIR"]))
handle, name = tempfile.mkstemp()
print(before, os.path.dirname(name), flush=True)
time.sleep(600)
"""


async def test_what_a_killed_service_left_is_gone_when_it_starts_again(tmp_path: Path) -> None:
    scratch = tmp_path / "tmp" / "service"
    log = tmp_path / "logs" / "service.log"

    def lines() -> list[str]:
        found = log.read_text().splitlines() if log.is_file() else []
        return [line for line in found if line.endswith(str(scratch))]

    async def said(count: int) -> list[str]:
        async with asyncio.timeout(60):
            while len(lines()) < count:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.01)
        return lines()

    async def is_ready() -> bool:
        return bool(lines())

    supervisor = Supervisor(tmp_path, tmp_path / "logs", quiet=True, longest_pause=0.1)
    try:
        command = (sys.executable, "-c", _LEAVES_A_FILE)
        await supervisor.start(Service("service", command, is_ready, scratch=scratch))
        assert len(list(scratch.iterdir())) == 1
        os.kill(supervisor.pids()["service"], signal.SIGKILL)
        assert await said(2) == [f"0 {scratch}"] * 2
        assert len(list(scratch.iterdir())) == 1
    finally:
        await supervisor.stop()


def test_our_processes_have_temporary_folders_of_their_own(tmp_path: Path) -> None:
    stack = Stack(data_dir=tmp_path)
    services = [stack.bot_service(), stack.actions_service(), stack.app_service(), stack.worker_service()]
    folders = {service.name: service.scratch for service in services}
    assert folders == {name: tmp_path / "tmp" / name for name in ("bot", "actions", "app", "worker")}
