"""What the re-ranker looks at: one row of figures for each candidate of a question."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kb_index.embedding import Encoder
from kb_index.index import SearchIndex
from kb_index.query import Query
from kb_index.texts import EntryTexts, bare, sounds, syllables

Floats = NDArray[np.float32]

FEATURES = (
    "keyword",
    "title",
    "names",
    "field",
    "agency",
    "details",
    "body",
    "marked_title",
    "marked_names",
    "sound",
    "dense",
    "dense_rank",
    "keyword_rank",
    "dense_gap",
    "keyword_gap",
    "query_in_title",
    "title_in_query",
    "query_in_names",
    "name_in_query",
    "query_in_all",
    "marked_in_title",
    "variant_missing",
    "variant_extra",
    "not_meant",
    "excluded",
    "for_citizens",
    "ministry_only",
    "article",
    "has_names",
    "title_length",
    "both",
    "best_keyword",
    "best_marked",
    "best_inside",
    "best_match",
    "unexplained",
    "unnamed",
    "foreign_words",
)
_KEYWORD_CANDIDATES = 40
_DENSE_CANDIDATES = 40
_SOUND_CANDIDATES = 10
# How much each part of an entry counts when candidates are collected.
_PART_WEIGHTS = np.array([1.0, 1.1, 0.3, 0.1, 0.25, 0.2], dtype=np.float32)
_RANK_OFFSET = 10.0
# An entry has a lexicon's term when it has so much of its words.
_MOST = 0.75
# Words that tell variants of one procedure apart, without marks; the groups are alternatives.
_VARIANTS: tuple[tuple[str, ...], ...] = (
    ("lai", "cap lai", "bi mat", "hong", "rach", "that lac"),
    ("doi", "doi ten"),
    ("gia han",),
    ("nuoc ngoai", "quoc te"),
    ("sua doi", "dieu chinh", "bo sung", "thay doi", "cai chinh", "dinh chinh"),
    ("cham dut", "huy", "xoa", "thu hoi", "giai the", "tam ngung", "tam dung"),
    ("lien thong",),
    ("luu dong",),
    ("tam thoi", "tam tru"),
    ("lan dau", "moi", "cap moi"),
    ("chuyen nhuong", "chuyen doi", "sang ten"),
    ("doanh nghiep", "cong ty", "to chuc"),
    ("ho kinh doanh",),
    ("hop tac xa", "to hop tac"),
    ("chi nhanh", "van phong dai dien"),
    ("ban sao", "trich luc"),
    ("xuat khau",),
    ("nhap khau",),
    ("vien chuc", "can bo", "cong chuc", "bo cong an", "luc luong vu trang", "chien si"),
    ("tau bien", "hang hai", "tau bay", "hang khong"),
)


@dataclass(frozen=True)
class _WordSet:
    """Words without marks, and how telling they are together."""

    words: frozenset[str]
    total: float


@dataclass(frozen=True)
class _EntryWords:
    title: _WordSet
    title_marked: frozenset[str]
    names: tuple[_WordSet, ...]
    called: frozenset[str]
    all: _WordSet
    not_meant: tuple[_WordSet, ...]
    text: str
    variants: frozenset[int]


class FeatureMaker:
    """Collects the candidates of a question and describes each; safe to use from several threads."""

    def __init__(self, index: SearchIndex, encoder: Encoder) -> None:
        self._index = index
        self._encoder = encoder
        self._words: dict[int, _EntryWords] = {}

    @cached_property
    def _static(self) -> Floats:
        """Figures of an entry that do not hang on the question: levels, kind, names, length of the title."""
        rows = []
        for entry in self._index.entries:
            near = "commune" in entry.levels or "province" in entry.levels
            far = bool(entry.levels) and not near
            rows.append(
                (
                    near,
                    far,
                    entry.kind == "article",
                    bool(entry.names),
                    min(len(entry.title.split()), 60) / 20,
                )
            )
        return np.array(rows, dtype=np.float32).reshape(len(rows), 5)

    def warm(self) -> None:
        """Prepare what every question needs, so that the first one is as quick as the others."""
        assert self._static.shape[0] == len(self._index.entries)
        for number in range(len(self._index.entries)):
            self._entry_words(number)

    def candidates(self, query: Query, barred: frozenset[int] = frozenset()) -> tuple[list[int], Floats]:
        """Return the numbers of the candidates and their features, shape (candidates, len(FEATURES)).

        Args:
            query: the question.
            barred: numbers of entries that may not answer.
        """
        index = self._index
        if not index.entries or not query.words:
            return [], np.zeros((0, len(FEATURES)), dtype=np.float32)
        parts = index.bare.scores(query.bare_terms)
        keyword = parts @ _PART_WEIGHTS
        marked = index.marked.scores(query.marked_terms) if query.has_marks else parts
        sound = index.sound.scores(_sound_terms(query)).sum(axis=1)
        dense = index.dense_scores(self._encoder.encode(query.variants))
        if barred:
            keyword[list(barred)] = sound[list(barred)] = 0.0
            dense = {number: score for number, score in dense.items() if number not in barred}
        by_keyword = _best(keyword, _KEYWORD_CANDIDATES)
        by_dense = sorted(dense, key=lambda number: (-dense[number], number))[:_DENSE_CANDIDATES]
        chosen = list(dict.fromkeys([*by_keyword, *by_dense, *_best(sound, _SOUND_CANDIDATES)]))
        keyword_rank = {number: rank for rank, number in enumerate(by_keyword)}
        dense_rank = {number: rank for rank, number in enumerate(by_dense)}
        scale = max(1.0, sum(weight * index.bare.idf_of(term) for term, weight in query.bare_terms))
        best_keyword = float(keyword.max()) or 1.0
        best_dense = max(dense.values(), default=1.0)
        floor = min(dense.values(), default=0.0)
        asked = _QuestionWords(query, index)
        rows = []
        for number in chosen:
            words = self._entry_words(number)
            similarity = dense.get(number, floor)
            share = float(keyword[number]) / scale
            rows.append(
                (
                    share,
                    *(parts[number] / scale).tolist(),
                    float(marked[number, 0]) / scale,
                    float(marked[number, 1]) / scale,
                    float(sound[number]) / scale,
                    similarity,
                    _reciprocal(dense_rank.get(number)),
                    _reciprocal(keyword_rank.get(number)),
                    best_dense - similarity,
                    1 - float(keyword[number]) / best_keyword,
                    *asked.against(words),
                    *self._static[number].tolist(),
                    share * similarity,
                    max(parts[number, 0], parts[number, 1]) / scale,
                    max(marked[number, 0], marked[number, 1]) / scale,
                    *asked.summary(words),
                )
            )
        return chosen, np.array(rows, dtype=np.float32)

    def _entry_words(self, number: int) -> _EntryWords:
        words = self._words.get(number)
        if words is None:
            words = self._words[number] = _entry_words(self._index.entries[number], self._index)
        return words


class _QuestionWords:
    """The question's words with how telling each is, to be held against the words of entries."""

    def __init__(self, query: Query, index: SearchIndex) -> None:
        self.weights: dict[str, float] = {}
        for word, weight in zip(query.bare, query.weights, strict=True):
            self.weights[word] = max(self.weights.get(word, 0.0), weight * index.bare.idf_of(word))
        # What was typed, what it stands for, and how many words of that must be there.
        self.alternatives: list[tuple[set[str], set[str], float]] = []
        for meaning in query.meanings:
            typed = set(query.bare[meaning.start : meaning.end])
            for term in meaning.means:
                meant = set(bare(list(term)))
                self.alternatives.append((typed, meant, _MOST * len(meant)))
        self.marked = {
            word: weight * index.marked.idf_of(word) if query.has_marks else self.weights[plain]
            for word, plain, weight in zip(query.words, query.bare, query.weights, strict=True)
        }
        self.has_marks = query.has_marks
        self.total = sum(self.weights.values()) or 1.0
        self.marked_total = sum(self.marked.values()) or 1.0
        self.idf = index.bare.idf_of
        said = [" ".join(query.bare), *(" ".join(bare(list(t))) for m in query.meanings for t in m.means)]
        self.variants = frozenset(v for text in said for v in _variants(text))
        self.never = [" ".join(bare(list(term))) for meaning in query.meanings for term in meaning.never]

    def against(self, entry: _EntryWords) -> tuple[float, ...]:
        """Return how the question and the entry cover each other, and where they differ."""
        query_in_title, title_in_query = self._cover(entry.title)
        best_in = best_out = 0.0
        for name in entry.names:
            inside, outside = self._cover(name)
            if inside * outside > best_in * best_out:
                best_in, best_out = inside, outside
        marked = entry.title_marked if self.has_marks else entry.title.words
        in_marked = sum(w for word, w in self.marked.items() if word in marked) / self.marked_total
        in_all = self._cover(entry.all)[0]
        never = max((self._both(name) for name in entry.not_meant), default=0.0)
        never = max(0.0, never - best_in * best_out)
        return (
            query_in_title,
            title_in_query,
            best_in,
            best_out,
            in_all,
            in_marked,
            float(len(self.variants - entry.variants)),
            float(len(entry.variants - self.variants)),
            never,
            float(any(term in entry.text for term in self.never)),
        )

    def summary(self, entry: _EntryWords) -> tuple[float, ...]:
        """Return the best of title and names, and the most telling words that the entry does not have."""
        covers = [self._cover(words) for words in (entry.title, *entry.names)]
        explained = self._explained(entry.all.words)
        called = self._explained(entry.called)
        return (
            max(inside for inside, _ in covers),
            max(2 * inside * outside / (inside + outside + 1e-6) for inside, outside in covers),
            max((weight for word, weight in self.weights.items() if word not in explained), default=0.0) / 8,
            max((weight for word, weight in self.weights.items() if word not in called), default=0.0) / 8,
            1 - max(outside for _, outside in covers),
        )

    def _explained(self, words: frozenset[str]) -> set[str]:
        found = set(self.weights.keys() & words)
        for typed, meant, needed in self.alternatives:
            if len(meant & words) >= needed:
                found |= typed
        return found

    def _cover(self, entry: _WordSet) -> tuple[float, float]:
        """Return the share of the question found in the entry's words, and of those found in the question."""
        typed = self.weights.keys() & entry.words
        found = set(typed)
        for words, meant, needed in self.alternatives:
            hit = meant & entry.words
            if len(hit) >= needed:
                typed |= words
                found |= hit
        inside = sum([self.weights[word] for word in typed]) / self.total
        return inside, sum([self.idf(word) for word in found]) / entry.total

    def _both(self, entry: _WordSet) -> float:
        inside, outside = self._cover(entry)
        return inside * outside


