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
from functools import cache
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
_STREET = re.compile(
    r"\b(?:duong|pho|hem|ngo|kiet|dai lo|quoc lo|ql|tinh lo|tl|dt|thon|lang|buon|ap|xom|to dan pho|khu pho|to"
    r"|cho|truong|cau|cong vien|nga ba|nga tu|benh vien|chua|ho|suoi) "
    r"((?:(?!so\b|duong\b|phuong\b|xa\b|huyen\b|tinh\b|bi\b|thi\b|co\b|va\b|nha\b|gan\b|truoc\b|doi\b|hu\b"
    r"|hong\b|ngap\b|tu\b|den\b|o\b|da\b|khong\b|may\b|nhieu\b)\w+ ?){1,3})"
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
    houses: frozenset[tuple[str, str]]


def plain(text: str) -> str:
    """Return a text as it is compared and searched: its words without marks, lower case."""
    return " ".join(_WORD.findall(strip_marks(normalise(text)).lower()))


def _read(ticket: Comparable) -> _Read:
    content = plain(ticket.content)
    place = re.sub(
        r"[^\w/]+", " ", strip_marks(normalise(f"{ticket.place or ''} . {ticket.content}")).lower()
    )
    empty, same = _word_lists()
    words = [same.get(word, word) for word in content.split() if word not in empty and not word.isdigit()]
    streets = {" ".join(match[1].split()[:2]) for match in _STREET.finditer(f"{place} ")}
    houses = set()
    for match in _HOUSE.finditer(place):
        street = " ".join(word for word in match[2].split() if word not in ("duong", "pho"))
        if len(street.split()) == 2:
            streets.add(street)
        houses.add((match[1], street.split()[0] if street else ""))
    return _Read(
        frozenset(words),
        frozenset(pairwise(words)),
        frozenset(streets),
        frozenset(houses),
    )


def _dice(one: frozenset[object], other: frozenset[object]) -> float:
    return 2 * len(one & other) / (len(one) + len(other)) if one and other else 0.0


def compare(one: Comparable, other: Comparable) -> Likeness:
    """Return how alike two tickets are."""
    first, second = _read(one), _read(other)
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
    weight = -3.1 + 4.0 * words
    weight += weigh("field", one.field, other.field, 1.4, -1.6)
    weight += weigh("kind", one.kind, other.kind, 0.0, -1.0)
    weight += weigh("unit", one.place_code, other.place_code, 0.6, -2.2)
    weight += _where(first, second, same, different)
    metres = None
    if one.point is not None and other.point is not None:
        metres = metres_between(one.point, other.point)
        weight += 3.0 - 1.1 * math.log1p(metres / _SAME_SPOT_METRES) * 1.6
    weight -= min(3.0, hours / 24 / 12)
    return Likeness(1 / (1 + math.exp(-weight)), metres, hours, words, tuple(same), tuple(different))


def _where(first: _Read, second: _Read, same: list[str], different: list[str]) -> float:
    weight = 0.0
    if first.streets and second.streets:
        agrees = bool(first.streets & second.streets)
        (same if agrees else different).append("street")
        weight += 1.5 if agrees else -1.7
    numbers, others = ({number for number, _ in read.houses} for read in (first, second))
    if numbers and others:
        agrees = bool(numbers & others)
        (same if agrees else different).append("house")
        weight += 1.3 if agrees else (-0.2 if _are_near(numbers, others) else -1.3)
    return weight


def _are_near(numbers: set[str], others: set[str]) -> bool:
    """Tell whether two house numbers are a few doors apart."""
    pairs = [(int(a), int(b)) for a in numbers for b in others if a.isdigit() and b.isdigit()]
    return any(abs(a - b) <= 6 for a, b in pairs)


def likely(ticket: Comparable, candidates: Sequence[T], limit: int) -> list[tuple[T, Likeness]]:
    """Return the candidates that are worth looking at, the likeliest first."""
    scored = [(candidate, compare(ticket, candidate)) for candidate in candidates]
    shown = [pair for pair in scored if pair[1].score >= LIKELY]
    return sorted(shown, key=lambda pair: -pair[1].score)[:limit]
