from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb_index.aspects import ASPECTS, find_aspects, match_aspects, residue
from vntext.canonical import canonical
from vntext.normalise import strip_marks


@pytest.mark.parametrize(
    ("text", "aspects"),
    [
        ("hết bao nhiêu tiền vậy em", ["fee"]),
        ("tốn nhiu", ["fee"]),
        ("lệ phí thế nào", ["fee"]),
        ("mấy bữa có", ["time"]),
        ("bao lâu thì xong", ["time"]),
        ("mất bn ngày", ["time"]),
        ("nộp ở đâu", ["place"]),
        ("ra chỗ nào làm", ["place"]),
        ("cần gì", ["documents"]),
        ("đem theo gì", ["documents"]),
        ("hồ sơ gồm những gì", ["documents"]),
        ("xin mẫu đơn nào", ["form"]),
        ("căn cứ văn bản nào", ["legal"]),
        ("ai làm được", ["who"]),
        ("điều kiện ra sao", ["conditions"]),
        ("làm sao để nộp", ["steps"]),
        ("nộp qua mạng được không", ["online"]),
        ("làm trên vneid được không", ["online"]),
        ("bao lâu, hết bao nhiêu tiền", ["time", "fee"]),
        ("nộp ở đâu và cần giấy tờ gì", ["place", "documents"]),
        ("xin cấp giấy phép xây dựng", []),
        ("xin chào", []),
        ("tờ xác nhận này có giá trị bao lâu", ["result"]),
    ],
)
def test_wording_with_and_without_marks(text: str, aspects: list[str]) -> None:
    assert find_aspects(text) == aspects
    assert find_aspects(strip_marks(text)) == aspects


@pytest.mark.parametrize(
    "text",
    ["thế lệ phí bao nhiêu?", "vay mat bao lau", "còn nộp ở đâu ạ", "vậy cần đem theo gì", "k bt can j v"],
)
def test_a_follow_up_leaves_nothing(text: str) -> None:
    assert residue(text) == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("lệ phí cấp giấy phép xây dựng", ["cấp", "giấy", "phép", "xây", "dựng"]),
        ("đăng ký kết hôn cần gì", ["đăng", "ký", "kết", "hôn"]),
    ],
)
def test_what_it_is_about_is_left(text: str, left: list[str]) -> None:
    assert residue(text) == left


@given(st.text(max_size=120))
def test_any_text_is_read(text: str) -> None:
    plain = canonical(text)
    matches = match_aspects(text)
    assert all(match.aspect in ASPECTS and 0 <= match.start < match.end <= len(plain) for match in matches)
    assert len({match.aspect for match in matches}) == len(matches)
    residue(text)
