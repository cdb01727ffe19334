"""How alike two tickets are: field, place, time and words; a person decides what that means.

The weights are set by hand and checked on pairs written for the purpose (tests/tickets/duplicate_pairs.yml):
nobody has labelled pairs of this province yet.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path
from typing import Protocol, TypeVar

import yaml

from tickets.points import metres_between
from tickets.schemas import Point
from vntext.normalise import normalise, strip_marks

LOOK_BACK = timedelta(days=60)
"""Tickets further apart in time are not looked at: what is broken again is another matter."""

NEAR_METRES = 1_500.0
LIKELY = 0.5
"""From this score on a pair is shown."""

_FILE = Path(__file__).with_suffix(".yml")
_SAME_SPOT_METRES = 60.0
_WORD = re.compile(r"[^\W_]+")
_NAMED = re.compile(
    r"\b(?:duong|pho|hem|ngo|kiet|dai lo|thon|lang|buon|ap|xom|cho|truong|cau|cong vien|nga ba|nga tu"
    r"|vong xoay|benh vien|chua|ho|suoi|deo) "
    r"((?:(?!so\b|duong\b|phuong\b|xa\b|huyen\b|tinh\b|gan\b|truoc\b)[a-z]\w* ?){1,3})"
)
_NUMBERED = re.compile(
    r"\b(thon|lang|buon|ap|xom|to|to dan pho|khu pho|khu|hem|ngo|kiet|quoc lo|ql|tinh lo|tl|dt) "
    r"(\d+[a-z]?)\b"
)
_NO_STREET = (
    "ngay|thang|nam|gio|tuan|lan|nguoi|nha|hom|met|m|km|trieu|dong|con|cai|chiec|cay|bao|bong|cot|tru|phut"
)
_HOUSE = re.compile(
    rf"\b(?:so nha|nha so|so|sn)? ?(\d{{1,4}}[a-z]?(?:/\d{{1,4}})*) ((?:(?!{_NO_STREET})\w+) \w+)"
)


@cache
def _word_lists() -> tuple[frozenset[str], dict[str, str]]:
    """Return the words that say nothing, and those that mean the same as another."""
    with _FILE.open(encoding="utf-8") as lines:
        lists = yaml.safe_load(lines)
    same = {word: name for name, words in lists["same"].items() for word in words.split()}
    return frozenset(lists["empty"].split()), same


class Comparable(Protocol):
    """A ticket, as far as it is compared."""

    @property
    def kind(self) -> str:
        """Report, suggestion, ..."""

    @property
    def field(self) -> str | None:
        """What it is about."""

    @property
    def content(self) -> str:
        """The sender's words."""

    @property
    def place(self) -> str | None:
        """Where it is, in the sender's words."""

    @property
    def place_code(self) -> str | None:
        """The commune or ward of 2025."""

    @property
    def point(self) -> Point | None:
        """Where it is on the map."""

    @property
    def opened_at(self) -> datetime:
        """When it was sent in."""


T = TypeVar("T", bound=Comparable)


@dataclass(frozen=True, slots=True)
class Likeness:
    """How alike two tickets are.

    Attributes:
        score: 0 to 1; from `LIKELY` on it is worth showing.
        metres: between the points on the map, None where one has none.
        hours: between the two.
        words: share of words in common, 0 to 1.
        same, different: what agrees and what does not: "field", "unit", "street", "house", "kind".
    """

    score: float
    metres: float | None
    hours: float
    words: float
    same: tuple[str, ...]
    different: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Read:
    words: frozenset[str]
    pairs: frozenset[tuple[str, str]]
    streets: frozenset[str]
    houses: frozenset[str]


def plain(text: str) -> str:
    """Return a text as it is compared and searched: its words without marks, lower case."""
    return " ".join(_WORD.findall(strip_marks(normalise(text)).lower()))


@lru_cache(maxsize=4_096)
def _read(content: str, place: str | None) -> _Read:
    empty, same = _word_lists()
    words = [
        same.get(word, word) for word in plain(content).split() if word not in empty and not word.isdigit()
    ]
    place = re.sub(r"[^\w/]+", " ", strip_marks(normalise(place or "")).lower())
    # "Thôn 5", "tổ 2", "hẻm 45" are names; what else is a number is a house.
    streets = {" ".join(match.groups()) for match in _NUMBERED.finditer(place)}
    place = _NUMBERED.sub(" ", place)
    streets |= {" ".join(match[1].split()[:2]) for match in _NAMED.finditer(f"{place} ")}
    houses = set()
    for match in _HOUSE.finditer(place):
        houses.add(match[1])
        street = [word for word in match[2].split() if word not in ("duong", "pho")]
        if len(street) == 2:
            streets.add(" ".join(street))
    return _Read(frozenset(words), frozenset(pairwise(words)), frozenset(streets), frozenset(houses))


def _dice(one: frozenset[object], other: frozenset[object]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def compare(one: Comparable, other: Comparable) -> Likeness:
    """Return how alike two tickets are."""
    first, second = _read(one.content, one.place), _read(other.content, other.place)
    same: list[str] = []
    different: list[str] = []

    def weigh(name: str, a: object, b: object, agree: float, disagree: float) -> float:
        if not a or not b:
            return 0.0
        (same if a == b else different).append(name)
        return agree if a == b else disagree

    words = 0.7 * _dice(frozenset(first.words), frozenset(second.words))
    words += 0.3 * _dice(frozenset(first.pairs), frozenset(second.pairs))
    hours = abs((one.opened_at - other.opened_at).total_seconds()) / 3600
    weight = -3.7 + 5.0 * words
    weight += weigh("field", one.field, other.field, 1.4, -1.6)
    weight += weigh("kind", one.kind, other.kind, 0.0, -1.0)
    weight += weigh("unit", one.place_code, other.place_code, 0.6, -2.8)
    weight += _where(first, second, same, different)
    metres = None
    if one.point is not None and other.point is not None:
        metres = metres_between(one.point, other.point)
        weight += 3.0 - 1.8 * math.log1p(metres / _SAME_SPOT_METRES)
    weight -= hours / 24 / 9
    return Likeness(1 / (1 + math.exp(-weight)), metres, hours, words, tuple(same), tuple(different))


def _where(first: _Read, second: _Read, same: list[str], different: list[str]) -> float:
    weight = 0.0
    if first.streets and second.streets:
        agrees = bool(first.streets & second.streets)
        (same if agrees else different).append("street")
        weight += 1.5 if agrees else -2.1
    if first.houses and second.houses:
        agrees = bool(first.houses & second.houses)
        (same if agrees else different).append("house")
        weight += 1.3 if agrees else -0.2 if _are_near(first.houses, second.houses) else -5.0
    return weight


def _are_near(numbers: frozenset[str], others: frozenset[str]) -> bool:
    """Tell whether two house numbers are a few doors apart."""
    pairs = [(int(a), int(b)) for a in numbers for b in others if a.isdigit() and b.isdigit()]
    return any(abs(a - b) <= 6 for a, b in pairs)


def likely(ticket: Comparable, candidates: Sequence[T], limit: int) -> list[tuple[T, Likeness]]:
    """Return the candidates that are worth looking at, the likeliest first."""
    scored = [(candidate, compare(ticket, candidate)) for candidate in candidates]
    shown = [pair for pair in scored if pair[1].score >= LIKELY]
    return sorted(shown, key=lambda pair: -pair[1].score)[:limit]
