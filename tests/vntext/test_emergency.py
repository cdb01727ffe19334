"""Emergencies are recognised however they are typed; ordinary messages are not taken for one."""

import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from vntext.emergency import _TABLE, recognise
from vntext.normalise import strip_marks

CASES = Path(__file__).parent / "cases"


def emergencies():
    """Give (numbers, message) pairs, each message also without marks unless its numbers end in "!"."""
    for row in yaml.safe_load((CASES / "emergencies.yml").read_text(encoding="utf-8")):
        numbers, text = row.split(" | ", 1)
        yield numbers.rstrip("!").split(","), text
        if not numbers.endswith("!") and strip_marks(text) != text:
            yield numbers.split(","), strip_marks(text)


def ordinary():
    for text in yaml.safe_load((CASES / "ordinary.yml").read_text(encoding="utf-8")):
        yield from dict.fromkeys((text, strip_marks(text)))


@pytest.mark.parametrize(("numbers", "text"), list(emergencies()))
def test_recognises(numbers, text):
    found = recognise(text)
    assert found.kind in numbers, found
    assert found.rule in _TABLE.rules
    assert found.excluded_by is None
    assert found.kind not in found.also


@pytest.mark.parametrize("text", list(ordinary()))
def test_leaves_ordinary_messages(text):
    found = recognise(text)
    assert found.kind is None, found


@pytest.mark.parametrize(
    ("text", "excluded_by"),
    [
        ("cháy túi rồi ad", "fire_figurative"),
        ("nghiệm thu phòng cháy chữa cháy", "fire_service_business"),
        ("năm ngoái nhà em bị cháy", "long_ago"),
        ("sổ đỏ bị cháy thì xin cấp lại ở đâu", "papers_burnt"),
        ("đánh nhau bị phạt bao nhiêu", "asks_in_general"),
        ("người bị động kinh có được miễn nghĩa vụ quân sự không", "asks_formally"),
    ],
)
def test_says_what_held_it_back(text, excluded_by):
    assert recognise(text).excluded_by == excluded_by


def test_marks_decide_when_there_are_any():
    assert recognise("cháy nhà").kind == "114"
    assert recognise("chạy nhà").kind is None
    assert recognise("ăn cơm chay ở nhà").kind is None


def test_past_is_no_brake_while_it_goes_on():
    assert recognise("hôm qua bếp nhà em bị cháy").kind is None
    assert recognise("cha tôi đi rừng hái nấm từ hôm qua chưa về").kind == "114"


def test_a_request_weighs_more_than_a_sign_told_twice():
    story = "nhà sập, tường đè gãy chân"
    assert recognise(story).kind in ("114", "115")
    assert recognise(f"hồi bão {story}, xin hỗ trợ thì cần giấy tờ gì").kind is None


def test_one_sign_in_long_writing_without_marks_is_not_enough():
    filler = "em o gan truong tieu hoc ben canh cong vien moi lam " * 3
    found = recognise(f"chay nha kho {filler}")
    assert (found.kind, found.excluded_by) == (None, "lone_sign")
    assert recognise(f"chay nha kho {filler} lua bung len roi, lua lan qua nha ben").kind == "114"


def test_names_every_number_that_is_needed():
    found = recognise("tai nạn, xe tải tông người nằm bất tỉnh rồi bỏ chạy")
    assert found.kind == "115"
    assert "113" in found.also


@settings(deadline=None)
@given(st.text())
def test_never_raises(text):
    recognise(text)


@pytest.mark.parametrize(
    "text",
    [
        "cháy " * 1000,
        "người bị kẹt trong " * 260,
        "a" * 5000,
        "đang đánh nhau cầm dao " * 220,
        "0905" * 1250,
        "." * 5000,
        "con em tôi bà ông mẹ " * 240,
        "\u0301" * 5000,
        "aaf " * 1250,
    ],
)
def test_long_input_is_read_in_bounded_time(text):
    started = time.thread_time()
    recognise(text)
    assert time.thread_time() - started < 2


def test_the_end_of_a_very_long_story_is_read():
    assert recognise("Em kể chuyện này hơi dài. " * 400 + "Giờ nhà em đang bốc cháy").kind == "114"
