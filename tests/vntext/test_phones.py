"""Phone numbers as people write and say them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.phones import find_phones


@pytest.mark.parametrize(
    ("text", "e164"),
    [
        ("0905-123-456", "+84905123456"),
        ("số em 0987 654 321 nhé", "+84987654321"),
        ("o9o5 123 456", "+84905123456"),
        ("+84905123456", "+84905123456"),
        ("84905123456", "+84905123456"),
        ("0905.123.456", "+84905123456"),
        ("(0269) 382 1022", "+842693821022"),
        ("0256 3822 294", "+842563822294"),
        ("số không chín không năm một hai ba bốn năm sáu nhé", "+84905123456"),
        ("khong chin khong nam mot hai ba bon nam sau", "+84905123456"),
    ],
)
def test_finds_and_repairs(text, e164):
    (phone,) = find_phones(text)
    assert phone.valid
    assert phone.e164 == e164
    assert text[phone.start : phone.end] == phone.raw


@pytest.mark.parametrize("text", ["113", "gọi 114 với", "tổng đài 1022", "0269.1022", "gọi 115 giúp"])
def test_services_are_valid(text):
    (phone,) = find_phones(text)
    assert phone.valid
    assert phone.e164 == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sđt 0905 12 34", "too_short"),
        ("0905 123 4567", "too_long"),
        ("0105 123 456", "unknown_prefix"),
        ("sdt em la 090512345", "too_short"),
    ],
)
def test_says_what_is_wrong(text, reason):
    (phone,) = find_phones(text)
    assert not phone.valid
    assert phone.reason == reason


@pytest.mark.parametrize(
    "text",
    [
        "ngày 12/10/2026",
        "nhà số 12 hẻm 345",
        "số 113 Trần Phú",
        "lệ phí 20.000 đồng",
        "cccd 052099001234",
        "GL-2026-000123",
        "1.001193",
        "từ 8 đến 10 giờ",
        "năm sáu bảy người",
        "",
    ],
)
def test_leaves_other_numbers(text):
    assert find_phones(text) == []


def test_two_numbers_side_by_side():
    assert [phone.e164 for phone in find_phones("0905123456 0914123456")] == ["+84905123456", "+84914123456"]


@given(st.text() | st.text("0123456789oO+-. ()", max_size=80))
def test_never_raises_and_spans_are_right(text):
    for phone in find_phones(text):
        assert text[phone.start : phone.end] == phone.raw
        assert phone.valid == (phone.reason == "")
