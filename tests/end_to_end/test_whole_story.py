"""A question, a person, a report, its answer, the assistant again: one story, from web chat and from Zalo.

SCREENSHOTS=<folder> keeps what each of them sees at every step.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Protocol

import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.end_to_end.conftest import Photograph, Running
from tests.end_to_end.desk import PASSWORD, log_in
from tests.end_to_end.phones import Phones

pytestmark = [pytest.mark.stack, pytest.mark.browser]

_CLERK = "Nguyễn Thị Hoà"
_PHONE_WIDTH = 360
_SLOW = 40_000


class Citizen(Protocol):
    """Somebody with a channel of their own."""

    name: str
    page: Page

    def say(self, text: str) -> None: ...

    def told(self, text: str | re.Pattern[str]) -> Locator:
        """What the service has said with this in it."""
        ...

    def pictures(self) -> Locator:
        """The pictures the service has sent."""
        ...


class OnTheWeb:
    """A citizen before the start page, on a phone."""

    name = "web"

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.page.set_viewport_size({"width": _PHONE_WIDTH, "height": 740})
        self.page.goto(url)
        self.page.locator("chat-1022 .message.bot").first.wait_for()

    def say(self, text: str) -> None:
        field = self.page.locator("chat-1022 textarea")
        field.fill(text)
        field.press("Enter")

    def told(self, text: str | re.Pattern[str]) -> Locator:
        return self.page.locator("chat-1022 .message:not(.citizen)", has_text=text)

    def pictures(self) -> Locator:
        return self.page.locator("chat-1022 .message:not(.citizen) img")


class OnZalo:
    """A citizen with Zalo."""

    name = "zalo"

    def __init__(self, context: BrowserContext, phones: Phones) -> None:
        self.page = context.new_page()
        self.page.set_viewport_size({"width": _PHONE_WIDTH, "height": 740})
        self.page.goto(phones.url)
        self.page.get_by_label("Tên người dân").fill("Bác Ba")
        self.page.get_by_role("button", name="Thêm điện thoại").click()
        self._phone = self.page.locator("article.phone", has_text="Bác Ba")
        self._phone.scroll_into_view_if_needed()

    def say(self, text: str) -> None:
        field = self._phone.get_by_label("Tin nhắn")
        field.fill(text)
        field.press("Enter")

    def told(self, text: str | re.Pattern[str]) -> Locator:
        return self._phone.locator("li.page", has_text=text)

    def pictures(self) -> Locator:
        return self._phone.locator("li.page img")


@pytest.fixture(scope="module")
def clerk(administrator: BrowserContext, browser: Browser, system: Running) -> Iterator[BrowserContext]:
    """An operator who was invited by the administrator, has chosen a password and is logged in."""
    page = administrator.new_page()
    page.goto(f"{system.url}/console/users/new")
    page.fill("#login", "hoa")
    page.fill("#name", _CLERK)
    page.get_by_label("Tổng đài viên").check()
    page.get_by_role("button", name="Tạo tài khoản và liên kết").click()
    link = page.locator("#link").input_value()
    page.close()
    context = browser.new_context(locale="vi-VN", viewport={"width": 1280, "height": 800})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(link)
    page.fill("#password", PASSWORD)
    page.fill("#again", PASSWORD)
    page.click("button[type=submit]")
    page.locator("#login").wait_for()
    log_in(page, system.url, "hoa")
    page.close()
    yield context
    context.close()


@pytest.fixture(scope="module")
def zalo(administrator: BrowserContext, system: Running) -> None:
    """The Official Account is connected, by the page on which an administrator does it."""
    page = administrator.new_page()
    page.goto(f"{system.url}/console/channels/connect/zalo")
    page.locator("#step-allow ~ .actions a").click()
    page.wait_for_url("**/connect/zalo/finish**")
    page.locator("main form button").click()
    page.get_by_role("status").wait_for()
    page.close()


def test_from_web_chat_to_a_person_to_a_report_and_back(
    context: BrowserContext, clerk: BrowserContext, system: Running, photograph: Photograph
) -> None:
    tell_the_story(OnTheWeb(context, system.url), clerk, system.url, photograph)


@pytest.mark.usefixtures("zalo")
def test_from_zalo_to_a_person_to_a_report_and_back(
    context: BrowserContext, clerk: BrowserContext, system: Running, phones: Phones, photograph: Photograph
) -> None:
    tell_the_story(OnZalo(context, phones), clerk, system.url, photograph)


def tell_the_story(citizen: Citizen, clerk: BrowserContext, url: str, photograph: Photograph) -> None:
    """Let a citizen and an operator go the whole way."""

    def both(step: str) -> None:
        photograph(citizen.page, f"{citizen.name}-{step}-citizen")
        photograph(desk, f"{citizen.name}-{step}-desk")

    # The citizen asks, the assistant answers; a person is wanted.
    desk = clerk.new_page()
    desk.goto(f"{url}/console")
    citizen.say("làm giấy khai sinh cho con cần giấy tờ gì")
    citizen.told("Giấy chứng sinh").wait_for(timeout=_SLOW)
    both("1-answered")
    wish = f"cho tôi gặp người trực, đèn đường hỏng ({citizen.name})"
    citizen.say(wish)
    citizen.told("người trực").last.wait_for(timeout=_SLOW)
    item = desk.locator("#items a", has_text=wish)
    item.wait_for(timeout=_SLOW)
    both("2-waits")

    # The operator takes it and answers, with a picture and words written beforehand.
    item.click()
    desk.locator(".messages .words", has_text=wish).wait_for()
    both("3-opened")
    desk.get_by_role("button", name="Nhận trả lời").click()
    desk.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()
    answer_with_picture(desk, citizen)
    citizen.told(f"{_CLERK} đã xem").wait_for(timeout=_SLOW)
    citizen.pictures().last.wait_for(timeout=_SLOW)
    desk.locator(".messages .operator .delivery", has_text=re.compile("Đã (gửi|tới|đọc)")).last.wait_for()
    both("4-picture")
    citizen.say("Dạ trước số 12 Trần Phú, phường Pleiku, tối om cả tuần nay")
    desk.locator(".messages .citizen", has_text="tối om cả tuần").wait_for(timeout=_SLOW)

    # A report is made of it; the citizen gets its code.
    code = open_ticket(desk)
    citizen.told(code).first.wait_for(timeout=_SLOW)
    both("5-report")

    # It is moved on and answered; the citizen reads each step once, on the same channel.
    move_on_and_answer(desk, citizen, code, photograph)
    citizen.told("Đã thay bóng đèn").wait_for(timeout=_SLOW)
    both("7-report-answered")

    # The assistant has the conversation back and answers what is asked next.
    desk.get_by_role("link", name="Mở cuộc trò chuyện").click()
    desk.get_by_role("button", name="Giao lại cho trợ lý").click()
    desk.locator(".thread-head", has_text="Trợ lý trả lời").wait_for()
    citizen.told("chuyển cuộc trò chuyện lại cho em").wait_for(timeout=_SLOW)
    citizen.say("thủ tục đăng ký tạm trú cần giấy tờ gì")
    citizen.told(re.compile("tạm trú", re.IGNORECASE)).wait_for(timeout=_SLOW)
    desk.locator(".messages .bot", has_text=re.compile("tạm trú", re.IGNORECASE)).wait_for(timeout=_SLOW)
    both("8-back")
    for once in (
        f"tiếp nhận phản ánh của anh/chị. Mã để theo dõi: {code}",
        f"{code} đã được chuyển cho Điện lực Gia Lai",
        f"{code} đã có trả lời",
        f"{_CLERK} đã xem",
        "chuyển cuộc trò chuyện lại cho em",
    ):
        expect(citizen.told(once)).to_have_count(1)
    desk.set_viewport_size({"width": 768, "height": 1024})
    photograph(desk, f"{citizen.name}-9-tablet")
    desk.close()
    citizen.page.close()


def answer_with_picture(desk: Page, citizen: Citizen) -> None:
    """Attach a picture, take the words of a canned answer, send both."""
    manage = desk.context.new_page()
    manage.goto(re.sub("/console.*", "/console/canned", desk.url))
    manage.fill("#title", f"Đã xem {citizen.name}")
    manage.fill("#canned-text", "Dạ {ten_truc_vien} đã xem. Anh/chị cho em xin địa chỉ cụ thể ạ.")
    manage.get_by_role("button", name="Lưu câu mẫu").click()
    manage.get_by_text("cho em xin địa chỉ").first.wait_for()
    manage.close()
    picture = io.BytesIO()
    Image.radial_gradient("L").resize((640, 480)).convert("RGB").save(picture, "JPEG")
    desk.set_input_files(
        "#reply input[type=file]",
        {"name": "sơ đồ đèn.jpg", "mimeType": "image/jpeg", "buffer": picture.getvalue()},
    )
    expect(desk.locator("#reply .tray img")).to_have_count(1)
    desk.locator("#text").press_sequentially(f"/daxem{citizen.name}")
    desk.locator("#canned [role=option]").first.wait_for()
    desk.keyboard.press("Enter")
    expect(desk.locator("#text")).to_have_value(re.compile(f"{_CLERK} đã xem"))
    desk.press("#text", "Control+Enter")
    expect(desk.locator("#text")).to_have_value("")


def open_ticket(desk: Page) -> str:
    """Make a report beside the conversation; return its code."""
    desk.locator("#beside").get_by_role("tab", name="Phản ánh").click()
    desk.locator("#open-ticket summary").click()
    expect(desk.locator("#ticket-content")).to_have_value(re.compile("tối om cả tuần"))
    desk.fill("#ticket-place", "trước số 12 Trần Phú, phường Pleiku")
    desk.fill("#ticket-name", "Lê Văn Ba")
    desk.fill("#ticket-phone", "0905222333")
    desk.fill("#ticket-address", "14 Trần Phú, phường Pleiku")
    desk.get_by_label("đồng ý cho lưu").check()
    desk.get_by_role("button", name="Lập phản ánh").click()
    link = desk.locator("#panel-tickets .card a").first
    link.wait_for()
    return str(link.inner_text())


def move_on_and_answer(desk: Page, citizen: Citizen, code: str, photograph: Photograph) -> None:
    """Transfer a report, note the agency's answer, and answer the sender with it."""
    desk.locator("#panel-tickets").get_by_role("link", name=code).click()
    desk.get_by_role("heading", name=code).wait_for()
    photograph(desk, f"{citizen.name}-6-report-new-desk")
    desk.locator("summary", has_text="Chuyển cơ quan xử lý").click()
    desk.fill("#transfer-agency", "Điện lực Gia Lai")
    desk.get_by_role("button", name="Chuyển cơ quan xử lý").click()
    desk.locator(".ticket-head .state.transferred").wait_for()
    citizen.told("Điện lực Gia Lai").first.wait_for(timeout=_SLOW)
    desk.locator("summary", has_text="Ghi trả lời của cơ quan").click()
    desk.fill("#agency_answer-text", "Đã thay bóng đèn sáng nay.")
    desk.get_by_role("button", name="Ghi trả lời của cơ quan").click()
    desk.locator(".ticket-head .state.answered_by_agency").wait_for()
    desk.locator("summary", has_text="Trả lời người gửi").click()
    desk.fill("#answer-text", "Đã thay bóng đèn sáng nay, anh/chị xem giúp đã sáng chưa ạ.")
    desk.get_by_role("button", name="Trả lời người gửi").click()
    desk.locator(".ticket-head .state.answered").wait_for()
