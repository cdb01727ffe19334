"""Guesses which group of fields and which field a report belongs to, from its words; for routing."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import yaml

from vntext.normalise import normalise, strip_marks

_FILE = Path(__file__).with_name("fields.yml")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class FieldGuess:
    """A guess: group number (1 to 5), field name, and the words that spoke for it."""

    group: int
    field: str
    evidence: tuple[str, ...]


@cache
def _phrases() -> list[tuple[int, str, str]]:
    with _FILE.open(encoding="utf-8") as lines:
        groups = yaml.safe_load(lines)["groups"]
    return [
        (group["number"], field["name"], _plain(phrase))
        for group in groups
        for field in group["fields"]
        for phrase in field["words"]
    ]


@cache
def groups() -> dict[str, dict[str, int]]:
    """Return the groups of fields by name, each with its fields and their group's number."""
    with _FILE.open(encoding="utf-8") as lines:
        found = yaml.safe_load(lines)["groups"]
    return {group["name"]: {field["name"]: group["number"] for field in group["fields"]} for group in found}


def group_of(field: str) -> int | None:
    """Return the number of the group a field belongs to, None for an unknown one."""
    return next((members[field] for members in groups().values() if field in members), None)


def _plain(text: str) -> str:
    return " ".join(_WORD.findall(strip_marks(normalise(text)).lower()))


def guess(content: str) -> FieldGuess | None:
    """Return the field whose words weigh most in `content`, or None when no word speaks for any.

    A phrase weighs as much as it has words, squared: "đèn đường" says more than "đường". Of overlapping
    phrases the one that begins first counts: in "đèn đường hỏng" it is the lamp that is broken.
    """
    weights: dict[tuple[int, str], int] = {}
    evidence: dict[tuple[int, str], list[str]] = {}
    for group, field, phrase in _found(f" {_plain(content)} "):
        key = (group, field)
        weights[key] = weights.get(key, 0) + len(phrase.split()) ** 2
        evidence.setdefault(key, []).append(phrase)
    if not weights:
        return None
    best = max(weights, key=lambda key: weights[key])
    return FieldGuess(best[0], best[1], tuple(evidence[best]))


def _found(text: str) -> list[tuple[int, str, str]]:
    matches = []
    for group, field, phrase in _phrases():
        start = text.find(f" {phrase} ")
        if start >= 0:
            matches.append((start, -len(phrase), group, field, phrase))
    found = []
    free_from = 0
    for start, length, group, field, phrase in sorted(matches):
        if start >= free_from:
            found.append((group, field, phrase))
            free_from = start - length
    return found
