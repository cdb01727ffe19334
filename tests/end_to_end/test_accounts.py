"""The pages of accounts, trail and personal data in a real browser; the app runs alone, without the bot."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page
from pyotp import TOTP

from accounts.service import AccountService
from api.settings import Settings
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database
from deploy.local.stack import ROOT, Stack
from tests.end_to_end.looks import serious_findings
from tickets.models import TicketRow

pytestmark = pytest.mark.browser

_PASSWORD = "mot con meo ngu tren mai"
_START_SECONDS = 120


@dataclass
class Alone:
    """The running app, with an administrator who has set no password yet."""

    url: str
    link: str


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Alone]:
    stack = Stack(data_dir=tmp_path_factory.mktemp("alone")).on_free_ports()
    environment = {
        **os.environ,
        "DATA_DIR": str(stack.data_dir),
        "APP_PORT": str(stack.app_port),
        "DATABASE_URL": "",
        "REDIS_URL": "",
        "SERVE_ACTIONS": "false",
        "PYTHONPATH": str(ROOT),
    }
    settings = Settings(_env_file=None, data_dir=stack.data_dir, database_url="")
    # The browser's driver keeps an event loop in this thread.
    with ThreadPoolExecutor(1) as threads:
        token = threads.submit(lambda: asyncio.run(_prepare(settings))).result()
    log = stack.data_dir / "app.log"
    with log.open("wb") as lines:
        server = subprocess.Popen(
            [sys.executable, "-m", "api"], cwd=ROOT, env=environment, stdout=lines, stderr=lines
        )
    try:
        _wait(stack.url, server, log)
        yield Alone(stack.url, f"{stack.url}/console/set-password?token={token}")
    finally:
        server.terminate()
        server.wait(timeout=60)


async def _prepare(settings: Settings) -> str:
    store, now = Database(settings.resolved_database_url()), datetime.now(UTC)
    await prepare_database(store)
    accounts = AccountService(store, SystemClock())
    token = await accounts.create_first_admin()
    assert token is not None
    await accounts.users.invite(
        login="lan", name="Nguyễn Thị Ngọc Lan", roles=("operator", "supervisor"), actor="system"
    )
    async with store.write() as session:
        for number, state in (("1", "closed"), ("2", "new")):
            session.add(
                TicketRow(
                    id=number * 32, code=f"GL-2026-00000{number}", origin_key=number, kind="report",
                    state=state, content="Cống nghẹt", name="Lê Thị Mai", phone="0905123456",
                    address="12 Trần Phú", channel="webchat", conversation_id="none", attachments=[],
                    consented_at=now, opened_at=now, state_since=now,
                )
            )  # fmt: skip
    await store.close()
    return token


def _wait(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        assert server.poll() is None, log.read_text("utf-8")[-3_000:]
        try:
            if httpx.get(f"{url}/health").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.1)
    pytest.fail("the app did not start: " + log.read_text("utf-8")[-3_000:])


def look(page: Page) -> None:
    """Nothing serious for assistive technology, and nothing wider than a small telephone."""
    assert serious_findings(page) == []
    page.set_viewport_size({"width": 320, "height": 740})
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert page.evaluate(overflow) <= 0, page.url
    page.set_viewport_size({"width": 1280, "height": 800})


def test_from_the_first_link_to_a_second_log_in_with_a_code(alone: Alone, browser: Browser) -> None:
    context = browser.new_context(locale="vi-VN", bypass_csp=True)
    context.set_default_timeout(30_000)
    page = context.new_page()
    page.goto(alone.link)
    page.fill("#password", "1022 gia lai 2026")
    page.fill("#again", "1022 gia lai 2026")
    page.keyboard.press("Enter")
    page.locator("[role=alert]").wait_for()
    page.fill("#password", _PASSWORD)
    page.fill("#again", _PASSWORD)
    page.keyboard.press("Enter")
    page.fill("#login", "admin")
    page.fill("#password", _PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url("**/console")

    for path in ("account", "users", "users/new", "audit", "privacy", "prove", "account/totp"):
        page.goto(f"{alone.url}/console/{path}")
        look(page)
    secret = page.locator("code").inner_text().replace(" ", "")
    page.fill("#code", TOTP(secret).now())
    page.keyboard.press("Enter")
    recovery = page.locator(".codes code").first.inner_text()
    look(page)

    page.goto(f"{alone.url}/console/users")
    page.get_by_role("link", name="Nguyễn Thị Ngọc Lan").click()
    page.get_by_role("button", name="Đặt lại mật khẩu").click()
    assert "/console/set-password?token=" in page.locator("#link").input_value()
    look(page)

    page.goto(f"{alone.url}/console/privacy")
    page.fill("#value", "0905 123 456")
    page.keyboard.press("Enter")
    page.get_by_role("checkbox").first.wait_for()
    assert page.get_by_role("checkbox").count() == 2
    look(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="Xuất bản sao").click()
    assert download.value.suggested_filename.endswith(".zip")
    page.get_by_role("button", name="Xoá…").click()
    page.locator("#reason").wait_for()
    look(page)
    label = page.locator("label[for=code]").inner_text()
    page.fill("#reason", "Đơn yêu cầu số 1")
    page.fill("#code", label.split()[3])
    page.keyboard.press("Enter")
    page.locator("[role=status]", has_text="Đã xoá").wait_for()
    context.close()

    again = browser.new_context(locale="vi-VN", color_scheme="dark", bypass_csp=True)
    again.set_default_timeout(30_000)
    second = again.new_page()
    second.goto(f"{alone.url}/console/login")
    second.fill("#login", "admin")
    second.fill("#password", _PASSWORD)
    second.keyboard.press("Enter")
    second.locator("#code").wait_for()
    look(second)
    second.fill("#code", recovery)
    second.keyboard.press("Enter")
    second.wait_for_url("**/console")
    for path in ("account", "audit", "privacy", "users/new", "account/totp"):
        second.goto(f"{alone.url}/console/{path}")
        look(second)
    again.close()
