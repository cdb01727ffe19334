"""Choosing between what was offered: numbers, ordinals, words, none of them; and what is no choice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.choices import Choice, resolve
from vntext.normalise import strip_marks

TITLES = ["khai sinh lần đầu", "đăng ký lại khai sinh", "khai sinh có yếu tố nước ngoài"]
CHOSEN = [
    ("1", 0),
    ("2.", 1),
    ("số 3", 2),
    ("số hai", 1),
    ("cái đầu tiên", 0),
    ("cái đầu tiên ấy em", 0),
    ("dạ cái thứ hai ạ", 1),
    ("mục 3 nhé", 2),
    ("cái cuối cùng", 2),
    ("cái ở giữa", 1),
    ("lần đầu", 0),
    ("có yếu tố nước ngoài", 2),
    ("nước ngoài em ơi", 2),
    ("đăng ký lại", 1),
]


@pytest.mark.parametrize(("said", "index"), CHOSEN)
def test_a_choice_is_understood(said: str, index: int) -> None:
    assert resolve(said, TITLES) == Choice(index)


@pytest.mark.parametrize(
    "said",
    [
        "không phải các mục này",
        "khong phai cac muc nay",
        "không cái nào đúng",
        "không có cái nào",
        "mục khác",
    ],
)
def test_none_of_these(said: str) -> None:
    assert resolve(said, TITLES) == Choice(None)


@pytest.mark.parametrize(
    "said",
    [
        "",
        "4",
        "99",
        "ok",
        "khai sinh",
        "đổi bằng lái xe hết hạn cần gì",
        "vậy tốn bao nhiêu tiền",
        "cảm ơn em",
    ],
)
def test_what_chooses_nothing(said: str) -> None:
    assert resolve(said, TITLES) is None


@given(st.sampled_from(CHOSEN))
def test_marks_make_no_difference(row: tuple[str, int]) -> None:
    assert resolve(strip_marks(row[0]), TITLES) == Choice(row[1])


@given(st.text(max_size=60))
def test_any_text_resolves_within_the_options(said: str) -> None:
    choice = resolve(said, TITLES)
    assert choice is None or choice.index is None or 0 <= choice.index < len(TITLES)


def test_nothing_offered_is_no_choice() -> None:
    assert resolve("1", []) is None
