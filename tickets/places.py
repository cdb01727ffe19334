"""Resolves what people say of a place to the commune or ward of 2025; never stands in a report's way.

Names and mergers come from the package `vietnamadminunits` (data of the 2025 reorganisation): the units of
the province of today, and the old ones of the two provinces it was made of.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from typing import Literal

from vietnamadminunits import convert_address
from vietnamadminunits.database import get_data

from vntext.normalise import normalise, strip_marks

PROVINCE_CODE = "52"
_OLD_PROVINCES = ("Gia Lai", "Bình Định")

Certainty = Literal["exact", "likely", "area"]

# How people write the kinds of units, without marks.
_KIND_WORDS = {
    "xa": "xa",
    "x": "xa",
    "phuong": "phuong",
    "p": "phuong",
    "f": "phuong",
    "thi tran": "thi tran",
    "tt": "thi tran",
    "huyen": "district",
    "h": "district",
    "thi xa": "district",
    "tx": "district",
    "thanh pho": "district",
    "tp": "district",
}
# A name behind one of these is a street, a hamlet, a market ... and not the unit of the same name.
_OTHER_THINGS = {
    "duong", "pho", "hem", "ngo", "kiet", "thon", "lang", "buon", "ap", "cho", "truong", "cau", "ho",
    "suoi", "dinh", "chua", "tinh", "quan", "ong", "ba", "anh", "chi", "co", "chu", "ten",
}  # fmt: skip
_WORD = re.compile(r"\w+")
_LONGEST = 4


@dataclass(frozen=True)
class PlaceMatch:
    """A place found in a text.

    `unit` and `code` are the commune or ward of 2025. With certainty "area" only a former district or town
    was said: then `unit` is its name and `code` None. `old_name` is the former unit that was said. `start`
    and `end` are where the name stands in the (normalised) text.
    """

    unit: str
    code: str | None
    certainty: Certainty
    old_name: str | None
    start: int
    end: int


@dataclass(frozen=True)
class _New:
    name: str
    kind: str
    code: str


@dataclass(frozen=True)
class _Old:
    name: str
    kind: str
    district: str
    district_key: str
    province: str


@dataclass(frozen=True)
class _Gazetteer:
    new: dict[str, list[_New]]
    old: dict[str, list[_Old]]
    districts: dict[str, str]
    foreign: frozenset[str]


@dataclass(frozen=True)
class _Mention:
    key: str
    kind: str | None
    start: int
    end: int


def _key(name: str) -> str:
    return " ".join(_WORD.findall(strip_marks(name).lower()))


@cache
def _gazetteer() -> _Gazetteer:
    new: dict[str, list[_New]] = defaultdict(list)
    provinces: set[str] = set()
    for row in get_data(
        fields=["provinceShort", "ward", "wardShort", "wardType", "wardCode", "provinceCode"]
    ):
        provinces.add(_key(row["provinceShort"]))
        if row["provinceCode"] == PROVINCE_CODE and row["ward"]:
            new[_key(row["wardShort"])].append(_New(row["ward"], _key(row["wardType"]), row["wardCode"]))
    old: dict[str, list[_Old]] = defaultdict(list)
    districts: dict[str, str] = {}
    columns = ["provinceShort", "district", "districtShort", "ward", "wardShort", "wardType"]
    for row in get_data(fields=columns, table="admin_units_legacy"):
        provinces.add(_key(row["provinceShort"]))
        if row["provinceShort"] not in _OLD_PROVINCES or not row["district"]:
            continue
        district_key = _key(row["districtShort"])
        districts[district_key] = row["district"]
        if row["ward"]:
            old[_key(row["wardShort"])].append(
                _Old(row["ward"], _key(row["wardType"]), row["district"], district_key, row["provinceShort"])
            )
    districts["qui nhon"] = districts["quy nhon"]
    foreign = frozenset(provinces - {_key(name) for name in _OLD_PROVINCES})
    return _Gazetteer(dict(new), dict(old), districts, foreign)


def _mentions(text: str, names: set[str]) -> list[_Mention]:
    """Find all names in the text, not overlapping; those with a kind word before them win, then longer."""
    plain = strip_marks(text).lower()
    words = [(match[0], match.start(), match.end()) for match in _WORD.finditer(plain)]
    found: list[tuple[_Mention, range]] = []
    for length in range(1, _LONGEST + 1):
        for first in range(len(words) - length + 1):
            start, end = words[first][1], words[first + length - 1][2]
            key = " ".join(word for word, _, _ in words[first : first + length])
            if key not in names or re.search(r"[,;.\n]", plain[start:end]):
                continue
            before = [word for word, _, _ in words[max(0, first - 2) : first]]
            gap = plain[words[first - 1][2] : start] if first else ""
            kind, kind_words = (None, 0) if re.search(r"[,;\n]", gap) else _kind_before(before)
            if kind is None and before and gap.isspace() and _is_other_thing(before[-1]):
                continue
            begin = first - kind_words
            found.append((_Mention(key, kind, words[begin][1], end), range(begin, first + length)))
    found.sort(key=lambda item: (item[0].kind is None, -len(item[1])))
    taken: set[int] = set()
    kept: list[_Mention] = []
    for mention, span in found:
        if not taken.intersection(span):
            taken.update(span)
            kept.append(mention)
    return sorted(kept, key=lambda mention: mention.start)


def _kind_before(before: list[str]) -> tuple[str | None, int]:
    """Return the kind of unit the words before a name announce, and how many words that takes."""
    both = _KIND_WORDS.get(" ".join(before)) if len(before) == 2 else None
    if both is not None:
        return both, 2
    last = _KIND_WORDS.get(before[-1]) if before else None
    return (last, 1) if last is not None else (None, 0)


def _is_other_thing(word: str) -> bool:
    return word in _OTHER_THINGS or word[0].isdigit()


@cache
def _converted(old: _Old) -> _New | None:
    unit = convert_address(f"{old.name}, {old.district}, {old.province}")
    if unit.province_code != PROVINCE_CODE or not unit.ward:
        return None
    return _New(unit.ward, _key(unit.ward_type), unit.ward_code)


def resolve(text: str) -> PlaceMatch | None:
    """Return the commune or ward of 2025 that `text` names, by its new or an old name, with or without marks.

    None where it names none in this province, or one of several without saying which.
    """
    if not text.strip():
        return None
    text = normalise(text)
    units = _gazetteer()
    names = {*units.new, *units.old, *units.districts, *units.foreign}
    mentions = _mentions(text, names)
    if any(mention.key in units.foreign and mention.kind is None for mention in mentions):
        return None
    districts = [m for m in mentions if m.key in units.districts and m.kind in (None, "district")]
    said_districts = {m.key.replace("qui nhon", "quy nhon") for m in districts}
    for mention in sorted(mentions, key=lambda m: (m.kind is None, m.start)):
        if mention.kind == "district":
            continue
        match = _unit(mention, said_districts - {mention.key}, units)
        if match is not None:
            return match
    if districts:
        area = districts[0]
        name = units.districts[area.key]
        return PlaceMatch(name, None, "area", name, area.start, area.end)
    return None


def _unit(mention: _Mention, districts: set[str], units: _Gazetteer) -> PlaceMatch | None:
    olds = [old for old in units.old.get(mention.key, []) if not districts or old.district_key in districts]
    news = units.new.get(mention.key, [])
    if mention.kind is None:
        # "Trần Phú", "Lê Lợi" are streets far more often than the former wards of that name, and "Pleiku",
        # "Quy Nhơn" the whole former town more often than the ward that has inherited its name.
        olds = [old for old in olds if old.kind == "xa"] if districts else []
        news = [] if mention.key in units.districts else news
    else:
        olds = [old for old in olds if old.kind == mention.kind] or (olds if not news else [])
    if districts and olds:
        news = []
    same_kind = [new for new in news if mention.kind in (None, new.kind)]
    if same_kind:
        certainty: Certainty = "exact" if mention.kind and len(same_kind) == 1 else "likely"
        return _match(mention, same_kind[0], certainty, None)
    targets = {new for old in olds if (new := _converted(old)) is not None}
    if len(targets) == 1:
        certainty = "exact" if mention.kind and districts else "likely"
        return _match(mention, targets.pop(), certainty, olds[0].name)
    if len(news) == 1 and not olds:
        return _match(mention, news[0], "likely", None)
    return None


def _match(mention: _Mention, unit: _New, certainty: Certainty, old_name: str | None) -> PlaceMatch:
    return PlaceMatch(unit.name, unit.code, certainty, old_name, mention.start, mention.end)


def spans(text: str) -> list[tuple[int, int]]:
    """Return where names of units of this province stand in `text`, kind word included, in order.

    `text` must be normalised (`vntext.normalise.normalise`), so that the offsets fit.
    """
    units = _gazetteer()
    names = {*units.new, *units.old, *units.districts}
    return [
        (mention.start, mention.end)
        for mention in _mentions(text, names)
        if mention.kind is not None or mention.key in units.districts or mention.key in units.new
    ]


@cache
def units() -> dict[str, str]:
    """Return the communes and wards of 2025 by code, in the order of their names."""
    found = [new for news in _gazetteer().new.values() for new in news]
    return {unit.code: unit.name for unit in sorted(found, key=lambda unit: _key(unit.name))}
