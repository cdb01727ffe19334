"""The operators' page: the first password, who waits, taking a conversation, answering, giving it back."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.end_to_end.conftest import Running, ask
from tests.end_to_end.looks import serious_findings
from tests.end_to_end.test_chat import photo_with_place

pytestmark = [pytest.mark.stack, pytest.mark.browser]


def test_the_link_works_once(administrator: BrowserContext, browser: Browser, system: Running) -> None:
    stranger = browser.new_context()
    page = stranger.new_page()
    response = page.goto(system.first_password_link())
    assert response is not None
    assert response.status == 403
    assert page.locator("#password").count() == 0
    stranger.close()


def test_a_stranger_sees_the_log_in_form_and_nothing_else(browser: Browser, system: Running) -> None:
    stranger = browser.new_context()
    page = stranger.new_page()
    for path in ("/console", "/console/tickets", "/console/conversations/x", "/console/list"):
        page.goto(system.url + path)
        assert page.url.endswith("/console/login")
    page.fill("#login", "admin")
    page.fill("#password", "khong phai mat khau")
    page.click("button[type=submit]")
    assert page.locator("[role=alert]").is_visible()
    stranger.close()


def test_from_the_queue_to_an_answer_and_back_to_the_assistant(
    administrator: BrowserContext, page: Page, system: Running
) -> None:
    desk = administrator.new_page()
    desk.goto(f"{system.url}/console")
    ask(page, "cho tôi gặp người thật")

    # The list of who waits comes by itself.
    waiting = desk.locator("#items a", has_text="cho tôi gặp người thật").first
    waiting.wait_for()
    waiting.click()
    desk.locator(".messages .words", has_text="cho tôi gặp người thật").wait_for()
    assert serious_findings(desk) == []

    desk.get_by_role("button", name="Nhận trả lời").click()
    desk.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()
    desk.fill("#text", "Dạ chào anh, em là nhân viên trực, em giúp gì được ạ?")
    desk.press("#text", "Control+Enter")
    page.locator("chat-1022 .message.operator", has_text="em là nhân viên trực").wait_for()
    expect(desk.locator("#text")).to_have_value("")

    field = page.locator("chat-1022 textarea")
    field.fill("nhà em chưa có sổ đỏ thì làm sao")
    field.press("Enter")
    desk.locator(".messages .words", has_text="chưa có sổ đỏ").wait_for()

    desk.get_by_role("button", name="Giao lại cho trợ lý").click()
    page.locator("chat-1022 .message.system").last.wait_for()
    assert "1.001193" in ask(page, "lam giay khai sinh cho con can gi")
    desk.close()


def test_what_was_written_survives_a_conversation_that_somebody_else_holds(
    administrator: BrowserContext, page: Page, system: Running
) -> None:
    ask(page, "cho gap nhan vien")
    desk = administrator.new_page()
    desk.goto(f"{system.url}/console")
    desk.locator("#items a").first.click()
    desk.fill("#text", "Em chưa bấm nhận mà đã gửi")
    desk.click("#reply button[type=submit]")
    desk.locator("#problem").wait_for()
    expect(desk.locator("#text")).to_have_value("Em chưa bấm nhận mà đã gửi")
    assert page.locator("chat-1022 .message.operator").count() == 0
    desk.close()


def test_a_form_from_another_site_changes_nothing(administrator: BrowserContext, system: Running) -> None:
    response = administrator.request.post(f"{system.url}/console/logout", form={"csrf": "guessed"})
    assert response.status == 403
    assert re.search(r"/console$", administrator.request.get(f"{system.url}/console").url)


def test_a_ticket_is_listed_with_its_sender(
    administrator: BrowserContext, page: Page, system: Running
) -> None:
    answer = ask(
        page,
        "Tôi tên Lê Thị Mai, sđt 0905 222 333, nhà 5 Lê Lợi phường Pleiku, "
        "phản ánh cống trước nhà nghẹt nước tràn ra đường",
    )
    for _ in range(4):
        if found := re.search(r"GL-\d{4}-\d{6}", answer):
            break
        answer = ask(page, "đúng rồi, đồng ý")
    else:
        pytest.fail(f"no ticket was opened; the last answer was: {answer}")
    desk = administrator.new_page()
    desk.goto(f"{system.url}/console/tickets")
    desk.get_by_role("link", name=found.group()).click()
    desk.get_by_role("button", name="Hiện thông tin người gửi").click()
    desk.get_by_role("link", name="0905222333").wait_for()
    assert "Lê Thị Mai" in desk.locator("main").inner_text()
    assert "0905222333" in desk.locator("main").inner_text()
    desk.close()


def test_the_operator_sees_the_picture_the_citizen_sent_and_nobody_else_does(
    administrator: BrowserContext, page: Page, system: Running, browser: Browser
) -> None:
    picture = {"name": "hố ga.jpg", "mimeType": "image/jpeg", "buffer": photo_with_place()}
    page.set_input_files("chat-1022 input[type=file]", picture)  # type: ignore[arg-type]
    page.locator("chat-1022 .tray img").wait_for()
    ask(page, "cho tôi gặp người thật, xem giúp ảnh này")

    desk = administrator.new_page()
    desk.goto(f"{system.url}/console")
    desk.locator("#items a", has_text="xem giúp ảnh này").first.click()
    shown = desk.locator(".messages img")
    shown.wait_for()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert shown.get_attribute("alt") == "Ảnh hố ga.jpg"
    assert serious_findings(desk) == []

    address = desk.locator(".messages .files a").get_attribute("href")
    assert address is not None
    stranger = browser.new_context()
    outside = stranger.new_page()
    outside.goto(system.url + address)
    assert outside.url.endswith("/console/login")
    stranger.close()
    desk.close()
