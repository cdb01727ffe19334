"""Every page there is, for everybody: a route that renders one and is not in the lists here makes this fail.

SCREENSHOTS=<folder> keeps each page on a phone and on a desk's screen.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from playwright.sync_api import Browser, BrowserContext, Page

from accounts.schemas import Visit
from accounts.service import AccountService
from api.app import create_app
from api.settings import Settings
from database.clock import SystemClock
from tests.api.test_access_routes import all_routes
from tests.end_to_end.conftest import Photograph
from tests.end_to_end.desk import PASSWORD, DeskApp, run
from tests.end_to_end.filled import open_tickets
from tests.end_to_end.looks import DESK, look, overflow, tab_through

pytestmark = pytest.mark.browser

_NOWHERE = "http://127.0.0.1:9"
_CHANNELS_ON = {
    "ZALO_APP_ID": "1", "ZALO_APP_SECRET": "s", "ZALO_OA_ID": "2", "ZALO_OA_SECRET": "s",
    "ZALO_API_URL": _NOWHERE, "ZALO_OAUTH_URL": _NOWHERE,
    "MESSENGER_PAGE_ID": "3", "MESSENGER_APP_ID": "4", "MESSENGER_APP_SECRET": "s",
    "MESSENGER_VERIFY_TOKEN": "v", "MESSENGER_API_URL": _NOWHERE,
}  # fmt: skip

PAGES = {
    "start": ("/", "/"),
    "privacy": ("/privacy", "/privacy"),
    "follow": ("/p", "/p"),
    "follow-mistyped": ("/p", "/p?code=GL-2026-000001-0"),
    "follow-code": ("/p", "/p?code={code}"),
    "follow-own": ("/p/{token}", "/p/{token}"),
    "follow-gone": ("/p/{token}", "/p/khong-co"),
    "login": ("/console/login", "/console/login"),
    "set-password": ("/console/set-password", "/console/set-password?token={link}"),
    "set-password-gone": ("/console/set-password", "/console/set-password?token=cu"),
    "inbox": ("/console", "/console?show=all"),
    "inbox-nothing": ("/console", "/console?q=khong+co+gi+nhu+the"),
    "conversation": (
        "/console/conversations/{conversation_id}", "/console/conversations/{conversation}?show=all"
    ),
    "call": ("/console/call", "/console/call?number=0905123456"),
    "canned": ("/console/canned", "/console/canned"),
    "tickets": ("/console/tickets", "/console/tickets"),
    "tickets-nothing": ("/console/tickets", "/console/tickets?q=khong+co+gi+nhu+the"),
    "ticket": ("/console/tickets/{code}", "/console/tickets/{code}"),
    "ticket-answered": ("/console/tickets/{code}", "/console/tickets/{answered}"),
    "ticket-refused": ("/console/tickets/{code}", "/console/tickets/{refused}"),
    "ticket-gone": ("/console/tickets/{code}", "/console/tickets/GL-2026-999999-9"),
    "ticket-print": ("/console/tickets/{code}/print", "/console/tickets/{code}/print"),
    "channels": ("/console/channels", "/console/channels"),
    "messenger": ("/console/channels/connect/messenger", "/console/channels/connect/messenger"),
    "zalo": ("/console/channels/connect/zalo", "/console/channels/connect/zalo"),
    "zalo-finish": (
        "/console/channels/connect/zalo/finish", "/console/channels/connect/zalo/finish?code=c&{state}"
    ),
    "account": ("/console/account", "/console/account"),
    "totp": ("/console/account/totp", "/console/account/totp"),
    "prove": ("/console/prove", "/console/prove"),
    "users": ("/console/users", "/console/users"),
    "user-new": ("/console/users/new", "/console/users/new"),
    "user": ("/console/users/{user_id}", "/console/users/{user}"),
    "audit": ("/console/audit", "/console/audit"),
    "personal-data": ("/console/privacy", "/console/privacy"),
    "not-found": ("/console", "/console/khong-co"),
}  # fmt: skip
"""By name: the route, and the address at which it is looked at."""

PARTS = {
    "/console/list", "/console/channels/list", "/console/call/contacts", "/console/knowledge",
    "/console/knowledge/{code}",
    *(f"/console/conversations/{{conversation_id}}/{part}"
      for part in ("panel", "thread", "older", "person", "history", "tickets")),
}  # fmt: skip
"""Pieces of the pages above; they are looked at where they stand."""

PASSING = {"/console/channels/connect/zalo/callback", "/favicon.ico"}
"""They lead on at once."""

FOR_PROGRAMS = {
    "/health/live", "/health", "/health/ready", "/ready", "/metrics", "/chat/messages", "/chat/events",
    "/chat/files/{file_id}", "/internal/actions/health", "/webhooks/messenger", "/console/files/{file_id}",
    "/console/conversations/{conversation_id}/canned", "/console/conversations/{conversation_id}/presence",
    "/console/alive", "/console/events", "/console/audit/lines.csv",
}  # fmt: skip


def test_no_page_is_forgotten(tmp_path: Path) -> None:
    app = create_app(Settings(_env_file=None, data_dir=tmp_path, redis_url=""))
    routes = {
        route.path
        for route in all_routes(app.routes)
        if isinstance(route, APIRoute) and "GET" in route.methods
    }
    assert routes == {route for route, _ in PAGES.values()} | PARTS | PASSING | FOR_PROGRAMS


@dataclass
class Filled:
    """A running application with something on every page, and an administrator's browser."""

    url: str
    context: BrowserContext
    names: dict[str, str]


