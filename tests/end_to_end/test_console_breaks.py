"""The desk when things break: a connection in mid-sentence, an answer that is lost, a process that dies."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.end_to_end.cutting import BadNetwork
from tests.end_to_end.desk import Citizen, DeskApp, log_in

pytestmark = pytest.mark.browser

KILLS = int(os.environ.get("CONSOLE_KILLS", "3"))
_LONG = 60_000


@pytest.fixture
def network(desk: DeskApp) -> Iterator[BadNetwork]:
    opened = BadNetwork(desk.port)
    yield opened
    opened.close()


@pytest.fixture
def page(browser: Browser, desk: DeskApp, network: BadNetwork) -> Iterator[Page]:
    """An operator's page that reaches the application through the bad network, a conversation taken."""
    context = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    opened = context.new_page()
    log_in(opened, network.url, "hoa")
    yield opened
    context.close()


def taken(page: Page, desk: DeskApp, text: str) -> Citizen:
    citizen = desk.citizen()
    citizen.say(text)
    page.locator("#items a", has_text=text).first.click()
    page.get_by_role("button", name="Nhận trả lời").click()
    page.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()
    return citizen


def test_a_connection_cut_in_mid_sentence_and_restored(
    page: Page, desk: DeskApp, network: BadNetwork
) -> None:
    citizen = taken(page, desk, "mạng đứt giữa câu")
    field = page.locator("#text")
    field.press_sequentially("Dạ em đang ")
    network.cut()
    page.locator("#offline").wait_for()
    field.press_sequentially("xem hồ sơ của anh")
    expect(field).to_have_value("Dạ em đang xem hồ sơ của anh")
    field.press("Control+Enter")
    expect(page.locator("#reply .hint")).to_contain_text("Sẽ tự gửi khi có kết nối lại")
    citizen.say("tin tới lúc mất mạng")
    network.restore()
    page.locator(".messages .operator", has_text="Dạ em đang xem hồ sơ của anh").wait_for()
    expect(field).to_have_value("")
    # What was said meanwhile is there too, and the line at the top has gone.
    page.locator(".messages .citizen", has_text="tin tới lúc mất mạng").wait_for()
    expect(page.locator("#offline")).to_be_hidden()
    assert [one["text"] for one in citizen.heard()] == ["Dạ em đang xem hồ sơ của anh"]


def test_an_answer_whose_receipt_is_lost_is_said_once(page: Page, desk: DeskApp, network: BadNetwork) -> None:
    citizen = taken(page, desk, "mất biên nhận")
    page.fill("#text", "Chỉ một lần thôi")
    network.mute()
    page.press("#text", "Control+Enter")
    # The server has it; its word is lost on the way back.
    while not citizen.heard():
        continue
    network.cut()
    expect(page.locator("#reply .hint")).to_contain_text("Sẽ tự gửi khi có kết nối lại")
    network.restore()
    expect(page.locator("#text")).to_have_value("", timeout=_LONG)
    expect(page.locator(".messages .operator", has_text="Chỉ một lần thôi")).to_have_count(1)
    assert len(citizen.heard()) == 1


@pytest.mark.timeout(60 + 30 * KILLS)
def test_a_process_killed_between_click_and_send_loses_and_doubles_nothing(
    hoa: BrowserContext, desk: DeskApp
) -> None:
    """CONSOLE_KILLS=50 for a long run."""
    page = hoa.new_page()
    page.goto(f"{desk.url}/console")
    chance = random.Random(1022)
    citizen = taken(page, desk, "tiến trình bị giết")
    said = []
    for number in range(KILLS):
        text = f"Câu trả lời thứ {number}"
        page.fill("#text", text)
        # The click is on its way while the process dies, at another moment each time.
        page.evaluate(
            "pause => { setTimeout(() => document.getElementById('reply').requestSubmit(), pause); }",
            chance.randrange(0, 30),
        )
        page.evaluate("pause => new Promise((done) => setTimeout(done, pause))", chance.randrange(0, 40))
        desk.kill()
        desk.start()
        expect(page.locator("#text")).to_have_value("", timeout=_LONG)
        said.append(text)
        expect(page.locator(".messages .operator", has_text=text)).to_have_count(1, timeout=_LONG)
    assert [one["text"] for one in citizen.heard()] == said
    page.close()
