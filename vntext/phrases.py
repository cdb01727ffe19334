"""Phrase patterns over Vietnamese words, marked or not: the little language that rule tables are written in.

A pattern is words separated by spaces. Each is one of

- `word`: that word; a marked word ("cháy") also fits the bare one ("chay"), never another marking ("chạy");
- `!word`: exactly that marking, the bare word does not fit;
- `a|b_c|d`: alternatives, an underscore joins the words of one;
- `<name>`: the alternatives of a class of the table;
- `~` or `~5`: a gap of up to 3 (or 5) words that does not leave the sentence;
- `x?`: what carries the question mark may be missing;
- `#`, `^`, `$`: a number, the beginning and the end of the message.

Marked words are compared by `loose`, which forgives what is misspelt by ear (hỏi and ngã, n and ng, c and t
at the end, ch and tr, s and x, d and gi, ă and â). Words so frequent that they are nobody's misspelling
("tốn", "xác", "công") can be held to what is written, see `hold_sure`; bare words likewise, see `hold_bare`
and `hold_phrases`.

Matching walks tokens, not characters, and every gap is bounded: time grows with the length of the text alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from vntext.normalise import normalise, strip_marks
from vntext.syllable import Syllable, parse, write

_TOKEN = re.compile(r"[^\W\d_]+|\d+|[.!?;\n…]")
_BREAK = "."
_CERTAIN = "="  # behind the key of a word that stands for itself: no other marks, no other spelling
_START, _END, _NUMBER = "^", "$", "#"
_ONSETS = {"tr": "ch", "x": "s", "gi": "d"}
_ENDS = (("ng", "n"), ("ch", "t"), ("c", "t"))


@lru_cache(maxsize=20_000)
def loose(word: str) -> str:
    """Return the key under which a marked lower-case word is compared; a bare word is its own key."""
    if word.isascii():
        return word
    syllable = parse(word)
    if syllable is None:
        return word
    onset = _ONSETS.get(syllable.onset, syllable.onset)
    rime = syllable.rime.replace("ă", "â")
    if onset == "d" and syllable.onset == "gi" and rime[:1] in ("", "n", "m", "p"):
        rime = "i" + rime
    for ending, kept in _ENDS:
        if rime.endswith(ending):
            rime = rime[: -len(ending)] + kept
            break
    if rime in ("y", "uy"):
        rime = rime.replace("y", "i")
    tone = "\u0309" if syllable.tone == "\u0303" else syllable.tone
    return write(Syllable(onset, rime, tone))


@dataclass(frozen=True, slots=True)
class Word:
    """A token of the text: its comparison key, and the key it has when marks count for nothing."""

    key: str
    bare: str


@lru_cache(maxsize=20_000)
def _word(token: str) -> Word:
    if token.isdigit():
        return Word(token, _NUMBER)
    if not token[0].isalpha():
        return Word(_BREAK, _BREAK)
    return Word(loose(token), strip_marks(token))


def words_of(text: str, sure: frozenset[str] = frozenset()) -> list[Word]:
    """Split canonical text into the words that patterns are matched against, both ends of it marked.

    Args:
        text: canonical text.
        sure: marked words so frequent that they are taken as written and never for a misspelling.
    """
    return [
        Word(_START, _START),
        *(
            Word(token + _CERTAIN, strip_marks(token)) if token in sure else _word(token)
            for token in _TOKEN.findall(text)
        ),
        Word(_END, _END),
    ]


def hold_bare(words: list[Word], everyday: frozenset[str]) -> list[Word]:
    """Return the words with the `everyday` ones among the bare kept from standing for marked words."""
    return [
        Word(word.key + _CERTAIN, word.bare) if word.key in everyday and word.key == word.bare else word
        for word in words
    ]


def hold_phrases(words: list[Word], phrases: Mapping[str, Iterable[tuple[str, ...]]]) -> list[Word]:
    """Return the words with bare ones kept from standing for marked words where they make up a phrase.

    Args:
        words: the words of the message.
        phrases: by their first word, bare word sequences that are ordinary Vietnamese ("cua dan").
    """
    held = list(words)
    for start, word in enumerate(words):
        for phrase in phrases.get(word.key, ()):
            stop = start + len(phrase)
            if stop <= len(words) and all(
                words[start + offset].key == part for offset, part in enumerate(phrase)
            ):
                held[start:stop] = [Word(part + _CERTAIN, part) for part in phrase]
    return held


Keys = frozenset[str]


@dataclass(frozen=True, slots=True)
class _Choice:
    """One place of a pattern: any of several word sequences."""

    behind: Mapping[str, tuple[tuple[Keys, ...], ...]]  # by the key of the first word, what follows it
    firsts: Keys
    optional: bool


@dataclass(frozen=True, slots=True)
class _Gap:
    longest: int


def _keys(word: str, exact: bool) -> Keys:
    plain = strip_marks(word)
    if exact:
        return frozenset({loose(word), word + _CERTAIN})
    if plain == word:
        return frozenset({word, word + _CERTAIN})
    return frozenset({loose(word), plain, word + _CERTAIN})


def _sequence(written: str, never_bare: frozenset[str]) -> tuple[Keys, ...]:
    parts = written.split("_")
    return tuple(
        _keys(part.removeprefix("!"), part.startswith("!") or (len(parts) == 1 and part in never_bare))
        for part in parts
    )


def _follows(words: list[Word], position: int, sequence: tuple[Keys, ...]) -> bool:
    """Tell whether the words from `position` on are this sequence."""
    if position + len(sequence) > len(words):
        return False
    for offset, keys in enumerate(sequence):
        word = words[position + offset]
        if word.key not in keys and not (word.bare == _NUMBER and _NUMBER in keys):
            return False
    return True


class Pattern:
    """One compiled pattern; see the module for how patterns are written."""

    def __init__(
        self, source: str, classes: dict[str, list[str]], never_bare: frozenset[str] = frozenset()
    ) -> None:
        """Compile a pattern.

        Args:
            source: the pattern as written.
            classes: what `<name>` stands for, alternatives as in `a|b_c`.
            never_bare: words that need their marks when they stand alone as an alternative, because their
                bare form is another, more frequent word ("chó", bare "cho").

        Raises:
            KeyError: the pattern names a class that the table does not have.
            ValueError: the pattern is empty or begins with a gap.
        """
        self.source = source
        parts: list[_Choice | _Gap] = []
        for written in normalise(source).lower().split(" "):
            if re.fullmatch(r"~\d*", written):
                parts.append(_Gap(int(written[1:] or 3)))
                continue
            optional = written.endswith("?")
            written = written.removesuffix("?")
            options: list[str] = []
            for option in written.split("|"):
                options += classes[option[1:-1]] if option.startswith("<") else [option]
            sequences = tuple(_sequence(option, never_bare) for option in options)
            behind: dict[str, tuple[tuple[Keys, ...], ...]] = {}
            for first, *rest in sequences:
                for key in first:
                    behind[key] = (*behind.get(key, ()), tuple(rest))
            parts.append(_Choice(behind, frozenset(behind), optional))
        if not parts or isinstance(parts[0], _Gap):
            raise ValueError(f"a pattern begins with a word: {source!r}")
        self._parts = tuple(parts)
        needed = [part.firsts for part in parts if isinstance(part, _Choice) and not part.optional]
        self._needed = tuple(sorted(needed, key=len))

    def may_match(self, keys: frozenset[str]) -> bool:
        """Tell cheaply whether a text with these keys can hold the pattern at all."""
        return not any(needed.isdisjoint(keys) for needed in self._needed)

    def first_keys(self) -> Iterator[str]:
        """Yield every key that a match can begin with."""
        for part in self._parts:
            if isinstance(part, _Gap):
                return
            yield from part.firsts
            if not part.optional:
                return

    def match(self, words: list[Word], start: int) -> int:
        """Return the index behind the match that begins at `start`, or -1."""
        return self._match(words, start, 0)

    @staticmethod
    def _fits(word: Word, keys: Keys) -> bool:
        return word.key in keys or (word.bare == _NUMBER and _NUMBER in keys)

    def _match(self, words: list[Word], position: int, index: int) -> int:
        if index == len(self._parts):
            return position
        part = self._parts[index]
        if isinstance(part, _Gap):
            behind = self._parts[index + 1] if index + 1 < len(self._parts) else None
            firsts = behind.firsts if isinstance(behind, _Choice) and not behind.optional else None
            for taken in range(part.longest + 1):
                if firsts is None or (
                    position + taken < len(words) and self._fits(words[position + taken], firsts)
                ):
                    end = self._match(words, position + taken, index + 1)
                    if end >= 0:
                        return end
                if position + taken >= len(words) or words[position + taken].key in (_BREAK, _END):
                    return -1
            return -1
        if position < len(words):
            word = words[position]
            options = part.behind.get(word.key, ())
            if word.bare == _NUMBER:
                options = (*options, *part.behind.get(_NUMBER, ()))
            for rest in options:
                stop = position + 1 + len(rest)
                if rest and not _follows(words, position + 1, rest):
                    continue
                end = self._match(words, stop, index + 1)
                if end >= 0:
                    return end
        return self._match(words, position, index + 1) if part.optional else -1


@dataclass(frozen=True, slots=True)
class Found:
    """A pattern found in a text: its name, the words `start` to `end` (exclusive), and how it is written."""

    name: str
    start: int
    end: int
    source: str


class PhraseIndex:
    """Many named patterns, found in one pass over a text."""

    def __init__(self, named: Iterable[tuple[str, Pattern]]) -> None:
        self._by_key: dict[str, list[tuple[str, Pattern]]] = {}
        for name, pattern in named:
            for key in set(pattern.first_keys()):
                self._by_key.setdefault(key, []).append((name, pattern))

    def find(self, words: list[Word]) -> list[Found]:
        """Return every place where a pattern begins, in the order of the text."""
        found = []
        keys = frozenset(word.key for word in words) | frozenset(
            word.bare for word in words if word.bare == _NUMBER
        )
        possible: dict[int, bool] = {}
        for position, word in enumerate(words):
            candidates = self._by_key.get(word.key, ())
            if word.bare == _NUMBER:
                candidates = (*candidates, *self._by_key.get(_NUMBER, ()))
            for name, pattern in candidates:
                if (may := possible.get(id(pattern))) is None:
                    may = possible[id(pattern)] = pattern.may_match(keys)
                if not may:
                    continue
                end = pattern.match(words, position)
                if end >= 0:
                    found.append(Found(name, position, end, pattern.source))
        return found
