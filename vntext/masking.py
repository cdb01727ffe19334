"""Personal data made unreadable for logs and lists: phone and identity numbers, accounts, e-mail.

`mask_personal` is for those who work on a case: the last digits stay, so that a clerk can tell two numbers
apart, and report and dossier codes stay whole. `remove_identifiers` is for texts that outlive the case:
nothing stays by which anybody could be found, and a word in brackets says what stood there.
"""

from __future__ import annotations

import re

from vntext.codes import find_codes
from vntext.normalise import strip_marks
from vntext.phones import SERVICE_NUMBERS

_EMAIL = re.compile(r"(?<![\w.+-])([\w.+-]{1,64})@([\w-]{1,63}(?:\.[\w-]{1,63}){1,4})")
# Nine digits or more, together or in groups, also with the letter o for 0 between digits.
_DIGITS = re.compile(r"(?<![\w])(\(?\+?[\doO](?:[ .\-()]{0,2}[\doO]){8,22}\)?)(?!\w)")
_AMOUNT = re.compile(r"\d{1,3}(?:[.,]\d{3})+$")
_DATES = re.compile(r"\d{1,2}[-.]\d{1,2}[-.]\d{4}(?:[ -]+\d{1,2}[-.]\d{1,2}[-.]\d{4})?$")
_SPOKEN_DIGIT = r"(?:không|khong|một|mot|hai|ba|bốn|bon|tư|tu|năm|nam|lăm|sáu|sau|bảy|bay|tám|tam|chín|chin)"
_SPOKEN = re.compile(rf"(?<!\w){_SPOKEN_DIGIT}(?:[ ,.-]{{1,2}}{_SPOKEN_DIGIT}){{7,}}(?!\w)", re.IGNORECASE)
_KEPT = 3

NUMBER, CODE, DATE, MAIL, LINK, PLATE = "(số)", "(mã)", "(ngày)", "(thư)", "(liên kết)", "(biển số)"
"""What stands in the place of what was removed; the labels read like the Vietnamese around them."""

_URL = re.compile(
    r"(?:\bhttps?://|\bwww\.)\S+|\b(?:facebook|fb|m\.me|zalo|youtube|tiktok)\.(?:com|me|vn)/\S+", re.I
)
_HANDLE = re.compile(r"(?<![\w.])@[A-Za-z][\w.]{2,}")
# 77A-123.45, 81B1 12345, 77AA-01234: province, series, four or five digits.
_PLATE = re.compile(r"(?<![\w.])\d{2}[ -]?[A-ZĐ]{1,2}\d?[ .-]{0,2}\d{3}[. ]?\d{1,2}(?![\w])", re.IGNORECASE)
# Passports (B1234567), land-use and health-insurance papers (CD 123456, GD4797912345678).
_PAPER = re.compile(
    r"(?<![\w.])(?:[A-ZĐ]{1,2}[ ]?\d{6,8}|[A-ZĐ]{2}[ ]?\d{10,13})(?![\w.,]*\d)", re.IGNORECASE
)
_FULL_DATE = re.compile(
    r"(?<![\w/.-])\d{1,2}\s?[-./]\s?\d{1,2}\s?[-./]\s?(?:19|20)\d{2}(?![\w/])"
    r"|\bngay \d{1,2} thang \d{1,2}(?: nam (?:19|20)\d{2})"
)
# Six digits or more that are neither an amount nor a date: short accounts, old identity numbers in parts.
_LONG_NUMBER = re.compile(r"(?<![\w.,])\d(?:[ .-]?\d){5,}(?!\w)")
_MONEY_WORD = re.compile(
    r"\s?(?:đ|d|đồng|dong|vnd|vnđ|nghìn|nghin|ngàn|ngan|triệu|trieu|tr|tỷ|ty|tỉ)\b", re.I
)


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


def remove_identifiers(text: str) -> str:
    """Return the text without numbers, codes and addresses on the net by which a person could be found.

    Phone, identity, passport, tax, account and insurance numbers, registration plates, numbers of papers,
    whole dates, e-mail, links, report and dossier codes. Codes of procedures, sums of money, years and short
    numbers stay. Names and places are not looked for.

    >>> remove_identifiers("sđt 0905 123 456, biển 77A-123.45, hồ sơ H21.20.15-261012-0034")
    'sđt (số), biển (biển số), hồ sơ (mã)'
    """
    parts: list[str] = []
    position = 0
    for code in find_codes(text):
        parts.append(_without_identifiers(text[position : code.start]))
        parts.append(text[code.start : code.end] if code.kind == "procedure" else CODE)
        position = code.end
    parts.append(_without_identifiers(text[position:]))
    return "".join(parts)


def find_identifiers(text: str) -> list[str]:
    """Return what of a text `remove_identifiers` would remove, by its label; empty for a text that is clean.

    >>> find_identifiers("gọi 0905123456 hoặc a@b.vn")
    ['(số)', '(thư)']
    """
    cleaned = remove_identifiers(text)
    return [
        label for label in (NUMBER, CODE, DATE, MAIL, LINK, PLATE) if cleaned.count(label) > text.count(label)
    ]


def _without_identifiers(text: str) -> str:
    text = _URL.sub(LINK, text)
    text = _EMAIL.sub(MAIL, text)
    text = _HANDLE.sub(LINK, text)
    text = _replaced(text, _FULL_DATE, DATE)
    text = _SPOKEN.sub(NUMBER, text)
    text = _DIGITS.sub(lambda match: match[0] if _mask_digits(match) == match[0] else NUMBER, text)
    text = _PLATE.sub(PLATE, text)
    text = _PAPER.sub(NUMBER, text)
    return _LONG_NUMBER.sub(lambda match: _long_number(match, text), text)


def _replaced(text: str, pattern: re.Pattern[str], label: str) -> str:
    """Replace what the pattern finds in the text without marks."""
    for match in reversed(list(pattern.finditer(strip_marks(text).lower()))):
        text = text[: match.start()] + label + text[match.end() :]
    return text


def _long_number(match: re.Match[str], text: str) -> str:
    is_amount = _AMOUNT.match(match[0]) or _MONEY_WORD.match(text, match.end())
    is_service = re.sub(r"\D", "", match[0]) in SERVICE_NUMBERS
    return match[0] if is_amount or is_service else NUMBER
