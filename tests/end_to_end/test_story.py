"""What a citizen does on the start page, with and without marks, on the real system in a real browser."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page

from tests.end_to_end.conftest import ask

pytestmark = [pytest.mark.stack, pytest.mark.browser]


@pytest.mark.parametrize(
    ("question", "follow_up"),
    [
        ("lam giay khai sinh cho con can giay to gi v", "the le phi bao nhieu?"),
        ("Làm giấy khai sinh cho con cần giấy tờ gì vậy?", "thế lệ phí bao nhiêu?"),
    ],
)
def test_documents_with_their_source_then_the_fee_of_the_same_procedure(
    page: Page, question: str, follow_up: str
) -> None:
    documents = ask(page, question)
    assert "Giấy chứng sinh" in documents
    assert "1.001193" in documents
    assert re.search(r"\d+/\d{4}/(QH|NĐ|TT)", documents), "a legal basis is named"
    assert re.search(r"\d{2}/\d{2}/20\d{2}", documents), "the date of the source is named"

    fee = ask(page, follow_up)
    assert "khai sinh" in fee.lower()
    assert re.search(r"lệ phí|miễn phí|đồng", fee.lower())
    assert "1.001193" in fee


@pytest.mark.parametrize("text", ["cháy nhà ở đường Hùng Vương", "chay nha o duong hung vuong"])
def test_fire_gets_114_before_anything_else(page: Page, text: str) -> None:
    answer = ask(page, text)
    assert re.match(r"\D*114", answer), answer
    assert page.locator("chat-1022 .emergency a.call").get_attribute("href") == "tel:114"


@pytest.mark.parametrize("text", ["cho gặp người thật", "cho gap nguoi that"])
def test_asking_for_a_person_puts_the_conversation_into_the_queue(page: Page, text: str) -> None:
    answer = ask(page, text)
    assert "người trực" in answer.lower()
    page.locator("chat-1022 .notice", has_text="Người trực 1022").wait_for()


@pytest.mark.parametrize(
    ("opening", "turns"),
    [
        (
            "đèn đường hỏng trước số 12 Trần Phú",
            [
                "phường Pleiku",
                "tôi tên Nguyễn Văn Bình",
                "0905 123 456",
                "số 14 Trần Phú, phường Pleiku",
                "đồng ý",
            ],
        ),
        (
            "den duong hong truoc so 12 tran phu",
            [
                "phuong pleiku",
                "toi ten nguyen van binh",
                "0905123456",
                "so 14 tran phu, phuong pleiku",
                "dong y",
            ],
        ),
    ],
)
def test_a_report_ends_in_a_ticket_that_can_be_asked_for(page: Page, opening: str, turns: list[str]) -> None:
    answer = ask(page, opening)
    code = None
    for _ in range(8):
        if found := re.search(r"GL-\d{4}-\d{6}", answer):
            code = found.group()
            break
        answer = ask(page, _reply_to(answer, turns))
    assert code, f"no ticket was opened; the last answer was: {answer}"

    status = ask(page, f"phản ánh {code} tới đâu rồi")
    assert code in status


def _reply_to(question: str, turns: list[str]) -> str:
    """Answer what the form asks for, as a person reads it."""
    place, name, phone, address, consent = turns
    asked = question.lower()
    if "đồng ý" in asked or "đúng" in asked:
        return consent
    if "số điện thoại" in asked:
        return phone
    if "họ tên" in asked or "tên" in asked:
        return name
    if "địa chỉ" in asked:
        return address
    return place
