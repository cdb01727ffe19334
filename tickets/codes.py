"""Codes of tickets: "GL-2026-000123-8" is year, running number and a check digit.

The check digit is Damm's (H. M. Damm, "Total anti-symmetrische Quasigruppen", 2004): one decimal digit that
finds every single wrong digit and every swap of two neighbours. ISO 7064's systems with one decimal digit
(MOD 11,10) miss some of the swaps, and those that miss none need two digits or the letter X, which is one
more thing to mistype. The digit follows from the rest, so that it is not stored, and codes given without it
stay valid.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_DAMM = (
    "0317598642", "7092154863", "4206871359", "1750983426", "6123045978",
    "3674209581", "5869720134", "8945362017", "9438617205", "2581436790",
)  # fmt: skip

# What people type for the digits 0 and 1.
_LETTERS = str.maketrans({"o": "0", "O": "0", "l": "1", "L": "1", "i": "1", "I": "1"})
_DIGIT = "[0-9oOlLiI]"
_GAP = r"[\s\-–—−._/\\:]*"
_APART = r"[\s\-–—−._/\\:]+"
_TYPED = re.compile(
    rf"^[\s#(\"'“]*GL{_GAP}({_DIGIT}{{4}})(?:{_GAP}({_DIGIT}{{6}})({_DIGIT})?|{_APART}({_DIGIT}{{1,6}}))"
    rf"(?:{_APART}({_DIGIT}))?[\s).,;!?\"'”]*$",
    re.IGNORECASE,
)
_TYPED_LOOSE = re.compile(rf"^\s*GL{_GAP}(\d{{4}})(\d{{1,5}})\s*$", re.IGNORECASE)

NUMBER_PATTERN = re.compile(r"^GL-\d{4}-\d{6}$")
"""A code as it is stored, and as it was given before there were check digits."""

CODE_PATTERN = re.compile(r"^GL-\d{4}-\d{6}-\d$")
"""A code as it is shown."""


@dataclass(frozen=True, slots=True)
class TypedCode:
    """A code somebody typed: `number` as it is stored, and whether the check digit, if any, is right."""

    number: str
    is_right: bool

    @property
    def code(self) -> str:
        """The code as it is shown, with the digit it should have."""
        return shown(self.number)


def check_digit(digits: str) -> str:
    """Return Damm's check digit of a string of decimal digits.

    >>> check_digit("572")
    '4'
    """
    interim = 0
    for digit in digits:
        interim = int(_DAMM[interim][int(digit)])
    return str(interim)


def number(year: int, count: int) -> str:
    """Return the stored form of the `count`-th ticket of a year."""
    return f"GL-{year}-{count:06d}"


def serial(stored: str) -> int:
    """Return a stored code as a number that grows from ticket to ticket ("GL-2026-000123" → 2026000123)."""
    return int(stored[3:7]) * 1_000_000 + int(stored[8:])


def shown(stored: str) -> str:
    """Return a stored code with its check digit.

    >>> shown("GL-2026-000123")
    'GL-2026-000123-8'
    """
    return f"{stored}-{check_digit(stored[3:7] + stored[8:])}"


def read(text: str) -> TypedCode | None:
    """Return the code a text consists of, however it is written; None when it is no code.

    Hyphens, case, spaces and leading zeros do not matter, nor letters typed for the digits 0 and 1.
    """
    year: str
    count: str
    digit: str | None = None
    if (match := _TYPED.match(text)) is not None:
        year, count = match[1], match[2] or match[4]
        digit = match[3] or match[5]
        if match[3] and match[5]:
            return None
    elif (match := _TYPED_LOOSE.match(text)) is not None:
        year, count = match[1], match[2]
    else:
        return None
    digits = count.translate(_LETTERS).zfill(6)
    stored = f"GL-{year.translate(_LETTERS)}-{digits}"
    is_right = digit is None or shown(stored)[-1] == digit.translate(_LETTERS)
    return TypedCode(stored, is_right)
