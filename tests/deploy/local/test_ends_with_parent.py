"""What a supervisor has started ends with it, also when it is killed and can stop nothing itself."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from deploy.local.stack import ROOT
from deploy.local.tied import tied

_SUPERVISED = """
import asyncio, json, sys
from pathlib import Path
from deploy.local.supervisor import Service, Supervisor

async def main() -> None:
    folder = Path(sys.argv[1])
    async def is_ready() -> bool:
        return True
    def waits(name: str, nice: int) -> Service:
        # Deaf to all that asks politely.
        code = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        code += "print('up', flush=True); time.sleep(600)"
        return Service(name, (sys.executable, "-c", code), is_ready, nice=nice)
    supervisor = Supervisor(folder, folder / "logs", quiet=True)
    await supervisor.start(waits("first", 0), waits("second", 3))
    while not all((folder / "logs" / f"{name}.log").read_text() for name in ("first", "second")):
        await asyncio.sleep(0.01)
    print(json.dumps(supervisor.pids()), flush=True)
    await asyncio.sleep(600)

asyncio.run(main())
"""

_POSTGRES = """
import json, time
from deploy.local.postgres import PrivatePostgres

with PrivatePostgres() as server:
    print(json.dumps({"server": server.pids()[0]}), flush=True)
    time.sleep(600)
"""


@contextmanager
def running(code: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], dict[str, int]]]:
    """Run the code, which prints process ids; yield it with those."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process, json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def ended(handles: list[int], seconds: float = 60.0) -> bool:
    """Wait until all processes have ended, as the kernel tells it."""
    left = set(handles)
    until = time.monotonic() + seconds
    while left and time.monotonic() < until:
        readable, _, _ = select.select(list(left), [], [], until - time.monotonic())
        left -= set(readable)
    return not left


@contextmanager
def watched(pids: dict[str, int]) -> Iterator[list[int]]:
    handles = [os.pidfd_open(pid) for pid in pids.values()]
    try:
        yield handles
    finally:
        for handle in handles:
            os.close(handle)


def test_services_end_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    with running(_SUPERVISED, tmp_path) as (supervisor, pids), watched(pids) as handles:
        assert set(pids) == {"first", "second"}
        assert not ended(handles, 0.0)
        own = os.getpriority(os.PRIO_PROCESS, pids["first"])
        assert os.getpriority(os.PRIO_PROCESS, pids["second"]) == min(own + 3, 19)
        supervisor.send_signal(signal.SIGKILL)
        assert ended(handles)


@pytest.fixture
def anybodys() -> Iterator[Path]:
    """A folder that PostgreSQL may enter, too, which does not run as root."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_postgresql_ends_with_the_one_that_started_it_and_its_folder_with_the_next(anybodys: Path) -> None:
    with running(_POSTGRES, anybodys) as (owner, pids), watched(pids) as handles:
        (left,) = anybodys.glob("1022-postgres-*")
        owner.send_signal(signal.SIGKILL)
        assert ended(handles)
        assert left.is_dir()
    with running(_POSTGRES, anybodys):
        assert not left.exists()
        assert len(list(anybodys.glob("1022-postgres-*"))) == 1


def test_a_chain_ends_from_its_first_link(tmp_path: Path) -> None:
    """As make, the launcher and its services stand: whoever is killed, nothing below stays."""
    inner = """
import json, os, subprocess, sys
from deploy.local.tied import tied
child = subprocess.Popen(tied(["sleep", "600"], 9))
print(json.dumps({"middle": os.getpid(), "last": child.pid}), flush=True)
child.wait()
"""
    launcher = (sys.executable, "-I", "-S", str(ROOT / "deploy/local/tied.py"), "15", "0", "0", "-")
    outer = f"import subprocess; subprocess.run({[*launcher, sys.executable, '-c', inner]!r})"
    with running(outer, tmp_path) as (first, pids), watched(pids) as handles:
        first.send_signal(signal.SIGKILL)
        assert ended(handles)


def test_it_is_the_program_and_its_code() -> None:
    done = subprocess.run(
        tied([sys.executable, "-c", "import sys; print(sys.argv[1:]); sys.exit(7)", "a b", ""], 9),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.returncode) == ("['a b', '']\n", 7)


def test_a_program_that_is_missing_is_named() -> None:
    done = subprocess.run(tied(["/no/such/program"], 9), capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "/no/such/program: No such file or directory\n"


def test_nothing_is_started_for_one_who_is_gone() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    words = list(tied(["echo", "started"], 9))
    words[words.index(str(os.getpid()))] = str(gone.pid)
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("", 1)


@pytest.mark.parametrize("target", ["run", "bench", "faults", "channels-load", "predict IN=rows OUT=answers"])
def test_make_ties_what_starts_processes(target: str) -> None:
    # Tests may be run by make themselves: this one is asked as by a person.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-n", *target.split()],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    last = done.stdout.splitlines()[-1]
    assert last.startswith(".venv/bin/python -I -S deploy/local/tied.py 15 0 0 - .venv/bin/python -m deploy.")
