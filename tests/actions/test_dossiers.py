"""The client of the one-stop system, against a server that plays it over a real socket."""

from __future__ import annotations

import asyncio
import importlib.util
import socket
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import Any

import aiohttp
import pytest
import uvicorn

from actions.dossiers import DossierState, DossiersUnavailableError, HttpDossiers, UnconnectedDossiers

CODE = "H21.22.08-261110-0007"
KNOWN = {
    CODE: {
        "code": CODE,
        "state": "processing",
        "procedure": "Đăng ký khai sinh",
        "agency": "Ủy ban nhân dân phường Pleiku",
        "received_on": "2026-11-10",
        "due_on": "2026-11-16",
        "updated_at": "2026-11-12T09:30:00+07:00",
        "note": None,
    }
}


def _provider() -> ModuleType:
    file = Path(__file__).parents[1] / "providers" / "onestop" / "server.py"
    spec = importlib.util.spec_from_file_location("onestop_server", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
async def onestop() -> AsyncIterator[Any]:
    provider = _provider()
    app = provider.make_app(KNOWN)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    app.state.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    app.state.token = provider.TOKEN
    yield app
    app.state.released.set()
    server.should_exit = True
    await running
    listener.close()


@pytest.fixture
def patience() -> float:
    """Seconds an answer is waited for: many, where it comes at last."""
    return 20.0


@pytest.fixture
async def client(onestop: Any, patience: float) -> AsyncIterator[HttpDossiers]:
    async with aiohttp.ClientSession() as session:
        yield HttpDossiers(session, onestop.state.url + "/", onestop.state.token, timeout=patience)


async def test_a_known_dossier_is_told(client: HttpDossiers) -> None:
    dossier = await client.find(CODE)
    assert dossier is not None
    assert dossier.state is DossierState.PROCESSING
    assert dossier.due_on == date(2026, 11, 16)
    assert not dossier.is_late(date(2026, 11, 16))
    assert dossier.is_late(date(2026, 11, 17))


async def test_an_unknown_code_is_none(client: HttpDossiers) -> None:
    assert await client.find("H21.22.08-261110-9999") is None


@pytest.mark.parametrize("mode", ["slow", "broken", "nonsense", "other"])
@pytest.mark.parametrize("patience", [0.5])
async def test_no_right_answer_is_unavailable(onestop: Any, client: HttpDossiers, mode: str) -> None:
    onestop.state.mode = mode
    with pytest.raises(DossiersUnavailableError):
        await client.find(CODE)


@pytest.mark.parametrize("code", ["../admin?x=1", "", "H21 22", "a" * 41])
async def test_what_cannot_be_a_code_is_not_even_asked_for(
    onestop: Any, client: HttpDossiers, code: str
) -> None:
    assert await client.find(code) is None
    assert onestop.state.calls == []


async def test_a_wrong_token_is_unavailable_not_unknown(onestop: Any) -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DossiersUnavailableError):
            await HttpDossiers(session, onestop.state.url, "wrong").find(CODE)


async def test_nobody_listening_is_unavailable() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(DossiersUnavailableError):
            await HttpDossiers(session, "http://127.0.0.1:9", "x", timeout=0.5).find(CODE)


async def test_without_a_system_it_is_always_unavailable() -> None:
    with pytest.raises(DossiersUnavailableError):
        await UnconnectedDossiers().find(CODE)
