"""The chat on bad networks, with pictures, in several tabs: on the real system in a real browser."""

from __future__ import annotations

import io
import json
import re
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import ExifTags, Image
from playwright.sync_api import Browser, BrowserContext, Page, WebSocketRoute, expect

from tests.end_to_end.conftest import Running, ask, said
from tests.end_to_end.cutting import BadNetwork
from tests.end_to_end.looks import serious_findings

pytestmark = [pytest.mark.stack, pytest.mark.browser]

_QUESTION = "lệ phí làm căn cước bao nhiêu"


def photo_with_place(size: tuple[int, int] = (900, 600)) -> bytes:
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "PhoneMaker"
    place = exif.get_ifd(ExifTags.IFD.GPSInfo)
    place[ExifTags.GPS.GPSLatitudeRef] = "N"
    place[ExifTags.GPS.GPSLatitude] = (13.0, 58.0, 59.0)
    buffer = io.BytesIO()
    Image.radial_gradient("L").resize(size).convert("RGB").save(buffer, "JPEG", exif=exif)
    return buffer.getvalue()


def opened(context: BrowserContext, url: str) -> Page:
    page = context.new_page()
    page.goto(url)
    page.locator("chat-1022 .message.bot").first.wait_for()
    return page


def wait_for_way(page: Page, way: str) -> None:
    expect(page.locator("chat-1022")).to_have_attribute("data-way", way, timeout=60_000)


def type_in(page: Page, text: str) -> None:
    field = page.locator("chat-1022 textarea")
    field.fill(text)
    field.press("Enter")


def choose(page: Page, *files: tuple[str, bytes]) -> None:
    chosen: Any = [
        {"name": name, "mimeType": "image/jpeg" if name.endswith("jpg") else "", "buffer": content}
        for name, content in files
    ]
    page.set_input_files("chat-1022 input[type=file]", chosen)


def stored(page: Page, http: httpx.Client) -> list[dict[str, Any]]:
    """Return the conversation as the server has it."""
    token = page.evaluate("localStorage.getItem('1022.token')")
    answer = http.get("/chat/messages", headers={"Authorization": f"Bearer {token}"})
    messages: list[dict[str, Any]] = answer.json()["messages"]
    return messages


