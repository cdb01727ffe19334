"""Codes: every wrong digit and every swap of neighbours is noticed, and bad typing is not."""

from __future__ import annotations

import random
from itertools import pairwise

import pytest

from tickets import codes

NUMBERS = [
    f"GL-{year}-{count:06d}"
    for year in (2026, 2027, 2031)
    for count in (*range(1, 30), *random.Random(1022).sample(range(30, 1_000_000), 70))
]


def test_the_digit_is_damms() -> None:
    assert codes.check_digit("572") == "4"
    assert codes.check_digit("5724") == "0"


@pytest.mark.parametrize("number", NUMBERS)
def test_every_wrong_digit_and_every_swap_is_noticed(number: str) -> None:
    right = codes.shown(number)
    places = [index for index, letter in enumerate(right) if letter.isdigit()]
    wrong = [
        right[:i] + digit + right[i + 1 :] for i in places for digit in "0123456789" if digit != right[i]
    ]
    for first, second in pairwise(places):
        letters = list(right)
        letters[first], letters[second] = letters[second], letters[first]
        if "".join(letters) != right:
            wrong.append("".join(letters))
    assert len(wrong) >= 99
    for typed in wrong:
        read = codes.read(typed)
        assert read is not None
        assert not read.is_right, typed


@pytest.mark.parametrize("number", NUMBERS[::17])
def test_bad_typing_is_read_as_the_same_code(number: str) -> None:
    right = codes.shown(number)
    _, year, count, digit = right.split("-")
    for typed in (
        right.lower(),
        right.replace("-", ""),
        right.replace("-", " "),
        right.replace("-", "–"),
        f"  {right}. ",
        f"“{right}”",
        f"gl {year} {int(count)} {digit}",
        f"GL-{year}-{int(count)}-{digit}",
        right.replace("0", "o").replace("1", "l"),
        f"gl{year}{count}{digit}",
        f"#{right}",
    ):
        read = codes.read(typed)
        assert read is not None, typed
        assert (read.number, read.is_right, read.code) == (number, True, right), typed


@pytest.mark.parametrize("number", NUMBERS[::17])
def test_codes_given_before_there_were_digits_stay_valid(number: str) -> None:
    for typed in (number, number.lower().replace("-", " "), number.replace("-", "")):
        read = codes.read(typed)
        assert read is not None
        assert (read.number, read.is_right) == (number, True)


@pytest.mark.parametrize(
    "text",
    ["", "GL", "GL-26-1", "2026-000123-8", "phản ánh GL-2026-000123-8", "H21.20.15-261012-0034", "GL-2026-"],
)
def test_what_is_no_code_is_none(text: str) -> None:
    assert codes.read(text) is None


def test_lists_are_in_the_order_of_codes() -> None:
    assert sorted(NUMBERS) == sorted(NUMBERS, key=codes.serial)