def _entry_words(entry: EntryTexts, index: SearchIndex) -> _EntryWords:
    def word_set(words: list[str]) -> _WordSet:
        kept = frozenset(words)
        return _WordSet(kept, sum(index.bare.idf_of(word) for word in kept) or 1.0)

    title = syllables(entry.title)
    names = [bare(syllables(name)) for name in entry.names]
    rest = [
        word for part in ("field", "agency", "details", "body") for word in bare(syllables(entry.part(part)))
    ]
    return _EntryWords(
        title=word_set(bare(title)),
        title_marked=frozenset(title),
        names=tuple(word_set(name) for name in names),
        called=frozenset([*bare(title), *(word for name in names for word in name)]),
        all=word_set([*bare(title), *(word for name in names for word in name), *rest]),
        not_meant=tuple(word_set(bare(syllables(name))) for name in entry.not_meant),
        text=" ".join([" ".join(bare(title)), *(" ".join(name) for name in names)]),
        variants=frozenset(_variants(" ".join(bare(title)))),
    )


def _variants(text: str) -> list[int]:
    padded = f" {text} "
    return [n for n, words in enumerate(_VARIANTS) if any(f" {word} " in padded for word in words)]


def _sound_terms(query: Query) -> list[tuple[str, float]]:
    keys = sounds(list(query.words))[: len(query.words)]
    weighted: dict[str, float] = {}
    for key, weight in zip(keys, query.weights, strict=True):
        weighted[key] = max(weighted.get(key, 0.0), weight)
    for position in range(len(keys) - 1):
        pair = f"{keys[position]}_{keys[position + 1]}"
        weighted[pair] = (query.weights[position] * query.weights[position + 1]) ** 0.5
    return list(weighted.items())


def _best(scores: Floats, number: int) -> list[int]:
    """Return the entries with the highest scores above 0, best first; equal ones in their order."""
    number = min(number, len(scores))
    found = np.argpartition(-scores, number - 1)[:number]
    ordered = sorted(found.tolist(), key=lambda item: (-scores[item], item))
    return [item for item in ordered if scores[item] > 0]


def _reciprocal(rank: int | None) -> float:
    return 0.0 if rank is None else _RANK_OFFSET / (_RANK_OFFSET + rank)
