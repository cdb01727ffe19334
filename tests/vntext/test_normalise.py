"""One form for every text, whatever keyboard it came from."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.normalise import normalise, normalise_with_offsets, strip_marks

VIETNAMESE = "aàáảãạăằắẳẵặâầấẩẫậeèéẻẽẹêềếểễệiìíỉĩịoòóỏõọôồốổỗộơờớởỡợuùúủũụưừứửữựyỳýỷỹỵđĐbcghnpqtTHGIQU "
MARKS = "\u0300\u0301\u0303\u0309\u0323\u0302\u0306\u031b\u200b\u00a0\u00ad"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("hoà giải", "hòa giải"),
        ("thuỷ sản", "thủy sản"),
        ("khoẻ", "khỏe"),
        ("Uỷ ban", "Ủy ban"),
        ("HOÀ BÌNH", "HÒA BÌNH"),
        ("quý", "quý"),
        ("qúy", "quý"),
        ("qủa", "quả"),
        ("gìa", "già"),
        ("gì", "gì"),
        ("gíêng", "giếng"),
        ("gíếng", "gíếng"),  # two marks: no syllable, left as it is
        ("giếng", "giếng"),
        ("toàn", "toàn"),
        ("tòan", "toàn"),
        ("thuế", "thuế"),
        ("khuỷu", "khuỷu"),
        ("café Krông Păh", "café Krông Păh"),
        ("Ðường", "Đường"),
        ("a\u200bn\u00adh", "anh"),
        ("\ufefflệ\u00a0phí \t\n 20", "lệ phí 20"),
        ("xin\x07 chào", "xin chào"),
        ("o\u0300\u0302", "ồ"),  # tone typed before the circumflex
        ("a\u0301\u0306n", "ắn"),
        ("", ""),
    ],
)
def test_writes_one_form(typed, expected):
    assert normalise(typed) == expected


@pytest.mark.parametrize("text", ["Đường Hùng Vương bị ngập", "thủy hòa quý giếng ở Phù Mỹ"])
def test_decomposed_text_becomes_the_same(text):
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(text)


@given(st.text() | st.text(VIETNAMESE + MARKS, max_size=60))
def test_is_idempotent(text):
    once = normalise(text)
    assert normalise(once) == once
    assert unicodedata.is_normalized("NFC", once)


@given(st.text() | st.text(VIETNAMESE + MARKS, max_size=60))
def test_offsets_point_into_the_text(text):
    result, origins = normalise_with_offsets(text)
    assert result == normalise(text)
    assert len(origins) == len(result)
    assert origins == sorted(origins)
    assert all(0 <= origin < len(text) for origin in origins)


@given(st.text(VIETNAMESE + "\u200b\u00a0", max_size=60))
def test_offsets_lead_to_the_same_letter(text):
    result, origins = normalise_with_offsets(text)
    for letter, origin in zip(result, origins, strict=True):
        assert strip_marks(letter) == strip_marks(normalise(text[origin]) or " ")


@given(st.text() | st.text(VIETNAMESE + MARKS, max_size=60))
def test_stripping_keeps_the_length(text):
    assert len(strip_marks(text)) == len(unicodedata.normalize("NFC", text))


def test_strips_every_vietnamese_mark():
    assert strip_marks("Đường Nguyễn Thị Minh Khai ở Phù Cát") == "Duong Nguyen Thi Minh Khai o Phu Cat"
    assert strip_marks(VIETNAMESE).isascii()
