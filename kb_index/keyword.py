"""BM25 over words and pairs of words, kept apart by the part of the entry they are in.

Scores follow Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond" (2009), with
the inverse document frequency taken over whole entries.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_K1 = 1.2
# How much a part's length counts: titles and names are short and of one kind, bodies are not.
_B = {"title": 0.3, "names": 0.3, "field": 0.0, "agency": 0.0, "details": 0.6, "body": 0.75}


@dataclass(frozen=True)
class KeywordIndex:
    """Postings of one way of writing (marked or bare).

    Attributes:
        parts: names of the parts, in the order of the score columns.
        size: number of entries.
        vocabulary: term to row.
        starts: row offsets into `columns` and `weights`, shape (terms + 1,).
        columns: entry × part, flattened.
        weights: BM25 weight of the term in that part of that entry, without the term's own idf.
        idf: inverse document frequency of each term.
    """

    parts: tuple[str, ...]
    size: int
    vocabulary: dict[str, int]
    starts: NDArray[np.int64]
    columns: NDArray[np.int32]
    weights: Floats
    idf: Floats

    @classmethod
    def build(cls, entries: Sequence[Mapping[str, list[str]]], parts: tuple[str, ...]) -> KeywordIndex:
        """Build the index of `entries`: for each one its terms by part."""
        lengths = {part: [len(entry[part]) for entry in entries] for part in parts}
        means = {part: max(1.0, sum(values) / max(1, len(values))) for part, values in lengths.items()}
        vocabulary: dict[str, int] = {}
        columns: list[list[int]] = []
        weights: list[list[float]] = []
        frequency: list[int] = []
        for number, entry in enumerate(entries):
            seen: set[int] = set()
            for position, part in enumerate(parts):
                norm = _K1 * (1 - _B.get(part, 0.5) + _B.get(part, 0.5) * lengths[part][number] / means[part])
                for term, count in Counter(entry[part]).items():
                    row = vocabulary.setdefault(term, len(vocabulary))
                    if row == len(columns):
                        columns.append([])
                        weights.append([])
                        frequency.append(0)
                    columns[row].append(number * len(parts) + position)
                    weights[row].append(count * (_K1 + 1) / (count + norm))
                    seen.add(row)
            for row in seen:
                frequency[row] += 1
        size = len(entries)
        return cls(
            parts=parts,
            size=size,
            vocabulary=vocabulary,
            starts=np.cumsum([0, *(len(row) for row in columns)], dtype=np.int64),
            columns=np.array([item for row in columns for item in row], dtype=np.int32),
            weights=np.array([item for row in weights for item in row], dtype=np.float32),
            idf=np.array([math.log(1 + (size - n + 0.5) / (n + 0.5)) for n in frequency], dtype=np.float32),
        )

    def scores(self, weighted_terms: Iterable[tuple[str, float]]) -> Floats:
        """Return the scores of all entries by part, shape (size, parts)."""
        total = np.zeros(self.size * len(self.parts), dtype=np.float32)
        for term, weight in weighted_terms:
            row = self.vocabulary.get(term)
            if row is None:
                continue
            begin, end = self.starts[row], self.starts[row + 1]
            total[self.columns[begin:end]] += (weight * self.idf[row]) * self.weights[begin:end]
        return total.reshape(self.size, len(self.parts))

    def idf_of(self, term: str) -> float:
        """Return how telling a term is; an unknown one is as telling as the rarest."""
        row = self.vocabulary.get(term)
        return float(self.idf[row]) if row is not None else math.log(1 + (self.size + 0.5) / 0.5)

    def save(self, folder: Path, name: str) -> None:
        """Write the index into `folder` as `name`.npz and `name`.json."""
        np.savez(
            folder / f"{name}.npz",
            starts=self.starts,
            columns=self.columns,
            weights=self.weights,
            idf=self.idf,
        )
        meta: dict[str, Any] = {"parts": self.parts, "size": self.size, "terms": list(self.vocabulary)}
        (folder / f"{name}.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str) -> KeywordIndex:
        """Read what `save` wrote."""
        meta = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
            return cls(
                parts=tuple(meta["parts"]),
                size=meta["size"],
                vocabulary={term: row for row, term in enumerate(meta["terms"])},
                starts=arrays["starts"],
                columns=arrays["columns"],
                weights=arrays["weights"],
                idf=arrays["idf"],
            )
