"""The units: hardened, limited, and starting what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from deploy.local.stack import ROOT

FOLDER = ROOT / "deploy" / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelModules": "yes",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "UMask": "0077",
    "User": "gialai1022",
}


def read(name: str) -> dict[str, list[str]]:
    """Return the lines of all sections by key."""
    found: dict[str, list[str]] = defaultdict(list)
    for line in (FOLDER / name).read_text().splitlines():
        if line and not line.startswith(("#", "[")):
            key, _, value = line.partition("=")
            found[key].append(value)
    return found


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_hardened_and_limited(name: str) -> None:
    unit = read(name)
    for key, value in HARDENED.items():
        assert unit[key] == [value], key
    assert unit["MemoryMax"]
    assert unit["TasksMax"]
    assert unit["EnvironmentFile"] == ["/etc/gialai-1022/settings.env"]
    assert "SECRETS_DIR=%d" in unit["Environment"]


@pytest.mark.parametrize("name", SERVICES)
def test_it_starts_what_is_there(name: str) -> None:
    (command,) = read(name)["ExecStart"]
    found = re.fullmatch(r"/opt/gialai-1022/(\.venv|\.venv-bot)/bin/python -m ([\w.]+)( .*)?", command)
    assert found
    module = ROOT / found[2].replace(".", "/")
    assert module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()


def test_what_runs_for_ever_comes_back() -> None:
    for name in ("gialai-1022-app.service", "gialai-1022-worker.service", "gialai-1022-bot@.service"):
        unit = read(name)
        assert unit["Restart"] == ["always"]
        assert unit["StartLimitIntervalSec"] == ["0"]
        assert unit["WantedBy"] == ["gialai-1022.target"]


def test_the_timer_has_its_service() -> None:
    for timer in FOLDER.glob("*.timer"):
        assert timer.with_suffix(".service").is_file()
        assert read(timer.name)["Persistent"] == ["yes"]


def test_systemd_understands_them(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    for unit in FOLDER.iterdir():
        if unit.suffix not in {".service", ".timer", ".target"}:
            continue
        text = unit.read_text().replace("/opt/gialai-1022/", f"{ROOT}/")
        assert re.match(r"\[Unit\]\nDescription=", text)
        (tmp_path / unit.name.replace("@.", "@5022.")).write_text(text)
    if verify is None:
        return
    units = sorted(str(path) for path in tmp_path.iterdir())
    done = subprocess.run([verify, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
