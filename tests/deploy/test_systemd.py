"""The units: hardened, limited, and starting what is there."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest

from api.settings import Settings
from deploy.local.stack import ROOT

FOLDER = ROOT / "deploy" / "systemd"
FIELDS = {name.upper() for name in Settings.model_fields}
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
    for name in ("app", "actions", "worker", "bot@"):
        unit = read(f"gialai-1022-{name}.service")
        assert unit["Restart"] == ["always"]
        assert unit["StartLimitIntervalSec"] == ["0"]
        assert unit["WantedBy"] == ["gialai-1022.target"]


def test_actions_have_a_process_of_their_own() -> None:
    assert read("gialai-1022-actions.service")["ExecStart"][0].endswith("-m api.actions_process")
    settings = read("settings.env.example")
    (port,) = settings["ACTIONS_PORT"]
    assert settings["SERVE_ACTIONS"] == ["false"]
    assert settings["KNOWLEDGE_URL"] == [f"http://127.0.0.1:{port}/internal/knowledge"]
    assert settings["ACTIONS_URL"] == [f"http://127.0.0.1:{port}/internal/actions/webhook"]
    assert {name for name in settings if name != "ACTIONS_URL"} <= FIELDS


def test_receiving_has_the_processor_first() -> None:
    def of(key: str, name: str) -> int:
        return int((read(f"gialai-1022-{name}.service")[key] or ["0"])[0])

    rest = ("actions", "bot@", "prepare", "backup")
    assert of("CPUWeight", "app") > of("CPUWeight", "worker") > max(of("CPUWeight", each) for each in rest)
    assert of("Nice", "app") < of("Nice", "worker") < min(of("Nice", each) for each in rest)


def test_secrets_are_credentials_where_they_are_needed() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    for name in ("app", "actions", "worker"):
        handed = {line.split(":")[0] for line in read(f"gialai-1022-{name}.service")["LoadCredential"]}
        assert handed == secret | {"database_url", "redis_url"}


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
