"""The grammar accepts what is written in Vietnamese and refuses what cannot be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.syllable import is_complete, is_syllable, parse, place_tone

REAL = [
    "a", "ơi", "anh", "ông", "bà", "nghiêng", "nghĩ", "ngoằn", "khuya", "khuỷu", "quyền", "quốc",
    "quạu", "giặt", "gìn", "giữa", "giếng", "gì", "xoong", "hoặc", "toét", "thuở", "yêu", "yếu",
    "uyên", "oách", "ưu", "rượu", "nước", "tuýp", "buýt", "huỳnh", "quỳnh", "ghế", "kẻ", "cua",
    "quơ", "thuế", "trường", "thẳng", "đường", "đỗ", "ngoáy", "ngoéo", "oanh",
]  # fmt: skip
UNREAL = [
    "str", "kang", "cen", "ngi", "gê", "qan", "fan", "wang", "zân", "tục̀k", "aeo", "thươ̛x", "bl",
    "taoi", "nhưp", "kông", "quang1", "hotel",
]  # fmt: skip


@pytest.mark.parametrize("word", REAL)
def test_knows_real_syllables(word):
    assert is_syllable(word)


@pytest.mark.parametrize("word", UNREAL)
def test_refuses_what_cannot_be_written(word):
    assert not is_syllable(word)


@pytest.mark.parametrize("word", ["tuc", "tùc", "tủc", "giây̌p"])
def test_stop_coda_needs_its_tone(word):
    assert not is_complete(word)


def test_unmarked_stop_coda_is_a_syllable_though():
    assert is_syllable("tuc")
    assert is_complete("tục")


@given(st.text("aăâeêioôơuưyàáảãạếộữđghknpqtx", min_size=1, max_size=7))
def test_moving_the_tone_keeps_letters_and_length(word):
    placed = place_tone(word)
    assert len(placed) == len(word)
    assert place_tone(placed) == placed
    assert parse(placed) == parse(word)
