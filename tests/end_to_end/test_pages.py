"""The pages themselves: any width, the keyboard, assistive technology, a broken network."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.end_to_end.conftest import Running, ask, said
from tests.end_to_end.looks import serious_findings

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_the_start_page_with_an_answer_on_it(
    browser: Browser, system: Running, scheme: str
) -> None:
    context = browser.new_context(locale="vi-VN", color_scheme=scheme, bypass_csp=True)  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(system.url)
    page.locator("chat-1022 .message.bot").first.wait_for()
    ask(page, "cháy nhà ở đường Hùng Vương")
    assert serious_findings(page) == []
    context.close()


@pytest.mark.parametrize("path", ["/privacy", "/console/login"])
def test_axe_finds_nothing_serious_on_the_plain_pages(browser: Browser, system: Running, path: str) -> None:
    context = browser.new_context(locale="vi-VN", bypass_csp=True)
    page = context.new_page()
    page.goto(system.url + path)
    assert serious_findings(page) == []
    context.close()


@pytest.mark.parametrize("width", [320, 360, 768, 1280])
def test_nothing_is_cut_off_and_the_field_to_write_in_is_on_the_first_screen(
    browser: Browser, system: Running, width: int, tmp_path: Path
) -> None:
    context = browser.new_context(locale="vi-VN", viewport={"width": width, "height": 740})
    page = context.new_page()
    page.goto(system.url)
    page.locator("chat-1022 .message.bot").first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    box = page.locator("chat-1022 textarea").bounding_box()
    assert box is not None
    assert box["y"] + box["height"] <= 740
    context.close()


def test_everything_can_be_done_with_the_keyboard(page: Page) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    for _ in range(12):
        page.keyboard.press("Tab")
        focused = "document.activeElement.shadowRoot?.activeElement?.localName"
        if page.evaluate(focused) == "textarea":
            break
    page.keyboard.type("xin chào")
    page.keyboard.press("Enter")
    page.locator("chat-1022 .message.citizen", has_text="xin chào").wait_for()
    page.locator("chat-1022 .message.bot").nth(1).wait_for()


def test_a_message_written_without_network_is_sent_once_when_it_is_back(
    page: Page, context: BrowserContext
) -> None:
    context.set_offline(True)
    field = page.locator("chat-1022 textarea")
    field.fill("lệ phí làm căn cước bao nhiêu")
    field.press("Enter")
    page.locator("chat-1022 .citizen.failed").wait_for()
    context.set_offline(False)
    page.locator("chat-1022 .message.bot").nth(1).wait_for(timeout=40_000)
    page.reload()
    page.locator("chat-1022 .message.citizen").first.wait_for()
    assert page.locator("chat-1022 .message.citizen").count() == 1


def test_a_reload_shows_the_conversation_as_it_was(page: Page) -> None:
    answer = ask(page, "thủ tục đăng ký tạm trú cần giấy tờ gì")
    page.reload()
    page.locator("chat-1022 .message.citizen").first.wait_for()
    assert said(page.locator("chat-1022 .message:not(.citizen)").last) == answer


def test_what_people_type_is_never_read_as_html(page: Page) -> None:
    ask(page, "<img src=x onerror=\"document.title='hacked'\"> làm khai sinh cần gì")
    assert page.locator("chat-1022 img").count() == 0
    assert page.title() != "hacked"


def test_the_widget_is_one_script_tag_on_any_site(browser: Browser, system: Running) -> None:
    context = browser.new_context(locale="vi-VN")
    page = context.new_page()
    tag = f'<script type="module" src="{system.url}/static/chat/widget.js"></script>'
    page.route(
        "http://localhost:1022/",
        lambda route: route.fulfill(body=f"<p>Cổng xã</p>{tag}", content_type="text/html"),
    )
    page.goto("http://localhost:1022/")
    page.locator("chat-1022 .launcher").click()
    page.locator("chat-1022 .message.bot").first.wait_for()
    assert "114" in ask(page, "chay nha roi cuu voi")
    context.close()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"client_id": 5, "text": {}}',
        b'{"client_id": "not-a-uuid", "text": "a"}',
        b'{"client_id": "0e0c0f3e-5a1c-4c49-9d0e-0a7f3f1c0001", "text": ""}',
        b'{"client_id": "0e0c0f3e-5a1c-4c49-9d0e-0a7f3f1c0002", "text": "\\ud800"}',
        b'{"client_id": "0e0c0f3e-5a1c-4c49-9d0e-0a7f3f1c0003", "text": "' + b"a" * 20_000 + b'"}',
        b"\x00\xff\xfe",
        b'{"a":' * 50_000,
    ],
)
def test_the_chat_refuses_malformed_huge_and_hostile_input_with_a_sentence(
    http: httpx.Client, body: bytes
) -> None:
    token = http.post("/chat/session", json={}).json()["token"]
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    response = http.post("/chat/messages", content=body, headers=headers)
    assert 400 <= response.status_code < 500
    assert response.json()["message"]
    assert http.get("/chat/messages", headers=headers).json()["messages"] == []
