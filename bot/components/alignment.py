"""Which part of a message, as typed, each word of its canonical form comes from.

The classifier reads canonical words ("thủ tục"), entities and buttons point into the message as typed
("thur tucj"). The two differ in number of words ("ntn" is "như thế nào"), so words are aligned in groups.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

from vntext.canonical import canonical
from vntext.normalise import normalise

# A letter or digit with the combining marks (NFD) and the zero-width characters that belong to it.
_WORD = re.compile(r"[^\W_](?:[^\W_]|[\u0300-\u036f\u200b-\u200f\u2060\ufeff])*")


class AlignedWord(NamedTuple):
    """A word of the canonical form and the span `[start, end)` of the typed text that it comes from."""

    canonical: str
    start: int
    end: int


class _Group(NamedTuple):
    typed: range
    canonical: range


def _groups(typed: Sequence[str], words: Sequence[str]) -> list[_Group]:
    """Pair runs of typed words with runs of canonical words; one to one wherever that is certain."""
    groups: list[_Group] = []
    leading = 0  # canonical words in front of the first pair; nothing produces them today
    opcodes = SequenceMatcher(None, typed, words, autojunk=False).get_opcodes()
    for kind, i1, i2, j1, j2 in opcodes:
        if kind == "insert":
            if groups:
                groups[-1] = _Group(groups[-1].typed, range(groups[-1].canonical.start, j2))
            else:
                leading = j2
        elif kind == "equal" or i2 - i1 == j2 - j1:
            pairs = zip(range(i1, i2), range(j1, j2), strict=True)
            groups += (_Group(range(i, i + 1), range(j, j + 1)) for i, j in pairs)
        elif kind == "replace":
            groups.append(_Group(range(i1, i2), range(j1, j2)))
    if groups and leading:
        groups[0] = _Group(groups[0].typed, range(0, groups[0].canonical.stop))
    return groups


def _words(texts: Sequence[str], segment: Callable[[str], list[str]]) -> list[range]:
    """Join neighbouring syllables to words; where the segmenter cut differently, leave them single."""
    sentence = " ".join(texts)
    ends: list[int] = []
    for text in texts:
        ends.append((ends[-1] + 1 if ends else 0) + len(text))
    found: list[range] = []
    position, syllable = 0, 0
    for word in segment(sentence):
        at = sentence.find(word, position)
        if at < 0:
            continue
        position = at + len(word)
        if position in ends[syllable:]:
            last = ends.index(position, syllable)
            found.append(range(syllable, last + 1))
            syllable = last + 1
    found += (range(i, i + 1) for i in range(syllable, len(texts)))
    return found


def align(text: str, segment: Callable[[str], list[str]]) -> list[AlignedWord]:
    """Cut `text` into words, each with its canonical form and its place in `text`.

    Args:
        text: a message as typed, in any Unicode form.
        segment: cuts a canonical sentence into words, which may hold spaces ("khai sinh").

    Returns:
        Words in order, spans not overlapping and inside `text`; empty without any letter or digit.
    """
    spans = [(match.start(), match.end()) for match in _WORD.finditer(text)]
    typed = [normalise(text[start:end]).lower() for start, end in spans]
    canonical_words = _WORD.findall(canonical(text))
    groups = _groups(typed, canonical_words)
    if not groups:
        return []
    aligned: list[AlignedWord] = []
    group = 0
    parts: list[str] = []
    start = end = -1
    for word in _words(canonical_words, segment):
        parts.append(" ".join(canonical_words[word.start : word.stop]))
        while groups[group].canonical.stop < word.stop:
            start = spans[groups[group].typed.start][0] if start < 0 else start
            group += 1
        start = spans[groups[group].typed.start][0] if start < 0 else start
        end = spans[groups[group].typed.stop - 1][1]
        if groups[group].canonical.stop > word.stop:
            continue  # the next word comes from the same typed word: "ntn" stays one
        aligned.append(AlignedWord(" ".join(parts), start, end))
        parts, start, group = [], -1, group + 1
    return aligned
