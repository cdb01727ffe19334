"""Finds where in a message a location is written: house, street, hamlet, landmark, commune or ward."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from actions.words import word_list
from tickets import places
from vntext.normalise import strip_marks

# Written with marks; texts without marks are compared without.
_ROADS = "đường|phố|hẻm|ngõ|ngách|kiệt|đại lộ"
_HAMLETS = "thôn|làng|buôn|ấp|xóm|khu phố|kp|tổ dân phố|tdp|khối|khu|cụm"
_LANDMARKS = (
    "chợ|trường|trường học|trường tiểu học|trường mầm non|trường thcs|trường thpt|bệnh viện|trạm y tế|cầu|"
    "ngã ba|"
    "ngã tư|ngã năm|công viên|ubnd|uỷ ban|ủy ban|uỷ ban nhân dân|ủy ban nhân dân|chùa|nhà thờ|bến xe|"
    "khu công nghiệp|"
    "cụm công nghiệp|hồ|suối|cống|cổng|nhà máy|trung tâm|trụ sở|sân vận động|vòng xoay|bùng binh|quán|"
    "quảng trường|"
    "đập|chung cư|khu dân cư|khu tái định cư"
)
_RELATIONS = "đoạn|đối diện|trước nhà|cạnh|đầu|cuối"
_NAMED = rf"\b(?P<word>{_ROADS}|{_HAMLETS}|{_LANDMARKS}|{_RELATIONS})\b[ .:]*"
_NUMBERED = (
    rf"\b(?:(?:{_HAMLETS}|tổ|hẻm|ngõ|kiệt|đội|đường số)\s?(?:số\s)?\d+[a-z]?(?:/\d+[a-z]?)*"
    r"|(?:quốc lộ|ql|tỉnh lộ|tl|đt|đường tỉnh|km)[ .]?\d+[a-z]?(?:\+\d+)?)\b"
)
_HOUSE = (
    r"\b(?:số nhà|nhà số|số|sn)[ .:]*\d+[a-z]?(?:\s?[/-]\s?\d+[a-z]?)*\b"
    r"(?!\s?(?:giờ|ngày|đồng|triệu|năm|người)\b)"
)
_BETWEEN = r"^[\s,\-–.]*(?:(?:thuộc|ở|tại|gần|trước|sau|đoạn|của|khu vực|phía|nay là|cũ|nhà|số|đường)\s+)*$"
_BEFORE = (
    r"(?:\b(?:trước|sau|đoạn|khúc|chỗ|gần|đối diện|cạnh|bên cạnh|đầu|cuối|ngay|khu vực|góc|vỉa hè|trước cổng|"
    r"trước nhà|sau lưng|"
    r"phía sau|phía trước|cổng|trên|dưới)\s+)+$"
)


@dataclass(frozen=True)
class _Patterns:
    named: re.Pattern[str]
    numbered: re.Pattern[str]
    house: re.Pattern[str]
    between: re.Pattern[str]
    before: re.Pattern[str]
    may_be_plain: frozenset[str]


def _patterns(change: Callable[[str], str]) -> _Patterns:
    return _Patterns(
        named=re.compile(change(_NAMED)),
        numbered=re.compile(change(_NUMBERED)),
        house=re.compile(change(_HOUSE)),
        between=re.compile(change(_BETWEEN)),
        before=re.compile(change(_BEFORE)),
        may_be_plain=frozenset(change(f"{_ROADS}|{_HAMLETS}").split("|")),
    )


_MARKED, _UNMARKED = _patterns(str), _patterns(strip_marks)
_BARE_NUMBER = re.compile(r"\b\d+[a-z]?(?:/\d+[a-z]?)*\s+(?=\S)")
_TOKEN = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
# First words of street names, for "12 nguyen hue" without capitals.
_STREET_BEGINNINGS = word_list("begin_a_street")
# In text without capitals a name ends before one of these.
_STOPS = word_list("end_a_location")
_LONGEST_NAME = 4
_LONGEST_PLAIN_NAME = 3


@dataclass(frozen=True)
class Location:
    """A location in a text: its words, and where they begin and end."""

    text: str
    start: int
    end: int


def find_locations(text: str) -> list[Location]:
    """Return the locations written in a normalised text, in order; neighbouring parts are one location."""
    plain = strip_marks(text).lower()
    is_marked = strip_marks(text) != text
    patterns, lowered = (_MARKED, text.lower()) if is_marked else (_UNMARKED, plain)
    has_capitals = any(letter.isupper() for letter in text[1:])
    spans = _named(text, lowered, patterns, has_capitals)
    spans += [match.span() for match in patterns.numbered.finditer(lowered)]
    spans += _houses(text, lowered, patterns, has_capitals)
    spans += _after_bare_numbers(text, plain, has_capitals)
    spans += places.spans(text)
    locations = []
    for start, end in _merge(sorted(spans), lowered, patterns):
        lead = patterns.before.search(lowered[:start])
        start = lead.start() if lead else start
        locations.append(Location(text[start:end].strip(" ,.;:"), start, end))
    return [location for location in locations if len(location.text) > 2]


def _named(text: str, lowered: str, patterns: _Patterns, has_capitals: bool) -> list[tuple[int, int]]:
    spans = []
    for match in patterns.named.finditer(lowered):
        end = _name_end(text, match.end(), has_capitals, match["word"] in patterns.may_be_plain)
        if end is not None:
            spans.append((match.start(), end))
    return spans


def _houses(text: str, lowered: str, patterns: _Patterns, has_capitals: bool) -> list[tuple[int, int]]:
    spans = []
    for match in patterns.house.finditer(lowered):
        end = None
        if lowered[match.end() : match.end() + 1] == " ":
            end = _name_end(text, match.end() + 1, has_capitals, may_be_plain=True)
        spans.append((match.start(), end or match.end()))
    return spans


def _name_end(text: str, start: int, has_capitals: bool, may_be_plain: bool) -> int | None:
    """Return where the name that begins at `start` ends, None when there is no name."""
    end: int | None = None
    position = start
    for count in range(_LONGEST_NAME):
        token = _TOKEN.match(text, position)
        if token is None:
            break
        word = token[0]
        is_name = word[0].isupper() or (word[0].isdigit() and count > 0)
        if not is_name and not has_capitals and may_be_plain:
            is_name = count < _LONGEST_PLAIN_NAME and strip_marks(word).lower() not in _STOPS
            is_name = is_name and word.isalpha()
        if not is_name:
            break
        end = token.end()
        if text[end : end + 1] != " ":
            break
        position = end + 1
    if end is not None and not has_capitals and len(text[start:end].split()) < 2:
        return None
    return end


def _after_bare_numbers(text: str, plain: str, has_capitals: bool) -> list[tuple[int, int]]:
    """Find "12 Trần Phú": a house number and a street without the word for either."""
    spans = []
    for match in _BARE_NUMBER.finditer(plain):
        first = _TOKEN.match(plain, match.end())
        is_street = first is not None and first[0] in _STREET_BEGINNINGS
        end = _name_end(text, match.end(), has_capitals or not is_street, may_be_plain=is_street)
        if end is not None and len(text[match.end() : end].split()) >= 2:
            spans.append((match.start(), end))
    return spans


def _merge(spans: list[tuple[int, int]], lowered: str, patterns: _Patterns) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in spans:
        if merged and (start <= merged[-1][1] or patterns.between.match(lowered[merged[-1][1] : start])):
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
