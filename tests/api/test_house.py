"""What surrounds the routes: settings, health, internal entrance, headers, logs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.settings import Settings


def test_secrets_never_show(tmp_path: Path):
    settings = Settings(_env_file=None, data_dir=tmp_path, secret_key="hidden-1", internal_token="hidden-2")
    assert "hidden" not in repr(settings) + str(settings) + str(settings.model_dump())
    assert settings.resolved_secret_key() == "hidden-1"


def test_secrets_are_generated_once_and_for_the_owner_only(tmp_path: Path):
    settings = Settings(_env_file=None, data_dir=tmp_path)
    first = settings.resolved_secret_key()
    assert len(first) > 30
    assert Settings(_env_file=None, data_dir=tmp_path).resolved_secret_key() == first
    assert (tmp_path / "secret.key").stat().st_mode & 0o077 == 0
    assert settings.resolved_internal_token() != first


def test_every_setting_is_described():
    assert all(field.description for field in Settings.model_fields.values())


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("APP_PORT", "9000")
    monkeypatch.setenv("CHAT_ORIGINS", "https://a.example, https://b.example")
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    settings = Settings(_env_file=None)
    assert settings.app_port == 9000
    assert settings.chat_origins == ["https://a.example", "https://b.example"]
    assert settings.resolved_database_url() == f"sqlite+inline:///{tmp_path}/1022.sqlite3"


async def test_database_away_still_answers_emergencies(app: FastAPI, client: httpx.AsyncClient, visitor: Any):
    from uuid import uuid4

    from sqlalchemy import text

    async with app.state.services.database.write() as session:
        await session.execute(text("ALTER TABLE messages RENAME TO gone"))
    response = await visitor.say("cháy nhà ở đường Hùng Vương, cứu với", str(uuid4()))
    assert response.status_code == 503
    assert "114" in response.json()["message"]
    response = await visitor.say("lệ phí khai sinh?", str(uuid4()))
    assert (response.status_code, response.json()["error"]) == (503, "storage_unavailable")


@pytest.mark.parametrize("given", [{}, {"token": "wrong"}, {"token": "internal-tokeN"}])
async def test_internal_entrance_needs_the_token(client: httpx.AsyncClient, given: dict[str, str]):
    response = await client.post(
        "/internal/actions/webhook", params=given, json={"next_action": "action_answer"}
    )
    assert (response.status_code, response.json()["error"]) == (403, "forbidden")


async def test_internal_entrance_without_actions_says_so(client: httpx.AsyncClient):
    given = {"token": "internal-token"}
    response = await client.post(
        "/internal/actions/webhook", params=given, json={"next_action": "action_answer"}
    )
    assert response.status_code == 503


async def test_headers_and_request_id(client: httpx.AsyncClient):
    response = await client.get("/health/live", headers={"X-Request-ID": "abcdefgh-1"})
    assert response.headers["X-Request-ID"] == "abcdefgh-1"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]
    hostile = await client.get("/health/live", headers={"X-Request-ID": "<script>"})
    assert "<" not in hostile.headers["X-Request-ID"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nothing/here", 404), ("DELETE", "/chat/session", 405), ("GET", "/static/../api/app.py", 404)],
)
async def test_wrong_addresses_are_answered_in_vietnamese(
    client: httpx.AsyncClient, method: str, path: str, status: int
):
    response = await client.request(method, path)
    assert response.status_code == status
    assert response.json()["message"]


async def test_the_interface_is_described(client: httpx.AsyncClient):
    described = (await client.get("/openapi.json")).json()
    assert {"/chat/session", "/chat/messages", "/chat/events", "/health/ready"} <= set(described["paths"])
    assert not any(path.startswith("/internal") for path in described["paths"])


async def test_people_get_a_page_and_programs_get_json(client: httpx.AsyncClient):
    page = await client.get("/nothing/here", headers={"Accept": "text/html,*/*"})
    assert (page.status_code, page.headers["content-type"].split(";")[0]) == (404, "text/html")
    assert "Không tìm thấy" in page.text
    program = await client.get("/chat/nothing", headers={"Accept": "text/html"})
    assert program.json()["error"] == "unknown_page"


async def test_the_console_sends_strangers_to_the_log_in(client: httpx.AsyncClient):
    page = await client.get("/console", headers={"Accept": "text/html"})
    assert (page.status_code, page.headers["location"]) == (303, "/console/login")
    part = await client.get("/console", headers={"Accept": "*/*"})
    assert part.status_code == 401


@pytest.mark.parametrize("path", ["/", "/privacy", "/console/login"])
async def test_pages_are_served(client: httpx.AsyncClient, path: str):
    response = await client.get(path, headers={"Accept": "text/html"})
    assert response.status_code == 200
