"""What a message gives for a report: names, phones, places, addresses, and what is left as content."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.locations import find_locations
from actions.names import find_name, name_answer
from actions.report_extract import extract
from vntext.normalise import normalise


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("mình tên Khánh", "Khánh"),
        ("toi la nguyen van a", "Nguyen Van A"),
        ("Tôi tên Võ Thị Thắm, sđt 0966 777 888", "Võ Thị Thắm"),
        ("tôi tên là Quý", "Quý"),
        ("toi ten le thi hoa o xa Phu Cat", "Le Thi Hoa"),
        ("họ và tên: Rơ Châm H'Thảo", "Rơ Châm H'Thảo"),
        ("mình là Hoàng Anh Tuấn, ở Pleiku", "Hoàng Anh Tuấn"),
        ("ten toi la tran van nam, dien thoai 0905123456", "Tran Van Nam"),
    ],
)
def test_an_announced_name_is_found(text: str, name: str) -> None:
    found = find_name(normalise(text))
    assert found is not None
    assert found.name == name


@pytest.mark.parametrize(
    "text",
    [
        "tên đường là Lê Lợi", "họ tên thì khỏi cần ghi", "tôi là người dân ở đây", "tên gì cũng được",
        "tôi là dân thôn 3", "không biết tên", "đèn đường hỏng", "nêu tên làm gì",
    ],
)  # fmt: skip
def test_no_name_is_seen_where_none_is(text: str) -> None:
    assert find_name(normalise(text)) is None


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Nguyễn Văn Bình", "Nguyễn Văn Bình"),
        ("dạ em Lan ạ", "Lan"),
        ("tran van be", "Tran Van Be"),
        ("Khánh nha", "Khánh"),
    ],
)
def test_the_answer_to_the_question_for_the_name(text: str, name: str) -> None:
    assert name_answer(normalise(text)) == name


@pytest.mark.parametrize("text", ["không", "0905123456", "để làm gì?", "thôi khỏi", "đồng ý", "chưa biết"])
def test_what_is_no_name(text: str) -> None:
    assert name_answer(normalise(text)) is None


@pytest.mark.parametrize(
    ("text", "locations"),
    [
        ("đèn đường hỏng trước số 12 Trần Phú", ["trước số 12 Trần Phú"]),
        ("den duong hong truoc so 12 tran phu", ["truoc so 12 tran phu"]),
        ("ổ gà ở đường Cách Mạng Tháng Tám, phường Pleiku", ["đường Cách Mạng Tháng Tám, phường Pleiku"]),
        ("duong hung vuong bi ngap nuoc", ["duong hung vuong"]),
        ("cống tắc ở ngã tư Lê Duẩn - Trường Chinh", ["ngã tư Lê Duẩn - Trường Chinh"]),
        ("thôn 3, xã Ia Der, huyện Ia Grai", ["thôn 3, xã Ia Der, huyện Ia Grai"]),
        ("sạt lở quốc lộ 19 km 45 đoạn đèo", ["quốc lộ 19 km 45"]),
        ("đường hư quá không ai sửa", []),
        ("lòng đường trước trường bị chiếm hết", []),
        ("họ tên thì khỏi cần ghi", []),
        ("buồn quá đi", []),
    ],
)
def test_locations(text: str, locations: list[str]) -> None:
    assert [location.text for location in find_locations(normalise(text))] == locations


def test_an_address_and_a_place_in_one_message_are_told_apart() -> None:
    found = extract("hố ga mất nắp ở đường Lê Duẩn, tôi tên Sang, 0905123456, địa chỉ 4 Hai Bà Trưng")
    assert (found.name, found.address, found.place) == ("Sang", "4 Hai Bà Trưng", "đường Lê Duẩn")
    assert found.content is not None
    assert found.content.startswith("hố ga mất nắp ở đường Lê Duẩn")
    assert "0905" not in found.content


@pytest.mark.parametrize(
    "text", ["tôi cần phản ánh", "cho em gửi phản ánh ạ", "toi can phan anh", "em muốn góp ý"]
)
def test_wanting_to_report_is_no_content(text: str) -> None:
    assert extract(text).content is None


def test_the_numbers_of_services_are_not_the_senders() -> None:
    found = extract("gọi 1022 không ai nghe, gọi 113 cũng vậy")
    assert found.phone is None
    assert found.bad_phone is None


def test_pointing_back_is_no_content() -> None:
    found = extract("khúc gần cầu Bà Di, đường Quang Trung, liên hệ như lần trước")
    assert (found.place, found.content) == ("khúc gần cầu Bà Di, đường Quang Trung", None)


@given(st.text(max_size=200))
def test_no_text_breaks_it(text: str) -> None:
    found = extract(normalise(text))
    assert found.phone is None or found.phone.valid
