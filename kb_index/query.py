"""A question as search reads it: its words, how much each matters, and what its everyday terms stand for."""

from __future__ import annotations

from dataclasses import dataclass

from kb_index.aspects import residue
from kb_index.lexicon import Lexicon, Meaning
from kb_index.texts import bare, query_syllables
from vntext.normalise import normalise, strip_marks

# Words that only ask ("bao nhiêu", "cần gì") or name an aspect ("lệ phí") say little of what it is about.
_ASKING = 0.15
_EXPANDED = 0.7


@dataclass(frozen=True)
class Query:
    """What search works on.

    Attributes:
        words: syllables as typed (canonical).
        bare: the same without marks.
        weights: how much each word matters, 0 to 1.
        has_marks: whether anything in it carries a mark.
        meanings: everyday terms found in it.
        marked_terms: words and pairs with their weights, expansions included.
        bare_terms: the same without marks.
        variants: texts to encode: the question, and the question with official terms put in.
    """

    words: tuple[str, ...]
    bare: tuple[str, ...]
    weights: tuple[float, ...]
    has_marks: bool
    meanings: tuple[Meaning, ...]
    marked_terms: tuple[tuple[str, float], ...]
    bare_terms: tuple[tuple[str, float], ...]
    variants: tuple[str, ...]


def read_query(text: str, lexicon: Lexicon) -> Query:
    """Analyse what somebody typed."""
    words = query_syllables(text)
    stripped = bare(words)
    # Asked of what was typed: writing out chat spelling puts marks into unmarked messages.
    typed = normalise(text)
    has_marks = typed != strip_marks(typed)
    left = _count(residue(text))
    weights = []
    for word in words:
        matters = left.get(word, 0) > 0
        weights.append(1.0 if matters else _ASKING)
    meanings = lexicon.find(words, has_marks)
    expansions = [list(term) for meaning in meanings for term in meaning.means]
    return Query(
        words=tuple(words),
        bare=tuple(stripped),
        weights=tuple(weights),
        has_marks=has_marks,
        meanings=tuple(meanings),
        marked_terms=tuple(_weighted(words, weights, expansions)),
        bare_terms=tuple(_weighted(stripped, weights, [bare(term) for term in expansions])),
        variants=tuple(_variants(words, weights, meanings)),
    )


def _count(words: list[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for word in words:
        counts[word] = counts.get(word, 0) + 1
    return counts


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
    content = [word for word, weight in zip(words, weights, strict=True) if weight > _ASKING]
    texts = [" ".join(content or words)]
    for meaning in meanings:
        for term in meaning.means[:3]:
            before = [
                w
                for w, f in zip(words[: meaning.start], weights[: meaning.start], strict=True)
                if f > _ASKING
            ]
            after = [
                w for w, f in zip(words[meaning.end :], weights[meaning.end :], strict=True) if f > _ASKING
            ]
            texts.append(" ".join([*before, *term, *after]))
    return list(dict.fromkeys(text for text in texts if text))[:8]