async def _fill(desk: DeskApp) -> dict[str, str]:
    database, clock = desk.database, SystemClock()
    try:
        accounts = AccountService(database, clock, secret="of these tests")
        opened: Any = await accounts.log_in("khanh", PASSWORD, Visit("10.0.0.9"))
        tickets = await open_tickets(database, clock, opened.user)
        _, link = await accounts.users.invite(
            login="moi", name="Rơ Châm H'Nhung", roles=("operator",), actor="test"
        )
    finally:
        await database.close()
    return {
        "code": tickets[0].code,
        "answered": tickets[2].code,
        "refused": tickets[4].code,
        "token": str(tickets[2].token),
        "user": opened.user.id,
        "link": link,
    }


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory, browser: Browser) -> Iterator[Filled]:
    desk = DeskApp(tmp_path_factory.mktemp("every-page"), _CHANNELS_ON)
    desk.open()
    names = run(_fill(desk))
    for text in ("Đèn đường trước nhà tôi hỏng cả tuần nay", "Xin hỏi giờ làm việc của bộ phận một cửa"):
        desk.citizen().say(text)
    context = desk.operator(browser, "admin")
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(f"{desk.url}/console?show=all")
    item = page.locator("#items li").first
    item.wait_for()
    names["conversation"] = str(item.get_attribute("data-id"))
    page.goto(f"{desk.url}/console/channels/connect/zalo")
    allow = str(page.locator("#step-allow ~ .actions a").get_attribute("href"))
    names["state"] = re.search(r"state=[^&]+", allow)[0]  # type: ignore[index]
    page.goto(f"{desk.url}/console/canned")
    page.fill("#title", "Cảm ơn")
    page.fill("#canned-text", "Dạ cảm ơn anh/chị. {ten_truc_vien} kính chào.")
    page.get_by_role("button", name="Lưu câu mẫu").click()
    page.close()
    yield Filled(desk.url, context, names)
    context.close()
    desk.close()


def opened(filled: Filled, name: str) -> Page:
    """Open a page with everything on it unfolded."""
    page = filled.context.new_page()
    page.goto(filled.url + PAGES[name][1].format(**filled.names))
    if name == "start":
        page.locator("chat-1022 .message.bot").first.wait_for()
    if name == "conversation":
        page.locator("#panel-person:not([aria-busy]) h2").wait_for()
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    return page


@pytest.mark.parametrize("name", PAGES)
def test_everybody_can_read_and_use_it(filled: Filled, name: str, photograph: Photograph) -> None:
    page = opened(filled, name)
    photograph(page, f"page-{name}-desk")
    tab_through(page)
    look(page)
    page.set_viewport_size({"width": 360, "height": 740})
    photograph(page, f"page-{name}-phone")
    page.close()


def test_what_opens_over_a_page_closes_with_escape_and_gives_the_focus_back(filled: Filled) -> None:
    page = opened(filled, "conversation")
    help_button = page.locator("[data-do=help]")
    help_button.focus()
    page.keyboard.press("Enter")
    page.locator("#help").wait_for()
    page.keyboard.press("Escape")
    page.locator("#help").wait_for(state="hidden")
    assert help_button.evaluate("e => e === document.activeElement")
    page.set_viewport_size({"width": 768, "height": 1024})
    beside = page.locator(".to-beside")
    beside.focus()
    page.keyboard.press("Enter")
    page.locator("#beside").wait_for()
    page.keyboard.press("Escape")
    page.locator("#beside").wait_for(state="hidden")
    assert beside.evaluate("e => e === document.activeElement")
    assert overflow(page) <= 0
    page.set_viewport_size(DESK)  # type: ignore[arg-type]
    page.close()
