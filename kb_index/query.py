"""A question as search reads it: its words, how much each matters, and what its everyday terms stand for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from kb_index.aspects import asking_words
from kb_index.lexicon import Lexicon, Meaning
from kb_index.sounds import sound_key
from kb_index.texts import EntryTexts, bare, query_syllables, syllables
from vntext.normalise import strip_marks

# Words that only ask ("bao nhiêu", "cần gì") or name an aspect ("lệ phí") say little of what it is about.
_ASKING = 0.08
_EXPANDED = 0.7
# How many words from a word of substance the words of its topic may be.
_HELD = 2


@dataclass(frozen=True)
class Query:
    """What search works on; but for `words` the same whether marks were typed or not.

    Attributes:
        words: syllables as typed (canonical).
        bare: the same without marks, unknown words replaced by known ones that sound alike.
        weights: how much each word matters: 1, or hardly anything where it only asks.
        meanings: everyday terms found in it.
        terms: words and pairs without marks with their weights, expansions included.
        variants: texts to encode: the question, and the question with official terms put in.
    """

    words: tuple[str, ...]
    bare: tuple[str, ...]
    weights: tuple[float, ...]
    meanings: tuple[Meaning, ...]
    terms: tuple[tuple[str, float], ...]
    variants: tuple[str, ...]


@dataclass(frozen=True)
class Vocabulary:
    """What a base's titles and names say, without marks.

    Attributes:
        pairs: neighbours in titles and names (`a_b`): what belongs together in a topic.
        words: every word of titles and names.
        by_sound: for each sound the commonest word that has it.
    """

    pairs: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    by_sound: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[EntryTexts]) -> Vocabulary:
        """Return the vocabulary of `entries`."""
        pairs: set[str] = set()
        counts: Counter[str] = Counter()
        for entry in entries:
            for text in (entry.title, *entry.names):
                words = bare(syllables(text))
                pairs.update(f"{first}_{second}" for first, second in pairwise(words))
                counts.update(words)
        by_sound: dict[str, str] = {}
        for word, _ in counts.most_common():
            by_sound.setdefault(sound_key(word), word)
        return cls(frozenset(pairs), frozenset(counts), by_sound)

    def repaired(self, word: str) -> str:
        """Return an unknown word as the known one that sounds like it, where there is one."""
        return word if word in self.words else self.by_sound.get(sound_key(word), word)


_NOTHING_KNOWN = Vocabulary()


def read_query(text: str, lexicon: Lexicon, vocabulary: Vocabulary = _NOTHING_KNOWN) -> Query:
    """Analyse what somebody typed.

    Args:
        text: as typed, or canonical.
        lexicon: everyday terms.
        vocabulary: the base's words. What looks like a question word is none where it stands in a title
            with a word of substance: the first of "kinh doanh" (typed without marks) is no "kính".
    """
    words = query_syllables(text)
    meanings = lexicon.find(words)
    stripped = [vocabulary.repaired(word) for word in bare(words)]
    weights = _weights(text, stripped, meanings, vocabulary.pairs)
    expansions = [bare(list(term)) for meaning in meanings for term in meaning.means]
    return Query(
        words=tuple(words),
        bare=tuple(stripped),
        weights=tuple(weights),
        meanings=tuple(meanings),
        terms=tuple(_weighted(stripped, weights, expansions)),
        variants=tuple(_variants(stripped, weights, meanings)),
    )


def _weights(text: str, words: list[str], meanings: list[Meaning], pairs: frozenset[str]) -> list[float]:
    kept = [not only_asks for only_asks in asking_words(text)]
    assert len(kept) == len(words)
    # Words of a topic hold their neighbours: "khai sinh" holds "giấy khai sinh cho con" together.
    for _ in range(_HELD):
        before = list(kept)
        for place, pair in enumerate(pairwise(words)):
            if before[place] != before[place + 1] and "_".join(pair) in pairs:
                kept[place] = kept[place + 1] = True
    for meaning in meanings:
        kept[meaning.start : meaning.end] = [True] * (meaning.end - meaning.start)
    if not any(kept):
        return [1.0] * len(words)
    return [1.0 if keep else _ASKING for keep in kept]


def _weighted(words: list[str], weights: list[float], expansions: list[list[str]]) -> list[tuple[str, float]]:
    """Return words and pairs, each once with its highest weight."""
    best: dict[str, float] = {}

    def add(sequence: list[str], factors: list[float]) -> None:
        for word, factor in zip(sequence, factors, strict=True):
            best[word] = max(best.get(word, 0.0), factor)
        for position in range(len(sequence) - 1):
            pair = f"{sequence[position]}_{sequence[position + 1]}"
            factor = (factors[position] * factors[position + 1]) ** 0.5
            best[pair] = max(best.get(pair, 0.0), factor)

    add(words, weights)
    for expansion in expansions:
        add(expansion, [_EXPANDED] * len(expansion))
    return list(best.items())


def _variants(words: list[str], weights: list[float], meanings: list[Meaning]) -> list[str]:
    kept = [(word, weight > _ASKING) for word, weight in zip(words, weights, strict=True)]

    def content(start: int, end: int) -> list[str]:
        return [word for word, matters in kept[start:end] if matters]

    texts = [" ".join(content(0, len(kept)))]
    for meaning in meanings:
        for term in meaning.means[:3]:
            official = [strip_marks(word) for word in term]
            texts.append(" ".join([*content(0, meaning.start), *official, *content(meaning.end, len(kept))]))
    return list(dict.fromkeys(text for text in texts if text))[:8]
