"""Which passwords are accepted (NIST SP 800-63B)."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from accounts.errors import WeakPasswordError
from accounts.passwords import LONGEST, SHORTEST, check_password

NAMES = ("lan.nguyen", "Nguyễn Thị Ngọc Lan")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", "short"),
        ("mười một ký", "short"),
        ("a" * 201, "long"),
        ("1q2w3e4r5t6y", "common"),
        ("QWERTYUIOP123", "common"),
        ("lan.nguyen2026", "personal"),
        ("NguyenThiNgocLan1990", "personal"),
        ("Nguyễn Thị Ngọc Lan", "personal"),
        ("1022-GiaLai-2026!", "personal"),
        ("tổng đài gia lai 1022", "personal"),
        ("matkhaumatkhau", "personal"),
        ("aaaaaaaaaaaaaa", "guessable"),
        ("abcabcabcabc", "guessable"),
        ("19901990199019", "guessable"),
    ],
)
def test_what_is_easily_found_is_refused_and_told_why(password: str, reason: str):
    with pytest.raises(WeakPasswordError) as refused:
        check_password(password, NAMES)
    assert refused.value.code == f"weak_password_{reason}"
    assert refused.value.sentence


@pytest.mark.parametrize(
    "password",
    [
        "sông Ba mùa nước nổi",
        "mot con meo ngu tren mai",
        "chợ Biển Hồ họp sáng sớm",
        "tV9#kq2!mZ7w",
        "lan trồng mười bảy khóm sả",
        "🌾🌾 gặt lúa sớm 🐃🐃",
        "correct horse battery staple",
    ],
)
def test_any_kind_of_character_will_do(password: str):
    check_password(password, NAMES)


@settings(deadline=None)
@given(st.text(max_size=SHORTEST - 1))
def test_nothing_short_is_accepted(password: str):
    with pytest.raises(WeakPasswordError):
        check_password(password, NAMES)


@settings(deadline=None)
@given(st.text(min_size=1, max_size=2 * LONGEST))
def test_whatever_is_typed_gets_an_answer(password: str):
    try:
        check_password(password, NAMES)
    except WeakPasswordError as error:
        assert error.sentence
