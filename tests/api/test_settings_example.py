"""`.env.example` names every setting with its default, and nothing that is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from api.settings import Settings
from deploy.local.stack import ROOT, Stack

EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
NAMED = re.findall(r"^#([A-Z_0-9]+)=(.*)$", EXAMPLE, re.MULTILINE)
OF_MAKE_RUN = {"BOT_PORT": "5022", "REDIS_PORT": "6022"}


def test_every_setting_is_named_once() -> None:
    settings = [name for name, _ in NAMED if name not in OF_MAKE_RUN]
    assert sorted(settings) == sorted(name.upper() for name in Settings.model_fields)


def test_nothing_is_set_by_copying_it() -> None:
    assert re.findall(r"^[A-Z_0-9]+=", EXAMPLE, re.MULTILINE) == []


def test_what_stands_there_is_the_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    file = tmp_path / ".env"
    file.write_text("\n".join(f"{name}={value}" for name, value in NAMED), encoding="utf-8")
    assert Settings(_env_file=file).model_dump() == Settings(_env_file=None).model_dump()
    assert OF_MAKE_RUN.items() <= dict(NAMED).items()
    assert (Stack.bot_port, Stack.redis_port, Stack.actions_port) == (5022, 6022, 4022)
