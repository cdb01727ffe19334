"""Processes are killed under load, and nobody's message is lost, doubled or out of order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.stack import ROOT


@pytest.mark.timeout(600)
def test_nothing_is_lost_when_processes_are_killed(instance: Path) -> None:
    """A short run; `make faults` does a long one, on either database."""
    run = subprocess.run(
        [sys.executable, "-m", "deploy.faults", "--kills", "6", "--rate", "4"],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "DATA_DIR": str(instance)},
        capture_output=True,
        text=True,
    )
    assert run.returncode in {0, 1}, run.stderr
    record = json.loads(run.stdout)
    assert record["wrong"] == []
    assert sum(record["kills"].values()) == 6
    assert record["sent"] > 20
