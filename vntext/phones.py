"""Phone numbers in what people type: with separators, with o for 0, with +84, or spoken out in words.

Needs the `phonenumbers` package (imported on first use: only the application has it, the bot does not).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from vntext.normalise import strip_marks

Reason = Literal["", "too_short", "too_long", "unknown_prefix"]

# Short numbers that are services, not subscribers: rescue, police, fire, ambulance, child helpline, 1022.
SERVICE_NUMBERS = frozenset({"112", "113", "114", "115", "111", "1022", "02691022"})

_DIGIT_WORDS = {
    "khong": "0", "mot": "1", "hai": "2", "ba": "3", "bon": "4", "tu": "4", "nam": "5", "lam": "5",
    "sau": "6", "bay": "7", "tam": "8", "chin": "9",
}  # fmt: skip
# The marks a digit word may carry: "bạn" is no "bốn", "làm" no "lăm".
_MARKED_DIGITS = frozenset({
    "không", "một", "mốt", "hai", "ba", "bốn", "tư", "năm", "lăm", "sáu", "bảy", "bẩy", "tám",
    "chín", "khong", "mot", "bon", "nam", "lam", "sau", "bay", "tam", "chin", "tu",
})  # fmt: skip
_WRITTEN = re.compile(r"(?<![\w.,/-])(?:\(?\+?[\doO][\doO.\-() ]{0,24}[\doO])(?![\w/])(?!-\w)")
_WORDS = re.compile(r"[^\W\d_]+")
_SPOKEN_MINIMUM = 8
_SHORTEST_ATTEMPT = 8  # fewer digits with a phone's beginning are a sum, a date or a house number
_CONTEXT = re.compile(
    r"(?:so dien thoai|dien thoai|sdt|so phone|phone|hotline|goi|lien he|so may|alo|zalo)"
    r"\W{0,3}(?:\w+\W{1,3}){0,3}$"
)


@dataclass(frozen=True, slots=True)
class Phone:
    """A phone number found in a text.

    Attributes:
        raw: as written, `text[start:end]`.
        start: index of its first character.
        end: index behind its last character.
        e164: international form ("+84905123456"); "" for services and invalid ones.
        national: the way people read it here ("0905 123 456").
        valid: whether it can be called.
        reason: why not: "too_short", "too_long" or "unknown_prefix"; "" when valid.
    """

    raw: str
    start: int
    end: int
    e164: str
    national: str
    valid: bool
    reason: Reason


def _judge(raw: str, start: int, end: int, digits: str) -> Phone:
    import phonenumbers

    if digits in SERVICE_NUMBERS:
        national = "0269.1022" if digits == "02691022" else digits
        return Phone(raw, start, end, "", national, True, "")
    subscriber = digits
    for country in ("0084", "84"):
        if digits.startswith(country) and len(digits) >= len(country) + 8:
            subscriber = "0" + digits[len(country) :].removeprefix("0")
            break
    number = phonenumbers.PhoneNumber(country_code=84, national_number=int(subscriber or "0"))
    if subscriber.startswith("0") and phonenumbers.is_valid_number(number):
        return Phone(
            raw,
            start,
            end,
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
            phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL),
            True,
            "",
        )
    wanted = 11 if subscriber.startswith("02") else 10
    reason: Reason = "unknown_prefix"
    if len(subscriber) < wanted:
        reason = "too_short"
    elif len(subscriber) > wanted:
        reason = "too_long"
    return Phone(raw, start, end, "", subscriber, False, reason)


def _is_attempt(written: str, digits: str, before: str) -> bool:
    """Tell whether digits are meant as a phone number: service, beginning and length, or the words before."""
    if digits in SERVICE_NUMBERS:
        return digits in ("1022", "02691022") or bool(_CONTEXT.search(before)) or not before.strip()
    if re.fullmatch(r"\d{1,2}[-./ ]\d{1,2}[-./ ]\d{4}", written) or re.fullmatch(
        r"\d{1,3}(?:[.,]\d{3})+", written
    ):
        return False
    said = bool(_CONTEXT.search(before))
    if digits.startswith(("0084", "84")) and 10 <= len(digits) <= 14:
        return True
    if not digits.startswith("0"):
        return said and len(digits) >= 6
    if len(digits) == 12 and not re.search(r"\D", written) and not said:
        return False  # an identity number
    return _SHORTEST_ATTEMPT <= len(digits) <= 13 or (said and len(digits) >= 6)


def _written(text: str) -> list[Phone]:
    found = []
    plain = strip_marks(text).lower()
    if len(plain) != len(text):
        plain = text.lower()
    for match in _WRITTEN.finditer(text):
        raw = match[0].rstrip(" .-(")
        raw = raw[:-1].rstrip() if raw.endswith(")") and "(" not in raw else raw
        for piece in _pieces(raw):
            start = match.start() + raw.index(piece)
            digits = re.sub(r"\D", "", piece.translate({ord("o"): "0", ord("O"): "0"}))
            if sum(letter.isdigit() for letter in piece) < 3:
                continue
            if _is_attempt(piece, digits, plain[max(0, start - 40) : start]):
                found.append(_judge(piece, start, start + len(piece), digits))
    return found


def _pieces(raw: str) -> list[str]:
    """Take two numbers apart that stand with nothing but a space between them ("0905123456 0914123456")."""
    words = raw.split(" ")
    if len(words) == 2 and all(len(re.sub(r"\D", "", word)) >= 9 for word in words):
        return words
    return [raw]


def _spoken(text: str) -> list[Phone]:
    found = []
    run: list[tuple[int, int, str]] = []

    def close() -> None:
        digits = "".join(digit for _, _, digit in run)
        if len(digits) >= _SPOKEN_MINIMUM and digits.startswith(("0", "84")):
            start, end = run[0][0], run[-1][1]
            found.append(_judge(text[start:end], start, end, digits))
        run.clear()

    for match in _WORDS.finditer(text):
        word = match[0].lower()
        digit = _DIGIT_WORDS.get(strip_marks(word)) if word in _MARKED_DIGITS else None
        if run and text[run[-1][1] : match.start()].strip(" ,.-"):
            close()
        if digit is None:
            close()
        else:
            run.append((match.start(), match.end(), digit))
    close()
    return found


def find_phones(text: str) -> list[Phone]:
    """Find phone numbers, valid or not, in the order of the text.

    Numbers that begin and run like a phone number but cannot be one are reported with the reason, so that a
    form can ask for the right one instead of ignoring what was typed.
    """
    return sorted(_written(text) + _spoken(text), key=lambda phone: phone.start)
