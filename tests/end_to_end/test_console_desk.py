"""The operators' desk: taking, answering, noting, finding; what happens elsewhere never gets in the way."""

from __future__ import annotations

import io
import os
import re
from collections.abc import Iterator

import pytest
from PIL import Image
from playwright.sync_api import BrowserContext, Page, Route, expect

from tests.end_to_end.desk import OPERATORS, Citizen, DeskApp, log_in

pytestmark = pytest.mark.browser

CLAIMS = int(os.environ.get("CONSOLE_CLAIMS", "3"))


@pytest.fixture
def page(hoa: BrowserContext, desk: DeskApp) -> Iterator[Page]:
    opened = hoa.new_page()
    opened.goto(f"{desk.url}/console")
    yield opened
    opened.close()


def waiting(page: Page, text: str) -> None:
    """Open the conversation in which `text` was said last."""
    # Under the mouse nothing new comes into the list.
    page.locator(".bar").hover()
    page.locator("#items a", has_text=text).first.click()
    page.locator(".messages .words", has_text=text).wait_for()


def claimed(page: Page, citizen: Citizen, text: str) -> None:
    """Let a citizen ask, and take the conversation."""
    citizen.say(text)
    waiting(page, text)
    page.get_by_role("button", name="Nhận trả lời").click()
    page.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()


