"""Telex left unconverted is read; everything that only looks like it stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.normalise import normalise
from vntext.telex import decode


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        (
            "Cos troomj ddang cayj cuwar nhaf tooi, goij coong an",
            "Có trộm đang cạy cửa nhà tôi, gọi công an",
        ),
        ("thur tucj", "thủ tục"),
        ("tucj", "tục"),
        ("lamf sổ ddor laanf ddaauf", "làm sổ đỏ lần đầu"),
        ("guwir tuaanf truwowcs", "gửi tuần trước"),
        ("ddawng kys max soos thuees", "đăng ký mã số thuế"),
        ("thủ tucj ly hoon", "thủ tục ly hôn"),
        ("nguwowif giaf", "người già"),
        ("duowngf hungf vuowng", "đường hùng vương".replace("đ", "d")),
        ("quyeets ddinhj thu hooif ddaats", "quyết định thu hồi đất"),
        ("BAANR SAO", "BẨN SAO"),
        ("giaays pheps xaay duwngj", "giấy phép xây dựng"),
        ("hoir phis cos ddawts khoong", "hỏi phí có đắt không"),
    ],
)
def test_decodes(typed, expected):
    assert decode(typed) == expected


@pytest.mark.parametrize(
    "text",
    [
        "toi muon lam giay khai sinh",
        "so nha may as cos vs hs",
        "tra cuu GL-2026-000123 va 1.001193",
        "gui ve tours@example.com hoac https://dichvucong.gov.vn/tucj",
        "my car was broken and the roof leaks, please help us",
        "làm thẻ visa ở đâu, max tax bao nhiêu",
        "hix may qua",
        "toj muon hoi",
        "Cafe Wifi Taxi",
        "xoong noi",
        "chợ Krông Pa, xã Ia Der",
        "ok",
        "",
    ],
)
def test_leaves_alone(text):
    assert decode(text) == text


@given(st.text(st.sampled_from("aeouiwsfrxjdthngc ,.0A"), max_size=60) | st.text(max_size=60))
def test_never_raises_and_keeps_other_text(text):
    decode(normalise(text))
    assert decode("xin chào các bạn, cho hỏi giá") == "xin chào các bạn, cho hỏi giá"
