"""What the re-ranker looks at: one row of figures for each candidate of a question."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from kb_index.coverage import COVERAGE, EntryWords, QuestionWords, entry_words
from kb_index.embedding import Encoder
from kb_index.index import SearchIndex
from kb_index.query import Query, Vocabulary
from kb_index.texts import sounds

Floats = NDArray[np.float32]

_BASE = (
    "keyword",
    "title",
    "names",
    "field",
    "agency",
    "details",
    "body",
    "sound",
    "dense",
    "dense_rank",
    "keyword_rank",
    "dense_gap",
    "keyword_gap",
    "both",
    "best_keyword",
    "commune",
    "province",
    "ministry_only",
    "article",
    "has_names",
    "title_length",
)
# Figures whose distance to the best candidate's is a figure of its own.
_COMPARED = (
    "best_match",
    "title_match",
    "best_inside",
    "query_in_all",
    "pairs_in_title",
    "foreign_weight",
)
FEATURES = (*_BASE, *COVERAGE, *(f"{name}_gap" for name in _COMPARED))
_POSITION = {name: place for place, name in enumerate((*_BASE, *COVERAGE))}
_COMPARED_PLACES = [_POSITION[name] for name in _COMPARED]
_KEYWORD_CANDIDATES = 40
_DENSE_CANDIDATES = 40
_SOUND_CANDIDATES = 10
# How much each part of an entry counts when candidates are collected.
_PART_WEIGHTS = np.array([1.0, 1.1, 0.3, 0.1, 0.25, 0.2], dtype=np.float32)
_RANK_OFFSET = 10.0


class FeatureMaker:
    """Collects the candidates of a question and describes each; safe to use from several threads."""

    def __init__(self, index: SearchIndex, encoder: Encoder) -> None:
        self._index = index
        self._encoder = encoder
        self._words: dict[int, EntryWords] = {}
        self.vocabulary = Vocabulary.of(index.entries)

    @cached_property
    def _static(self) -> Floats:
        """Figures of an entry that do not hang on the question: levels, kind, names, length of the title."""
        rows = []
        for entry in self._index.entries:
            near = "commune" in entry.levels or "province" in entry.levels
            rows.append(
                (
                    "commune" in entry.levels,
                    "province" in entry.levels,
                    bool(entry.levels) and not near,
                    entry.kind == "article",
                    bool(entry.names),
                    min(len(entry.title.split()), 60) / 20,
                )
            )
        return np.array(rows, dtype=np.float32).reshape(len(rows), 6)

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
        parts = index.bare.scores(query.terms)
        keyword = parts @ _PART_WEIGHTS
        sound = index.sound.scores(_sound_terms(query)).sum(axis=1)
        dense = index.dense_scores(self._encoder.encode(query.variants))
        if barred:
            keyword[list(barred)] = sound[list(barred)] = 0.0
            dense = {number: score for number, score in dense.items() if number not in barred}
        by_keyword = _best(keyword, _KEYWORD_CANDIDATES)
        by_dense = sorted(dense, key=lambda number: (-dense[number], number))[:_DENSE_CANDIDATES]
        chosen = list(dict.fromkeys([*by_keyword, *by_dense, *_best(sound, _SOUND_CANDIDATES)]))
        if not chosen:
            return [], np.zeros((0, len(FEATURES)), dtype=np.float32)
        keyword_rank = {number: rank for rank, number in enumerate(by_keyword)}
        dense_rank = {number: rank for rank, number in enumerate(by_dense)}
        scale = max(1.0, sum(weight * index.bare.idf_of(term) for term, weight in query.terms))
        best_keyword = float(keyword.max()) or 1.0
        best_dense = max(dense.values(), default=1.0)
        floor = min(dense.values(), default=0.0)
        asked = QuestionWords(query, index)
        rows = []
        for number in chosen:
            similarity = dense.get(number, floor)
            share = float(keyword[number]) / scale
            rows.append(
                (
                    share,
                    *(parts[number] / scale).tolist(),
                    float(sound[number]) / scale,
                    similarity,
                    _reciprocal(dense_rank.get(number)),
                    _reciprocal(keyword_rank.get(number)),
                    best_dense - similarity,
                    1 - float(keyword[number]) / best_keyword,
                    share * similarity,
                    max(parts[number, 0], parts[number, 1]) / scale,
                    *self._static[number].tolist(),
                    *asked.against(self._entry_words(number)),
                )
            )
        table = np.array(rows, dtype=np.float32)
        compared = table[:, _COMPARED_PLACES]
        return chosen, np.concatenate([table, compared.max(axis=0) - compared], axis=1)

    def _entry_words(self, number: int) -> EntryWords:
        words = self._words.get(number)
        if words is None:
            words = self._words[number] = entry_words(self._index.entries[number], self._index)
        return words


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
