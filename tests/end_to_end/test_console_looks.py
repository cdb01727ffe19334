"""The desk for everybody: assistive technology, the keyboard alone, any width, any zoom, both schemes."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.end_to_end.desk import DeskApp
from tests.end_to_end.looks import serious_findings

pytestmark = pytest.mark.browser

_LONG = "Tôi là Công Tằng Tôn Nữ Hoàng Thị Phương Khanh, ở tổ dân phố 12, phường Hội Phú, xin phản ánh "


@pytest.fixture(scope="module")
def asked(desk: DeskApp) -> None:
    """Some people wait, with long names and long words."""
    for number in range(12):
        desk.citizen().say(f"{_LONG} việc thứ {number} " + "https://dichvucong.gov.vn/" + "p" * 120)


def in_a_conversation(page: Page, desk: DeskApp) -> None:
    page.goto(f"{desk.url}/console?show=all")
    page.locator("#items a").first.click()
    page.locator("#text").wait_for()
    page.locator("#panel-person:not([aria-busy]) h2").wait_for(state="attached")


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_on_any_page(desk: DeskApp, browser: Browser, scheme: str) -> None:
    context = desk.operator(browser, "hoa", color_scheme=scheme)
    page = context.new_page()
    page.goto(f"{desk.url}/console")
    page.locator("#items a").first.wait_for()
    assert serious_findings(page) == []
    page.keyboard.press("?")
    page.locator("#help").wait_for()
    assert serious_findings(page) == []
    in_a_conversation(page, desk)
    assert serious_findings(page) == []
    for name in ("Kiến thức", "Phản ánh"):
        page.locator("#beside").get_by_role("tab", name=name).click()
        page.locator(".panel:visible > div:not(:empty):not([aria-busy])").wait_for()
        assert serious_findings(page) == []
    page.locator("#open-ticket summary").click()
    page.get_by_role("tab", name="Ghi chú nội bộ").click()
    page.locator("#note-text").press_sequentially("ghi chú")
    assert serious_findings(page) == []
    page.get_by_role("tab", name="Trả lời").click()
    page.get_by_role("button", name="Câu mẫu").click()
    page.locator("#canned:visible").wait_for()
    assert serious_findings(page) == []
    for path in ("/console/call", "/console/canned"):
        page.goto(desk.url + path)
        assert serious_findings(page) == []
    context.close()


@pytest.mark.usefixtures("asked")
@pytest.mark.parametrize(("width", "height"), [(320, 640), (640, 400), (768, 1024), (1024, 768), (1280, 800)])
def test_nothing_is_cut_off_at_any_width_nor_at_a_zoom_of_200_percent(
    desk: DeskApp, browser: Browser, width: int, height: int
) -> None:
    """640 by 400 is 1280 by 800 at 200 percent."""
    context = desk.operator(browser, "hoa", viewport={"width": width, "height": height})
    page = context.new_page()

    def fits() -> None:
        assert page.evaluate("document.documentElement.scrollWidth") <= width

    page.goto(f"{desk.url}/console")
    page.locator("#items a").first.wait_for()
    fits()
    in_a_conversation(page, desk)
    fits()
    for part in ("#text", "#reply button[type=submit]", ".messages"):
        page.locator(part).scroll_into_view_if_needed()
        box: Any = page.locator(part).bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert box["height"] > 30
    if width < 1280:
        page.get_by_role("button", name="Thông tin").click()
        page.locator("#beside").wait_for()
        fits()
    for path in ("/console/call", "/console/canned"):
        page.goto(desk.url + path)
        fits()
    context.close()


def test_a_whole_case_with_the_keyboard_alone(hoa: BrowserContext, desk: DeskApp) -> None:
    citizen = desk.citizen()
    citizen.say("một mình bàn phím")
    page = hoa.new_page()
    page.goto(f"{desk.url}/console?show=all")
    page.locator("#items a", has_text="một mình bàn phím").wait_for()
    page.keyboard.press("j")
    expect(page.locator("#items a").first).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(".thread-head h1")).to_be_focused()
    page.keyboard.press("t")
    page.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()
    page.keyboard.press("r")
    expect(page.locator("#text")).to_be_focused()
    # Letters are letters here, not commands.
    page.keyboard.type("jkt rõ ạ")
    expect(page.locator("#text")).to_have_value("jkt rõ ạ")
    page.keyboard.press("Control+Enter")
    page.locator(".messages .operator", has_text="jkt rõ ạ").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.locator("#note-text")).to_be_focused()
    page.keyboard.type("xong việc")
    page.keyboard.press("Control+Enter")
    page.locator(".messages .note", has_text="xong việc").wait_for()
    page.keyboard.press("Escape")
    page.keyboard.press("i")
    expect(page.locator("#knowledge-search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("#search")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("b")
    page.locator(".thread-head", has_text="Trợ lý trả lời").wait_for()
    assert [one["text"] for one in citizen.heard()] == ["jkt rõ ạ"]
    page.close()