def wait_until_stored(page: Page, http: httpx.Client, count: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 120
    while len(messages := stored(page, http)) < count:
        assert time.monotonic() < deadline, messages
    return messages


def assert_shown_once(page: Page, http: httpx.Client, citizen: list[str]) -> None:
    """The page shows what the server has: these messages of the citizen, each answered, each once."""
    shown = page.locator("chat-1022 .message.citizen")
    expect(shown).to_have_text([re.compile(re.escape(text)) for text in citizen], timeout=30_000)
    messages = wait_until_stored(page, http, 2 * len(citizen))
    assert [message["text"] for message in messages if message["author"] == "citizen"] == citizen
    answers = [message for message in messages if message["author"] != "citizen"]
    assert len(answers) == len(citizen)
    # One more: the greeting.
    expect(page.locator("chat-1022 .message.bot")).to_have_count(len(answers) + 1, timeout=30_000)
    expect(page.locator("chat-1022 .state")).to_have_count(0)


@pytest.fixture
def network(system: Running) -> Iterator[BadNetwork]:
    bad = BadNetwork(system.stack.app_port)
    yield bad
    bad.close()


def test_the_websocket_is_the_first_way(page: Page) -> None:
    wait_for_way(page, "socket")
    ask(page, "xin chào")


def test_a_connection_cut_in_mid_message_loses_and_doubles_nothing(
    context: BrowserContext, network: BadNetwork, http: httpx.Client
) -> None:
    page = opened(context, network.url)
    wait_for_way(page, "socket")
    network.mute()
    type_in(page, _QUESTION)
    # The server has it and has answered; the page has heard nothing.
    wait_until_stored(page, http, 2)
    expect(page.locator("chat-1022 .state")).to_have_text("Đang gửi…")
    network.cut()
    page.locator("chat-1022 .notice.offline").wait_for()
    network.restore()
    assert_shown_once(page, http, [_QUESTION])
    wait_for_way(page, "socket")
    expect(page.locator("chat-1022 .notice.offline")).to_have_count(0)


def test_what_is_written_while_nothing_works_goes_out_in_order(
    context: BrowserContext, network: BadNetwork, http: httpx.Client
) -> None:
    page = opened(context, network.url)
    network.cut()
    page.locator("chat-1022 .notice.offline").wait_for()
    type_in(page, "thủ tục đăng ký tạm trú cần giấy tờ gì")
    type_in(page, "thế lệ phí bao nhiêu?")
    page.locator("chat-1022 .citizen.failed").first.wait_for()
    network.restore()
    assert_shown_once(page, http, ["thủ tục đăng ký tạm trú cần giấy tờ gì", "thế lệ phí bao nhiêu?"])


def test_a_reload_in_mid_message_loses_and_doubles_nothing(
    context: BrowserContext, network: BadNetwork, http: httpx.Client
) -> None:
    page = opened(context, network.url)
    network.mute()
    type_in(page, _QUESTION)
    wait_until_stored(page, http, 2)
    network.cut()
    network.restore()
    page.reload()
    wait_for_way(page, "socket")
    expect(page.locator("chat-1022 .message.citizen")).to_have_count(1)
    expect(page.locator("chat-1022 .state")).to_have_count(0)
    assert page.evaluate("Object.keys(localStorage).filter((key) => key.startsWith('1022.out.'))") == []
    messages = stored(page, http)
    assert [message["author"] for message in messages] == ["citizen", "bot"]
    expect(page.locator("chat-1022 .message.bot")).to_have_count(1)


def test_a_message_left_unsent_yesterday_goes_out_today(page: Page, http: httpx.Client) -> None:
    left = {
        "client_id": str(uuid4()),
        "text": _QUESTION,
        "title": _QUESTION,
        "postback": False,
        "at": int(time.time() * 1000) - 24 * 3_600_000,
        "n": 1,
        "tab": "another tab",
    }
    page.evaluate(
        "([key, value]) => localStorage.setItem(key, value)",
        [f"1022.out.{left['client_id']}", json.dumps(left)],
    )
    page.reload()
    assert_shown_once(page, http, [_QUESTION])


@pytest.mark.parametrize("way", ["stream", "poll"])
def test_where_websockets_do_not_get_through_the_chat_works_all_the_same(
    context: BrowserContext, system: Running, http: httpx.Client, way: str
) -> None:
    page = context.new_page()

    def refuse(socket: WebSocketRoute) -> None:
        socket.close(code=1011)

    page.route_web_socket(re.compile("/chat/ws"), refuse)
    if way == "poll":
        page.route("**/chat/events*", lambda route: route.abort())
    page.goto(system.url)
    wait_for_way(page, way)
    type_in(page, _QUESTION)
    assert_shown_once(page, http, [_QUESTION])


def test_two_tabs_are_one_visitor_and_stay_in_step(
    context: BrowserContext, system: Running, http: httpx.Client
) -> None:
    # Opened at the same moment: neither knows of the other yet.
    pages = [context.new_page() for _ in range(2)]
    for page in pages:
        page.goto(system.url, wait_until="commit")
    for page in pages:
        wait_for_way(page, "socket")
    one, two = pages
    ask(one, "thủ tục đăng ký tạm trú cần giấy tờ gì")
    two.locator("chat-1022 .message.bot").nth(1).wait_for()
    ask(two, "thế lệ phí bao nhiêu?")
    for page in pages:
        assert_shown_once(page, http, ["thủ tục đăng ký tạm trú cần giấy tờ gì", "thế lệ phí bao nhiêu?"])
    seen = [[said(message) for message in page.locator("chat-1022 .message").all()] for page in pages]
    assert seen[0] == seen[1]


def test_a_picture_is_sent_and_seen_and_its_metadata_is_gone(page: Page, http: httpx.Client) -> None:
    sent = photo_with_place()
    assert b"PhoneMaker" in sent
    choose(page, ("Hố ga Hùng Vương.jpg", sent), ("don.txt", "Kính gửi Ủy ban".encode()))
    expect(page.locator("chat-1022 .hint")).to_have_text("Đã tải lên. Anh/chị bấm Gửi để gửi đi.")
    assert serious_findings(page) == []
    type_in(page, "hố ga mất nắp trước số 12 Trần Phú")
    picture = page.locator("chat-1022 .citizen .picture img")
    picture.wait_for()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    assert "Hố ga Hùng Vương.jpg" in str(picture.get_attribute("alt"))
    expect(page.locator("chat-1022 .citizen a.file", has_text="don.txt")).to_have_count(1)
    address = page.locator("chat-1022 a.picture").get_attribute("href")
    assert address is not None
    shown = httpx.get(address)
    assert shown.headers["content-type"] == "image/jpeg"
    assert dict(Image.open(io.BytesIO(shown.content)).getexif()) == {}
    assert b"PhoneMaker" not in shown.content
    page.reload()
    page.locator("chat-1022 .citizen .picture img").wait_for()
    assert httpx.get(address.split("?")[0]).status_code == 401


def test_a_picture_sent_during_a_report_is_kept_with_it(page: Page) -> None:
    assert "nội dung phản ánh" in ask(page, "đèn đường hỏng trước số 12 Trần Phú")
    choose(page, ("den.jpg", photo_with_place()))
    page.locator("chat-1022 .tray img").wait_for()
    before = page.locator("chat-1022 .message.bot").count()
    page.locator("chat-1022 .send").click()
    page.locator("chat-1022 .message.bot").nth(before).wait_for()
    assert "đã lưu 1 ảnh, tệp" in said(page.locator("chat-1022 .message.bot").last)


def test_a_file_that_is_not_taken_says_why_and_can_be_left_out(page: Page, http: httpx.Client) -> None:
    choose(page, ("virus.exe", b"MZ\x90\x00"), ("lon.pdf", b"%PDF-1.7" + b"\x00" * (10 * 1024 * 1024)))
    failed = page.locator("chat-1022 .tray li.failed")
    expect(failed).to_have_count(2)
    expect(failed.first).to_contain_text("Em chỉ nhận ảnh và tệp PDF")
    expect(failed.last).to_contain_text("10 MB")
    assert serious_findings(page) == []
    type_in(page, _QUESTION)
    expect(page.locator("chat-1022 .hint")).to_contain_text("chưa tải lên được")
    for _ in range(2):
        page.locator("chat-1022 .tray .remove").first.click()
    page.locator("chat-1022 .send").click()
    assert_shown_once(page, http, [_QUESTION])


def test_a_location_is_sent_with_consent_and_not_without(browser: Browser, system: Running) -> None:
    for permissions in ([], ["geolocation"]):
        context = browser.new_context(
            locale="vi-VN",
            geolocation={"latitude": 13.98312, "longitude": 108.00221},
            permissions=permissions,
        )
        page = opened(context, system.url)
        page.locator("chat-1022 .place").click()
        hint = page.locator("chat-1022 .hint")
        if not permissions:
            expect(hint).to_contain_text("Chưa lấy được vị trí", timeout=20_000)
        else:
            expect(hint).to_contain_text("gửi kèm khi anh/chị bấm Gửi")
            page.locator("chat-1022 .send").click()
            page.locator("chat-1022 .citizen a", has_text="13.98312, 108.00221").wait_for()
            page.locator("chat-1022 .message.bot", has_text="nhận được vị trí").wait_for()
        context.close()


@pytest.mark.parametrize(("width", "height"), [(320, 568), (640, 400), (1280, 720)])
def test_on_any_site_the_panel_shows_all_of_itself_and_escape_closes_it(
    browser: Browser, system: Running, width: int, height: int
) -> None:
    # 640 by 400 is what is left of a screen of 1280 by 800 at a zoom of 200 %.
    context = browser.new_context(locale="vi-VN", viewport={"width": width, "height": height})
    page = context.new_page()
    tag = f'<script type="module" src="{system.url}/static/chat/widget.js"></script>'
    page.route(
        "http://localhost:1022/",
        lambda route: route.fulfill(body=f"<p>Cổng xã</p>{tag}", content_type="text/html"),
    )
    page.goto("http://localhost:1022/")
    page.locator("chat-1022 .launcher").focus()
    page.keyboard.press("Enter")
    page.locator("chat-1022 .message.bot").first.wait_for()
    for part in (".close", "textarea", ".send", ".add", ".log"):
        box = page.locator(f"chat-1022 {part}").bounding_box()
        assert box is not None
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, part
        assert box["y"] >= 0 and box["y"] + box["height"] <= height, part
        assert box["height"] >= 44, part
    focused = "document.activeElement.shadowRoot.activeElement"
    assert page.evaluate(f"{focused}.localName") == "textarea"
    order = []
    for _ in range(3):
        page.keyboard.press("Tab")
        order.append(page.evaluate(f"{focused}.className"))
    assert order[:2] == ["send", "add"]
    page.keyboard.press("Escape")
    assert page.locator("chat-1022 .panel").is_hidden()
    assert page.evaluate(f"{focused}.className") == "launcher"
    context.close()


def test_answers_that_come_while_the_panel_is_closed_are_counted(browser: Browser, system: Running) -> None:
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
    type_in(page, _QUESTION)
    page.keyboard.press("Escape")
    launcher = page.locator("chat-1022 .launcher")
    expect(launcher).to_have_attribute("aria-label", re.compile("1 tin mới"))
    launcher.click()
    expect(launcher).not_to_have_attribute("aria-label", re.compile("tin mới"))
    context.close()
