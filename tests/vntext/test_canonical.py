"""What search and the classifiers read."""

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from vntext.canonical import canonical

WORDS = [
    "k", "ko", "dc", "đk", "vs", "bn", "h", "c", "tt", "hs", "ks", "ca", "z", "v", "r", "j", "20k",
    "t2", "cn", "a", "e", "troomj", "ddang", "thur", "tucj", "cháy", "nhà", "toi", ".", ",", "?",
    "GL-2026-000123", "hoà", "fải", "wá", "xe", "cc", "ô", "tô", "dậy", "gì", "hong", "tui", "hk",
    "8h30", "https://a.vn", "max", "tax", "as", "roif",
]  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("Lamf KS cho bé hết bn?", "làm khai sinh cho bé hết bao nhiêu?"),
        ("lam giay khai sinh", "lam giay khai sinh"),
        ("Hoà Bình", "hòa bình"),
        ("", ""),
    ],
)
def test_canonical(typed, expected):
    assert canonical(typed) == expected


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=14).map(" ".join) | st.text(max_size=80))
def test_is_idempotent(text):
    once = canonical(text)
    assert canonical(once) == once


@pytest.mark.parametrize(
    "text", ["a" * 5000, "k dc " * 1000, "a.b-" * 1250, "0 " * 2500, "aaf " * 1250, "@" * 5000]
)
def test_long_input_is_read_in_bounded_time(text):
    started = time.thread_time()
    canonical(text)
    assert time.thread_time() - started < 2
