"""Chat spelling written out: "k dc" is "không được", "ntn" is "như thế nào", "fải" is "phải".

Written-out words carry marks even in an unmarked message ("lam ntn" becomes "lam như thế nào"): everything
that searches or classifies compares without marks as well. The dictionary is `rules/spelling.yml`; short
forms with several readings and the neighbours that decide them are in `rules/spelling_context.yml`;
spellings by sound (f for ph, w for qu, z and j) follow rules, checked against the syllable grammar.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import yaml

from vntext.normalise import strip_marks
from vntext.sound import sound_key
from vntext.syllable import is_syllable
from vntext.tokens import Token, replace, tokenise

__all__ = ["expand", "sound_key"]

_RULES = Path(__file__).parent / "rules"
_SENTENCE_ENDS = frozenset('.!?;,:()"…')
_WEEKDAYS = frozenset("234567")
# Letters that stand for another spelling of the same sound at the beginning of a word.
_BY_SOUND = (("f", "ph"), ("w", "qu"), ("dz", "d"), ("z", "d"), ("j", "gi"))
_ENGLISH = frozenset({
    "fan", "fa", "wan", "win", "won", "we", "way", "wa", "wi", "was", "wet", "zip", "zoo", "jet",
    "job", "jam", "fun", "fat", "fit", "fin", "for", "form", "fix", "fax", "few", "far", "fly",
    "free", "from", "full", "file", "fake", "food", "foot", "feed", "zalo", "zoom", "zone", "jun",
    "july", "june", "join", "wait", "want", "with", "web", "wifi",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Reading:
    say: str
    before: frozenset[str]
    after: frozenset[str]
    not_after: frozenset[str]

    def fits(self, before: str, after: str) -> bool:
        return (
            (not self.before or before in self.before)
            and (not self.after or after in self.after)
            and after not in self.not_after
        )


def _load(name: str) -> Any:
    with (_RULES / name).open(encoding="utf-8") as lines:
        return yaml.safe_load(lines)


def _names(words: object) -> frozenset[str]:
    return frozenset(strip_marks(word.strip('"')) for word in str(words or "").split())


@cache
def _words() -> tuple[dict[str, str], dict[str, str]]:
    """Return the dictionary and the units, keys in lower case."""
    content = _load("spelling.yml")
    return content["words"], content["units"]


@cache
def _readings() -> dict[str, tuple[_Reading, ...]]:
    return {
        short: tuple(
            _Reading(
                row.get("say", row.get("otherwise", "")),
                _names(row.get("before")),
                _names(row.get("after")),
                _names(row.get("not_after")),
            )
            for row in rows
        )
        for short, rows in _load("spelling_context.yml").items()
    }


@lru_cache(maxsize=20_000)
def _by_sound(word: str) -> str | None:
    """Return the standard spelling of a word written by ear, or None."""
    if word in _ENGLISH or is_syllable(word):
        return None
    for typed, standard in _BY_SOUND:
        if word.startswith(typed):
            candidate = standard + word[len(typed) :]
            if len(word) > len(typed) and is_syllable(candidate):
                return candidate
    if word.endswith("k") and len(word) >= 3 and not word.isascii() and is_syllable(word[:-1] + "c"):
        return word[:-1] + "c"
    if word.startswith("k") and len(word) >= 2 and not word.isascii() and is_syllable("c" + word[1:]):
        return "c" + word[1:] if word not in ("kông", "krông") else None
    return None


def _neighbour(tokens: list[Token], index: int, step: int) -> str:
    position = index + step
    if not 0 <= position < len(tokens):
        return "^" if step < 0 else "$"
    token = tokens[position]
    if token.kind == "number":
        return "#"
    if token.kind == "mark" and token.text in _SENTENCE_ENDS:
        return "^" if step < 0 else "$"
    if token.kind == "mark":
        return _neighbour(tokens, position, step)
    return strip_marks(token.text.lower())


def _is_glued(tokens: list[Token], index: int) -> bool:
    """Tell whether a word stands against a digit, a hyphen or a sign of an address."""
    token = tokens[index]
    if index + 1 < len(tokens) and tokens[index + 1].start == token.end:
        right = tokens[index + 1]
        if right.kind == "number" or right.text in "-_@":
            return True
    if index and tokens[index - 1].end == token.start:
        left = tokens[index - 1]
        return left.kind == "mark" and left.text in "-_@"
    return False


def _expand_unit(tokens: list[Token], index: int, units: dict[str, str]) -> str | None:
    """Write out a unit that stands right behind its number ("20k", "8h30")."""
    number = tokens[index - 1] if index else None
    if number is None or number.kind != "number" or number.end != tokens[index].start:
        return None
    unit = units.get(tokens[index].text.lower())
    if unit is None:
        return None
    follows = index + 1 < len(tokens) and tokens[index + 1].start == tokens[index].end
    glued_on = follows and tokens[index + 1].kind == "number"
    if index > 1 and tokens[index - 2].end == number.start and tokens[index - 2].text in "/-":
        return None
    if glued_on and unit not in ("giờ", "triệu", "tỷ"):
        return None
    return f" {unit} " if glued_on else f" {unit}"


def _with_case(new: str, typed: str) -> str:
    return new[0].upper() + new[1:] if typed[0].isupper() and not typed.isupper() else new


def _weekday(tokens: list[Token], index: int) -> bool:
    """Tell whether the word is the T of "T2" to "T7"."""
    if index + 1 >= len(tokens) or tokens[index].text.lower() != "t":
        return False
    number = tokens[index + 1]
    if number.start != tokens[index].end or number.text not in _WEEKDAYS:
        return False
    return (
        index + 2 >= len(tokens) or tokens[index + 2].start > number.end or tokens[index + 2].kind == "mark"
    )


def expand(text: str) -> str:
    """Write out the chat spelling in a normalised text; links, addresses, codes and ordinary words stay.

    >>> expand("làm ks cho bé hết bn tiền, k có sđt dc ko")
    'làm khai sinh cho bé hết bao nhiêu tiền, không có số điện thoại được không'
    """
    words, units = _words()
    readings = _readings()
    tokens = tokenise(text)
    changes: list[tuple[int, int, str]] = []
    index = 0
    while index < len(tokens):
        token = tokens[index]
        index += 1
        if token.kind != "word":
            continue
        word = token.text.lower()
        if (unit := _expand_unit(tokens, index - 1, units)) is not None:
            changes.append((token.start, token.end, unit))
            continue
        if _weekday(tokens, index - 1):
            changes.append((token.start, token.end, "thứ "))
            continue
        if _is_glued(tokens, index - 1):
            continue
        if index < len(tokens) and tokens[index].start == token.end + 1:
            phrase = words.get(f"{word} {tokens[index].text.lower()}")
            if phrase is not None:
                changes.append((token.start, tokens[index].end, _with_case(phrase, token.text)))
                index += 1
                continue
        new = (
            _read(word, tokens, index - 1, readings)
            if word in readings
            else words.get(word) or _by_sound(word)
        )
        if new:
            changes.append((token.start, token.end, _with_case(new, token.text)))
    return replace(text, changes)


def _read(word: str, tokens: list[Token], index: int, readings: dict[str, tuple[_Reading, ...]]) -> str:
    before = _neighbour(tokens, index, -1)
    after = _neighbour(tokens, index, 1)
    return next((reading.say for reading in readings[word] if reading.fits(before, after)), "")
