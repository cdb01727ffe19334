"""The pages of tickets in a real browser: the keyboard alone, a phone, two at once."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext

from accounts.schemas import Visit
from accounts.service import AccountService
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.local.stack import ROOT, Stack
from tests.end_to_end.filled import open_tickets

pytestmark = [pytest.mark.browser]

_PASSWORD = "mot con meo ngu tren mai"


@dataclass
class Served:
    """The application alone, with tickets in it."""

    url: str
    session: str
    codes: list[str]
    tokens: list[str]


async def _seed(folder: Path) -> tuple[str, list[str], list[str]]:
    database = Database(sqlite_url(folder / "1022.sqlite3"))
    await prepare_database(database)
    clock = SystemClock()
    accounts = AccountService(database, clock)
    _, link = await accounts.users.invite(login="hoa", name="Trần Thị Hoà", roles=("operator",), actor="test")
    await accounts.set_password(link, _PASSWORD)
    opened = await accounts.log_in("hoa", _PASSWORD, Visit("test"))
    made = await open_tickets(database, clock, opened.user)
    await database.close()
    return opened.token, [each.code for each in made], [each.token or "" for each in made]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("tickets")
    seeded: list[tuple[str, list[str], list[str]]] = []
    # The browser's driver keeps an event loop in this thread.
    seeding = threading.Thread(target=lambda: seeded.append(asyncio.run(_seed(folder))))
    seeding.start()
    seeding.join()
    port = Stack(data_dir=folder).on_free_ports().app_port
    environment = {
        **os.environ,
        "DATA_DIR": str(folder),
        "APP_PORT": str(port),
        "REDIS_URL": "",
        "SERVE_ACTIONS": "false",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=environment)
    url = f"http://127.0.0.1:{port}"
    with httpx.Client() as client:
        while True:
            assert process.poll() is None, "the application ended while starting"
            try:
                if client.get(f"{url}/health/live").status_code == 200:
                    break
            except httpx.TransportError:
                continue
    yield Served(url, *seeded[0])
    process.terminate()
    process.wait(timeout=30)


def context_of(
    browser: Browser, served: Served, *, width: int = 1280, scheme: str = "light"
) -> BrowserContext:
    context = browser.new_context(
        locale="vi-VN",
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        bypass_csp=True,
    )
    context.set_default_timeout(15_000)
    context.add_cookies(
        [{"name": "console_session", "value": served.session, "url": f"{served.url}/console"}]
    )
    return context


def test_a_ticket_is_found_and_transferred_with_the_keyboard_alone(browser: Browser, served: Served) -> None:
    context = context_of(browser, served)
    page = context.new_page()
    page.goto(f"{served.url}/console/tickets")

    def tab_to(condition: str) -> None:
        for _ in range(80):
            page.keyboard.press("Tab")
            if page.evaluate(f"() => {{ const e = document.activeElement; return Boolean({condition}); }}"):
                return
        pytest.fail(f"no way to {condition} with the Tab key")

    tab_to("e.name === 'q'")
    page.keyboard.type("trai heo")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=trai*")
    tab_to(f"e.textContent.includes('{served.codes[3]}')")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/{served.codes[3]}")
    tab_to("e.localName === 'summary' && e.textContent.includes('Chuyển cơ quan')")
    page.keyboard.press("Enter")
    tab_to("e.name === 'agency'")
    page.keyboard.type("Ủy ban nhân dân xã")
    page.keyboard.press("Enter")
    page.locator(".ticket-head .state.transferred").wait_for()
    context.close()


def test_two_operators_at_once_the_second_is_told_and_keeps_the_words(
    browser: Browser, served: Served
) -> None:
    context = context_of(browser, served)
    first, second = context.new_page(), context.new_page()
    for page in (first, second):
        page.goto(f"{served.url}/console/tickets/{served.codes[1]}")
        page.locator("summary", has_text="Ghi chú nội bộ").click()
        page.fill("#note-text", "gọi lại lúc 14 giờ" if page is second else "đã gọi")
    for page in (first, second):
        page.locator("form[action$='/note'] button").click()
    second.locator("[role=alert]").wait_for()
    assert second.locator("#note-text").input_value() == "gọi lại lúc 14 giờ"
    second.locator("form[action$='/note'] button").click()
    second.locator(".steps", has_text="gọi lại lúc 14 giờ").wait_for()
    context.close()


def test_the_sender_disputes_on_a_phone(browser: Browser, served: Served) -> None:
    context = context_of(browser, served, width=360)
    page = context.new_page()
    page.goto(f"{served.url}/p/{served.tokens[2]}")
    assert "Đã thay bóng đèn sáng nay." in page.locator("main").inner_text()
    page.get_by_label("Chỗ chưa đồng ý").fill("Vẫn chưa có nước")
    page.get_by_role("button", name="Đề nghị xem xét lại").click()
    page.get_by_role("status").wait_for()
    assert page.get_by_label("Chỗ chưa đồng ý").count() == 0
    context.close()