def test_who_writes_appears_by_itself_is_taken_answered_and_given_back(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    claimed(page, citizen, "Đèn đường Trần Phú hỏng")
    page.fill("#text", "Dạ em đã ghi nhận ạ")
    page.press("#text", "Control+Enter")
    page.locator(".messages .operator", has_text="Dạ em đã ghi nhận ạ").wait_for()
    expect(page.locator("#text")).to_have_value("")
    page.locator(".messages .operator", has_text="Đã gửi").wait_for()
    assert [message["text"] for message in citizen.heard()] == ["Dạ em đã ghi nhận ạ"]

    citizen.say("Cảm ơn em nhiều")
    page.locator(".messages .citizen", has_text="Cảm ơn em nhiều").wait_for()
    page.get_by_role("button", name="Giao lại cho trợ lý").click()
    page.locator(".messages .event", has_text="giao lại cho trợ lý").wait_for()
    page.locator(".thread-head", has_text="Trợ lý trả lời").wait_for()


@pytest.mark.timeout(60 + 20 * CLAIMS)
def test_of_two_who_take_at_once_one_gets_it_and_the_other_reads_who(
    hoa: BrowserContext, khanh: BrowserContext, desk: DeskApp
) -> None:
    """CONSOLE_CLAIMS=200 for a long run. Both clicks are on their way before the server sees either."""
    pages, names = [context.new_page() for context in (hoa, khanh)], list(OPERATORS.values())
    held: list[Route] = []

    def hold(route: Route) -> None:
        held.append(route)

    for page in pages:
        page.set_default_timeout(60_000)
        page.goto(f"{desk.url}/console")
        page.route("**/claim*", hold)
    for number in range(CLAIMS):
        text = f"ai nhận trước, lần thứ {number}."
        desk.citizen().say(text)
        for page in pages:
            waiting(page, text)
        for page in pages:
            page.get_by_role("button", name="Nhận trả lời").click()
        while len(held) < 2:
            pages[0].evaluate("0")
        for route in held[:: 1 if number % 2 else -1]:
            route.continue_()
        held.clear()
        for page in pages:
            page.locator(".thread-head", has_text="đang trả lời").wait_for()
        holders = [page.locator(".thread-head", has_text="Tôi đang trả lời").count() for page in pages]
        assert sorted(holders) == [0, 1]
        loser, winner = (pages[holders.index(is_mine)] for is_mine in (0, 1))
        holder = names[holders.index(1)]
        loser.locator("#problem", has_text=f"{holder} vừa nhận").wait_for()
        loser.locator(".thread-head", has_text=f"{holder} đang trả lời").wait_for()
        assert winner.locator("#problem").is_hidden()
        assert winner.locator(".messages .event", has_text="nhận trả lời").count() == 1
        winner.get_by_role("button", name="Kết thúc").click()
        winner.locator(".thread-head", has_text="Đã kết thúc").wait_for()
    for page in pages:
        page.close()


def test_what_was_written_stays_when_the_server_says_no(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    citizen.say("chưa ai nhận mà đã gửi")
    waiting(page, "chưa ai nhận mà đã gửi")
    page.fill("#text", "Em chưa bấm nhận")
    page.press("#text", "Control+Enter")
    expect(page.locator("#problem")).to_contain_text("chưa nhận cuộc trò chuyện này")
    expect(page.locator("#text")).to_have_value("Em chưa bấm nhận")
    assert citizen.heard() == []
    page.get_by_role("button", name="Nhận trả lời").click()
    page.locator(".thread-head", has_text="Tôi đang trả lời").wait_for()
    page.click("#reply button[type=submit]")
    page.locator(".messages .operator", has_text="Em chưa bấm nhận").wait_for()


def test_a_note_looks_different_and_never_reaches_the_citizen(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    claimed(page, citizen, "cần ghi chú")
    page.fill("#text", "đang viết dở câu trả lời")
    page.get_by_role("tab", name="Ghi chú nội bộ").click()
    expect(page.locator("#text")).to_be_hidden()
    page.fill("#note-text", "Đã gọi UBND phường, hẹn 15 giờ")
    page.press("#note-text", "Control+Enter")
    page.locator(".messages .note", has_text="Đã gọi UBND phường, hẹn 15 giờ").wait_for()
    page.get_by_role("tab", name="Trả lời").click()
    expect(page.locator("#text")).to_have_value("đang viết dở câu trả lời")
    citizen.say("alo")
    page.locator(".messages .citizen", has_text="alo").wait_for()
    assert citizen.heard() == []
    reply, note = (
        page.locator(f"#{one}").evaluate("field => getComputedStyle(field).backgroundColor")
        for one in ("text", "note-text")
    )
    assert reply != note


def test_pictures_are_shown_taken_away_and_sent(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    claimed(page, citizen, "gửi ảnh cho em")
    picture = io.BytesIO()
    Image.new("RGB", (40, 30), "green").save(picture, "PNG")
    for name in ("bản đồ.png", "nhầm.png"):
        page.set_input_files(
            "#reply input[type=file]",
            {"name": name, "mimeType": "image/png", "buffer": picture.getvalue()},
        )
    expect(page.locator("#reply .tray img")).to_have_count(2)
    page.get_by_role("button", name="Bỏ nhầm.png").click()
    expect(page.locator("#reply .tray li")).to_have_count(1)
    page.press("#text", "Control+Enter")
    shown = page.locator(".messages .operator img")
    shown.wait_for()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 40
    (heard,) = citizen.heard()
    assert [file["name"] for file in heard["attachments"]] == ["bản đồ.png"]


def test_a_file_that_is_refused_says_why_and_keeps_the_text(page: Page, desk: DeskApp) -> None:
    claimed(page, desk.citizen(), "gửi tệp lạ")
    page.fill("#text", "Anh xem tệp này")
    page.set_input_files(
        "#reply input[type=file]",
        {"name": "chay.exe", "mimeType": "application/octet-stream", "buffer": b"MZ\x00\x00"},
    )
    expect(page.locator("#reply .tray .failed")).to_contain_text("chỉ nhận ảnh và tệp")
    page.press("#text", "Control+Enter")
    expect(page.locator("#reply .hint")).to_contain_text("chưa tải lên được")
    expect(page.locator("#text")).to_have_value("Anh xem tệp này")


def test_drafts_outlive_another_conversation_a_reload_and_a_log_out_unseen_by_others(
    desk: DeskApp, hoa: BrowserContext
) -> None:
    browser = hoa.browser
    assert browser is not None
    context = desk.operator(browser, "hoa")
    page = context.new_page()
    page.goto(f"{desk.url}/console")
    for text in ("nháp thứ nhất", "nháp thứ hai"):
        desk.citizen().say(text)
        waiting(page, text)
        page.fill("#text", f"Trả lời {text}")
    waiting(page, "nháp thứ nhất")
    expect(page.locator("#text")).to_have_value("Trả lời nháp thứ nhất")
    address = page.url
    page.reload()
    expect(page.locator("#text")).to_have_value("Trả lời nháp thứ nhất")

    page.get_by_role("button", name="Đăng xuất").click()
    page.wait_for_url("**/console/login")
    stored = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}])")
    assert "1022.draft" in stored
    assert "nháp" not in stored
    log_in(page, desk.url, "khanh")
    page.goto(address)
    page.locator("#text").wait_for()
    expect(page.locator("#text")).to_have_value("")
    page.get_by_role("button", name="Đăng xuất").click()
    log_in(page, desk.url, "hoa")
    page.goto(address)
    expect(page.locator("#text")).to_have_value("Trả lời nháp thứ nhất")
    context.close()


def test_the_list_never_moves_under_the_mouse(page: Page, desk: DeskApp) -> None:
    for number in range(3):
        desk.citizen().say(f"người thứ {number} trong hàng")
    page.locator("#items a", has_text="người thứ 2 trong hàng").wait_for()
    page.get_by_text("Tất cả", exact=True).click()
    expect(page).to_have_url(re.compile("show=all"))
    page.locator("#items a", has_text="người thứ 2 trong hàng").hover()
    order = page.locator("#items li").evaluate_all("items => items.map((item) => item.dataset.id)")
    desk.citizen().say("người tới sau")
    fresh = page.locator("#fresh")
    expect(fresh).to_contain_text("1 cuộc mới")
    assert order == page.locator("#items li").evaluate_all("items => items.map((item) => item.dataset.id)")
    page.locator("#conversation").hover()
    expect(page.locator("#items li").first).to_contain_text("người tới sau")
    expect(fresh).to_be_hidden()


def without_the_list(page: Page) -> None:
    """Let the page ask for the list no more, once it has asked as it does when its line of events stands."""
    page.locator("#list:not([aria-busy])").wait_for()
    page.route("**/console/list?*", lambda route: route.abort())


def opened(context: BrowserContext, desk: DeskApp, show: str) -> Page:
    """Open a part of the list, and wait until it is told what happens."""
    page = context.new_page()
    with page.expect_response("**/console/list?*"):
        page.goto(f"{desk.url}/console?show={show}")
    without_the_list(page)
    return page


def test_rows_change_where_they_stand_and_the_list_is_not_asked_for_again(
    page: Page, khanh: BrowserContext, desk: DeskApp
) -> None:
    citizen = desk.citizen()
    citizen.say("dòng này sẽ đổi chữ")
    other = opened(khanh, desk, "all")
    row = other.locator("#items li", has_text="dòng này sẽ đổi chữ")
    row.wait_for()
    row = other.locator(f'#items li[data-id="{row.get_attribute("data-id")}"]')
    row.locator("a").focus()
    link = row.locator("a").element_handle()
    waiting(page, "dòng này sẽ đổi chữ")
    page.get_by_role("button", name="Nhận trả lời").click()
    expect(row).to_contain_text(f"{OPERATORS['hoa']} đang trả lời")
    citizen.say("chữ đã đổi rồi")
    expect(row).to_contain_text("chữ đã đổi rồi")
    assert link.evaluate("link => link === document.activeElement")
    other.close()


def test_a_row_comes_into_the_parts_it_belongs_to_and_leaves_the_others(
    page: Page, hoa: BrowserContext, khanh: BrowserContext, desk: DeskApp
) -> None:
    mine, theirs, queue = (
        opened(context, desk, show) for context, show in ((hoa, "mine"), (khanh, "mine"), (khanh, "waiting"))
    )
    claimed(page, desk.citizen(), "đi qua các phần của danh sách")
    text = "đi qua các phần của danh sách"
    expect(mine.locator("#items li", has_text=text)).to_contain_text("Tôi đang trả lời")
    expect(queue.locator("#items li", has_text=text)).to_have_count(0)
    page.get_by_role("button", name="Giao lại cho trợ lý").click()
    expect(mine.locator("#items li", has_text=text)).to_have_count(0)
    expect(theirs.locator("#items li", has_text=text)).to_have_count(0)
    for one in (mine, theirs, queue):
        one.close()


def test_everything_said_is_found_without_marks_and_shown_where(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    citizen.say("Tôi là Nguyễn Thị Hoà, cống thoát nước nghẹt")
    citizen.say("nước tràn ra đường")
    search = page.locator("#search")

    def found() -> None:
        search.fill("cong thoat nuoc nghet")
        search.press("Enter")
        page.locator("#list:not([aria-busy])").wait_for()

    # The index follows what is said a moment later.
    found()
    while not page.locator("#items mark").count():
        found()
    expect(page.locator("#items li")).to_have_count(1)
    assert page.locator("#items mark").all_inner_texts() == ["cống", "thoát", "nước", "nghẹt"]
    search.fill("khong co cau nay trong he thong")
    search.press("Enter")
    page.get_by_text("Không tìm thấy").wait_for()


def test_answers_written_beforehand_come_by_slash_with_their_variables(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    claimed(page, citizen, "xin câu mẫu")
    manage = page.context.new_page()
    manage.goto(f"{desk.url}/console/canned")
    manage.fill("#title", "Cảm ơn")
    manage.fill("#canned-text", "Dạ cảm ơn anh/chị. {ten_truc_vien} kính chào.")
    manage.get_by_role("button", name="Lưu câu mẫu").click()
    manage.get_by_text("kính chào").first.wait_for()
    manage.close()
    page.locator("#text").press_sequentially("Xong rồi ạ. /camon")
    page.locator("#canned [role=option]", has_text="Cảm ơn").wait_for()
    page.keyboard.press("Enter")
    expect(page.locator("#text")).to_have_value(
        f"Xong rồi ạ. Dạ cảm ơn anh/chị. {OPERATORS['hoa']} kính chào."
    )
    assert citizen.heard() == []


def test_who_else_is_there_and_writes_is_seen(
    hoa: BrowserContext, khanh: BrowserContext, desk: DeskApp
) -> None:
    desk.citizen().say("hai người cùng xem")
    one, other = hoa.new_page(), khanh.new_page()
    for page in (one, other):
        page.goto(f"{desk.url}/console")
        waiting(page, "hai người cùng xem")
    expect(one.locator("#others")).to_contain_text(f"{OPERATORS['khanh']} cũng đang xem")
    other.locator("#text").press_sequentially("Dạ")
    expect(one.locator("#others")).to_contain_text(f"{OPERATORS['khanh']} đang viết")
    other.close()
    expect(one.locator("#others")).to_be_empty()
    one.close()


def test_a_call_begins_with_the_number_and_earlier_contacts_appear(page: Page, desk: DeskApp) -> None:
    page.get_by_role("link", name="Ghi cuộc gọi").click()
    page.fill("#number", "0905 777 888")
    page.get_by_text("Số này chưa liên hệ lần nào").wait_for()
    page.fill("#name", "Rơ Châm H'Nhung")
    page.get_by_role("button", name="Bắt đầu ghi").click()
    page.fill("#heard-text", "Hỏi giờ làm việc của bộ phận một cửa")
    page.press("#heard-text", "Control+Enter")
    page.locator(".messages .citizen", has_text="Hỏi giờ làm việc").wait_for()
    page.get_by_role("tab", name="Đã trả lời").click()
    page.fill("#text", "Từ 7 giờ 30 đến 16 giờ 30")
    page.press("#text", "Control+Enter")
    page.locator(".messages .operator", has_text="Từ 7 giờ 30").wait_for()
    page.get_by_role("button", name="Kết thúc").click()
    page.locator(".thread-head", has_text="Đã kết thúc").wait_for()
    page.goto(f"{desk.url}/console/call")
    page.fill("#number", "+84 905 777 888")
    page.get_by_role("heading", name="Rơ Châm H'Nhung").wait_for()


def test_a_report_is_opened_beside_the_conversation(page: Page, desk: DeskApp) -> None:
    citizen = desk.citizen()
    claimed(page, citizen, "Hố ga trước số 5 Lê Lợi mất nắp")
    page.locator("#beside").get_by_role("tab", name="Phản ánh").click()
    page.locator("#open-ticket summary").click()
    expect(page.locator("#ticket-content")).to_have_value("Hố ga trước số 5 Lê Lợi mất nắp")
    page.fill("#ticket-name", "Lê Thị Mai")
    page.fill("#ticket-phone", "0905222333")
    page.fill("#ticket-address", "5 Lê Lợi, phường Pleiku")
    citizen.say("chị chờ em chút")
    page.locator(".messages .citizen", has_text="chị chờ em chút").wait_for()
    expect(page.locator("#ticket-name")).to_have_value("Lê Thị Mai")
    page.get_by_label("đồng ý cho lưu").check()
    page.get_by_role("button", name="Lập phản ánh").click()
    page.locator("#panel-tickets .card", has_text="Hố ga trước số 5").wait_for()
    page.locator(".messages .words", has_text="đã tiếp nhận").wait_for()


def test_without_the_knowledge_base_the_desk_goes_on(page: Page, desk: DeskApp) -> None:
    claimed(page, desk.citizen(), "hỏi khi kho kiến thức nghỉ")
    page.locator("#beside").get_by_role("tab", name="Kiến thức").click()
    page.get_by_text("Kho kiến thức chưa sẵn sàng").wait_for()
