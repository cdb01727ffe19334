"""Which facts of a procedure a sentence asks for, by its wording, and what it says besides.

Everything is matched on canonical text without marks, so that "tốn bao nhiêu tiền" and "ton bn tien" are one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import yaml

from vntext.canonical import canonical
from vntext.normalise import strip_marks

Aspect = Literal[
    "overview",
    "documents",
    "fee",
    "time",
    "place",
    "steps",
    "online",
    "form",
    "legal",
    "conditions",
    "result",
    "who",
]
ASPECTS: tuple[str, ...] = get_args(Aspect)

_Patterns = tuple[tuple[str, re.Pattern[str]], ...]
_Words = frozenset[str]


def _compiled() -> tuple[_Patterns, _Patterns, re.Pattern[str], _Words, _Words, _Words]:
    """Read `aspects.yml`: strong patterns, weak ones, what is no aspect, and the lists of words."""
    content = yaml.safe_load(Path(__file__).with_name("aspects.yml").read_text(encoding="utf-8"))

    def pattern(text: str) -> str:
        for name, words in content["words"].items():
            text = text.replace(f"{{{name}}}", words)
        text = text.replace("{{", "{").replace("}}", "}")
        # " _3 " is up to three words, " _ " one at most, each as few as will do.
        text = re.sub(r" _(\d) ", r"(?: \\w+){0,\1}? ", text)
        text = re.sub(r" _(\d)(?=\W|$)", r"(?: \\w+){0,\1}?", text)
        return re.sub(r" _ ", r"(?: \\w+)? ", text).replace("(?: _)?", r"(?:\w+ )?")

    def table(rows: list[dict[str, str]]) -> _Patterns:
        return tuple(
            (aspect, re.compile(rf"(?<!\w)(?:{pattern(text)})(?!\w)"))
            for row in rows
            for aspect, text in row.items()
        )

    none = "|".join(pattern(text) for text in content["none"])
    fillers = frozenset(strip_marks(word) for word in content["fillers"].split())
    return (
        table(content["strong"]),
        table(content["weak"]),
        re.compile(rf"(?<!\w)(?:{none})(?!\w)"),
        fillers - frozenset(content["not_bare_fillers"].split()),
        frozenset(content["may_be_topic"].split()),
        frozenset(content["aspect_words"].split()),
    )


_STRONG, _WEAK, _NO_ASPECT, _FILLERS, _MAY_BE_TOPIC, _ASPECT_WORDS = _compiled()
_WORD = re.compile(r"[^\W_]+")
_ASKS_WHETHER = re.compile(
    r"(?:mang|online|truc tuyen|vneid|dich vu cong|dvc|app|web)(?: \w+){0,8}? (?:duoc|chua)\b"
    r"|(?:duoc|nop|lam)(?: \w+){0,4}? (?:online|qua mang|tren mang|truc tuyen|vneid)"
    r"(?: \w+){0,3}? (?:khong|chua|hong|ko|k|duoc)\b"
)


@dataclass(frozen=True)
class AspectMatch:
    """An aspect found by its wording; `start` and `end` are offsets in the canonical text."""

    aspect: str
    start: int
    end: int


def match_aspects(text: str) -> list[AspectMatch]:
    """Return the aspects asked for with their places in `canonical(text)`, in order, each once."""
    bare = _bare(text)
    masked = _NO_ASPECT.sub(lambda found: "#" * len(found.group()), bare)
    found = _matches(masked, _STRONG)
    if all(match.aspect in ("overview", "online") for match in found):
        found = [match for match in found if match.aspect == "online"] or _matches(masked, _WEAK) or found
    found.sort(key=lambda match: match.start)
    kept: list[AspectMatch] = []
    for candidate in found:
        if candidate.aspect not in {other.aspect for other in kept}:
            kept.append(candidate)
    if len(kept) > 1 and not _ASKS_WHETHER.search(masked):
        # "gia hạn tạm trú qua mạng hết bao nhiêu tiền": online only says how.
        kept = [match for match in kept if match.aspect != "online"] or kept
    if len(kept) > 1:
        # "thủ tục … thế nào" beside a real question only frames it.
        kept = [match for match in kept if match.aspect != "overview"] or kept
    return kept


def _matches(text: str, patterns: _Patterns) -> list[AspectMatch]:
    """Return what the patterns find; where two overlap the earlier pattern wins."""
    found: list[AspectMatch] = []
    for aspect, pattern in patterns:
        for match in pattern.finditer(text):
            if not any(match.start() < other.end and other.start < match.end() for other in found):
                found.append(AspectMatch(aspect, match.start(), match.end()))
    return found


def find_aspects(text: str) -> list[str]:
    """Return which aspects `text` asks for by its wording, in order of appearance; empty when none."""
    return [match.aspect for match in match_aspects(text)]


def asking_words(text: str) -> list[bool]:
    """Return for each word of `canonical(text)` whether it only asks or fills; marks make no difference."""
    taken = match_aspects(text)
    return [word.group() in _FILLERS or _names_aspect(word, taken) for word in _WORD.finditer(_bare(text))]


def residue(text: str) -> list[str]:
    """Return the content words of `text` that say what it is about, as typed (canonical, lower case).

    Aspect words, question words, fillers and pronouns are taken away; nothing left means a follow-up such as
    "thế lệ phí bao nhiêu?". Marks make no difference.
    """
    words = [word.group() for word in _WORD.finditer(canonical(text))]
    return [
        word
        for word, asks in zip(words, asking_words(text), strict=True)
        if not asks or strip_marks(word) in _MAY_BE_TOPIC
    ]


def _names_aspect(word: re.Match[str], taken: list[AspectMatch]) -> bool:
    asked = any(match.start <= word.start() < match.end for match in taken)
    return asked and word.group() in _ASPECT_WORDS


def _bare(text: str) -> str:
    return strip_marks(canonical(text))
