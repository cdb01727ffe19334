"""A run leaves nothing behind: neither when it ends, nor when it is told to stop, nor when it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.runs import Scratch, keep_logs, remove_left
from deploy.local.stack import ROOT

_RUN = """
import asyncio
from deploy.local.runs import Scratch, run_stoppable

async def main() -> None:
    with Scratch("run") as folder:
        (folder / "data").write_text("of the run")
        print(folder, flush=True)
        await asyncio.sleep(600)

run_stoppable(main())
"""


def started(folder: Path) -> tuple[subprocess.Popen[str], Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", _RUN],
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout as lines:
        return process, Path(lines.readline().strip())


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The machine's temporary folder, for this test alone."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def test_told_to_stop_it_cleans_up(machine: Path) -> None:
    process, folder = started(machine)
    assert (folder / "data").is_file()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=60) == 128 + signal.SIGTERM
    assert list(machine.iterdir()) == []


def test_killed_its_folder_goes_when_the_next_begins(machine: Path) -> None:
    process, folder = started(machine)
    with Scratch("other"):
        assert (folder / "data").is_file()  # it lives: nobody takes it away
        process.kill()
        process.wait()
        with Scratch("other") as other:
            assert not folder.exists()
            assert other.is_dir()
    assert list(machine.iterdir()) == []


def test_what_is_not_of_a_run_stays(machine: Path) -> None:
    (machine / "1022-kept").mkdir()
    (machine / "1022-kept" / "file").write_text("of somebody")
    (machine / "1022-linked").symlink_to(machine / "1022-kept")
    (machine / "1022-kept" / ".held").symlink_to(machine / "1022-kept" / "file")
    remove_left()
    assert (machine / "1022-kept" / "file").read_text() == "of somebody"


def test_only_the_last_logs_of_what_went_wrong_are_kept(tmp_path: Path) -> None:
    for number in (1, 2):
        logs = tmp_path / f"run-{number}" / "logs"
        logs.mkdir(parents=True)
        (logs / f"app-{number}.log").write_text("…")
        kept = keep_logs(logs, tmp_path / "instance", "faults")
    assert [file.name for file in kept.iterdir()] == ["app-2.log"]
    assert kept.parent == tmp_path / "instance" / "logs"
