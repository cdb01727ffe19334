"""The compose file: complete, closed to the outside, and in step with the settings."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import Settings
from deploy.local.stack import ROOT

FOLDER = ROOT / "deploy" / "compose"
TEXT = (FOLDER / "compose.yml").read_text()
EXAMPLE = (FOLDER / ".env.example").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_SHOT = {"migrate", "backup"}
each = pytest.mark.parametrize("name", sorted(SERVICES))


@each
def test_a_service_is_watched_limited_and_has_no_rights(name: str) -> None:
    service = SERVICES[name]
    assert service["restart"] == {"migrate": "on-failure", "backup": "no"}.get(name, "unless-stopped")
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert service["logging"]["options"]["max-size"]
    assert service["deploy"]["resources"]["limits"]["memory"]
    assert re.fullmatch(r"[\w-]+:(\d[\w.-]*|\$\{VERSION:-[\d.]+\})", service["image"])
    has_own_check = "build" in service and "healthcheck" not in service
    assert has_own_check or service["healthcheck"]
    assert "depends_on" not in service  # the order of starts must not matter


def test_only_the_proxy_is_reached_from_outside() -> None:
    assert [name for name, service in SERVICES.items() if "ports" in service] == ["caddy"]
    assert SERVICES["caddy"]["networks"] == ["edge"]
    assert [name for name, service in SERVICES.items() if "edge" in service["networks"]] == ["caddy", "app"]
    assert COMPOSE["networks"]["inside"]["internal"] is True
    for name in ("postgres", "redis", "bot-1", "bot-2"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_everything_it_names_is_defined() -> None:
    for service in SERVICES.values():
        assert set(service["networks"]) <= set(COMPOSE["networks"])
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        for volume in service.get("volumes", ()):
            origin = volume.split(":")[0]
            if re.fullmatch(r"[a-z-]+", origin):
                assert origin in COMPOSE["volumes"]
        if "build" in service:
            assert (FOLDER / service["build"]["context"] / service["build"]["dockerfile"]).resolve().is_file()
    for url in SERVICES["app"]["environment"]["BOT_URL"].split(","):
        assert re.fullmatch(r"http://([\w-]+):5022", url)[1] in SERVICES  # type: ignore[index]


def test_settings_are_settings_and_all_are_explained() -> None:
    fields = {name.upper() for name in Settings.model_fields}
    app = SERVICES["app"]
    assert app["env_file"] == [".env"]
    assert set(app["environment"]) <= fields
    explained = set(re.findall(r"^([A-Z0-9_]+)=", EXAMPLE, re.MULTILINE))
    used = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    given = set(app["environment"]) | {name.upper() for name in app["secrets"]} | set(image_settings())
    assert not explained & given
    assert explained == used | (fields - given)
    for variable, default in re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", TEXT):
        assert f"\n{variable}={default}\n" in EXAMPLE, variable


def image_settings() -> list[str]:
    text = (ROOT / "deploy" / "images" / "app.Dockerfile").read_text()
    named = re.findall(r"^(?:ENV)? +([A-Z_]+)=", text, re.MULTILINE)
    return [name for name in named if name.lower() in Settings.model_fields]


def test_the_example_as_it_stands_is_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    made = Settings(_env_file=FOLDER / ".env.example")
    assert made.model_dump() == Settings(_env_file=None).model_dump()


def test_actions_have_a_process_of_their_own() -> None:
    assert SERVICES["actions"]["command"] == ["python", "-m", "api.actions_process"]
    settings = SERVICES["app"]["environment"]
    assert settings["SERVE_ACTIONS"] == "false"
    port = settings["ACTIONS_PORT"]
    assert settings["KNOWLEDGE_URL"] == f"http://actions:{port}/internal/knowledge"
    for bot in ("bot-1", "bot-2"):
        assert (
            SERVICES[bot]["environment"]["ACTIONS_URL"] == f"http://actions:{port}/internal/actions/webhook"
        )


def test_receiving_has_the_processor_first() -> None:
    shares = {name: service["cpu_shares"] for name, service in SERVICES.items()}
    first = {shares.pop(name) for name in ("caddy", "app", "postgres", "redis")}
    assert min(first) > shares.pop("worker") > max(shares.values())


def test_redis_keeps_what_it_is_given() -> None:
    command = " ".join(SERVICES["redis"]["command"])
    assert "--appendonly yes" in command
    assert "--maxmemory-policy noeviction" in command
    assert "--requirepass" in command


def test_secrets_are_files_and_made_once(tmp_path: Path) -> None:
    shutil.copy(FOLDER / "make-secrets.sh", tmp_path)
    for _ in range(2):
        done = subprocess.run(
            ["sh", "make-secrets.sh"], cwd=tmp_path, capture_output=True, text=True, check=True
        )
    assert done.stdout == ""
    folder = tmp_path / "secrets"
    made = {path.name: path.read_text() for path in folder.iterdir()}
    assert {f"./secrets/{name}" for name in made} == {each["file"] for each in COMPOSE["secrets"].values()}
    assert made["postgres_password"] in made["database_url"]
    assert made["redis_password"] in made["redis_url"]
    written = [text for text in made.values() if text]
    assert len(set(written)) == len(written) == 8
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert not re.search(r"(?i)password|secret_key|token: \S", _environments())


def _environments() -> str:
    kept = {"POSTGRES_PASSWORD_FILE"}
    lines = []
    for service in SERVICES.values():
        lines += [f"{k}: {v}" for k, v in service.get("environment", {}).items() if k not in kept]
    return "\n".join(lines)


def test_the_proxy_passes_events_on_at_once_and_hides_what_is_inside() -> None:
    text = (FOLDER / "Caddyfile").read_text()
    for line in (
        "flush_interval -1",
        "max_size 12MB",
        "Strict-Transport-Security",
        "@inside path /internal/* /metrics",
        "respond @inside 404",
        "reverse_proxy app:8022",
    ):
        assert line in text
    assert text.count("{") == text.count("}")
    assert set(re.findall(r"\{\$([A-Z_]+)\}", text)) == set(SERVICES["caddy"]["environment"])
