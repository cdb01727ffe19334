"""Personal data made unreadable for logs and lists: phone and identity numbers, accounts, e-mail.

The last digits stay, so that a clerk can tell two numbers apart. Report, dossier and procedure codes are no
personal data and stay whole.
"""

from __future__ import annotations

import re

from vntext.codes import find_codes

_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63}){1,4})")
# Nine digits or more, together or in groups, also with the letter o for 0 between digits.
_DIGITS = re.compile(r"(?<![\w])(\(?\+?[\doO](?:[ .\-()]{0,2}[\doO]){8,22}\)?)(?!\w)")
_AMOUNT = re.compile(r"\d{1,3}(?:[.,]\d{3})+$")
_DATES = re.compile(r"\d{1,2}[-.]\d{1,2}[-.]\d{4}(?:[ -]+\d{1,2}[-.]\d{1,2}[-.]\d{4})?$")
_SPOKEN_DIGIT = r"(?:không|khong|một|mot|hai|ba|bốn|bon|tư|tu|năm|nam|lăm|sáu|sau|bảy|bay|tám|tam|chín|chin)"
_SPOKEN = re.compile(rf"(?<!\w){_SPOKEN_DIGIT}(?:[ ,.-]{{1,2}}{_SPOKEN_DIGIT}){{7,}}(?!\w)", re.IGNORECASE)
_KEPT = 3


def _mask_digits(match: re.Match[str]) -> str:
    raw = match[0]
    digits = sum(letter.isdigit() for letter in raw)
    if digits < 6 or _AMOUNT.match(raw) or _DATES.match(raw):
        return raw
    total = sum(letter.isdigit() or letter in "oO" for letter in raw)
    masked = []
    seen = 0
    for letter in raw:
        if letter.isdigit() or letter in "oO":
            seen += 1
            masked.append(letter if seen > total - _KEPT else "*")
        else:
            masked.append(letter)
    return "".join(masked)


def _mask_plain(text: str) -> str:
    text = _EMAIL.sub(lambda match: f"{match[1][0]}***@{match[2]}", text)
    text = _DIGITS.sub(_mask_digits, text)
    return _SPOKEN.sub("(số đã che)", text)


def mask_personal(text: str) -> str:
    """Return the text with phone, identity and account numbers (nine digits or more) and e-mail masked.

    >>> mask_personal("sđt 0905 123 456, CCCD 052099001234")
    'sđt **** *** 456, CCCD *********234'
    """
    parts: list[str] = []
    position = 0
    for code in find_codes(text):
        parts += (_mask_plain(text[position : code.start]), text[code.start : code.end])
        position = code.end
    parts.append(_mask_plain(text[position:]))
    return "".join(parts)
