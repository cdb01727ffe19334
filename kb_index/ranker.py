"""The fitted part of search: a re-ranker over candidates, and how sure its first choice is."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from kb_index.features import FEATURES

Floats = NDArray[np.float32]

# Figures of the first candidate that say how well it fits, besides how it compares with the others.
_OF_FIRST = (
    "dense",
    "sound",
    "keyword",
    "article",
    "has_names",
    "query_in_title",
    "title_in_query",
    "query_in_names",
    "name_in_query",
    "query_in_all",
    "variant_missing",
    "variant_extra",
    "best_inside",
    "best_match",
    "title_match",
    "unexplained",
    "unnamed",
    "foreign_words",
    "foreign_weight",
    "pairs_in_title",
    "pairs_in_names",
    "unexplained_total",
    "unnamed_total",
    "question_total",
)
CONFIDENCE_FEATURES = ("best", "margin", "margin_third", "share", *_OF_FIRST)
# How many of the first candidates "near" is about: as many as are offered at once.
NEAR = 3
_FARTHEST = 5.0
_PLACES = [FEATURES.index(name) for name in _OF_FIRST]


@dataclass(frozen=True)
class Linear:
    """A fitted linear function of standardised figures."""

    means: Floats
    scales: Floats
    weights: Floats
    bias: float

    def __call__(self, rows: Floats) -> Floats:
        """Return one value a row."""
        values = ((rows - self.means) / self.scales) @ self.weights + self.bias
        return values.astype(np.float32)


@dataclass(frozen=True)
class Scorer:
    """A linear function of standardised figures and, beside it, one hidden layer of rectified units.

    Figures farther than `farthest` standard deviations from the mean count as that far: what the fit has not
    seen must not decide alone.
    """

    means: Floats
    scales: Floats
    weights: Floats
    hidden: Floats
    hidden_bias: Floats
    out: Floats
    farthest: float = 5.0

    def __call__(self, rows: Floats) -> Floats:
        """Return one value a row."""
        x = np.clip((rows - self.means) / self.scales, -self.farthest, self.farthest)
        units = np.maximum(x @ self.hidden + self.hidden_bias, 0.0)
        values: Floats = x @ self.weights + units @ self.out
        return values.astype(np.float32)


_Fitted = TypeVar("_Fitted", Linear, Scorer)


@dataclass(frozen=True)
class Ranker:
    """Scores candidates; says how probably the first is right, and how probably one of the first `NEAR`."""

    ranking: Scorer
    confidence: Linear
    near: Linear

    def scores(self, features: Floats) -> Floats:
        """Return the score of each candidate (higher is better); shape (candidates,)."""
        return self.ranking(features)

    def confidences(self, features: Floats, scores: Floats, order: Sequence[int]) -> tuple[float, float]:
        """Return how probably the first candidate in `order` is right, and one of the first `NEAR` is."""
        if not order:
            return 0.0, 0.0
        row = confidence_row(features, scores, order)[None, :]
        first = _probability(float(self.confidence(row)[0]))
        return first, max(first, _probability(float(self.near(row)[0])))

    def save(self, file: Path) -> None:
        """Write the fitted figures as JSON."""
        content = {
            "features": list(FEATURES),
            "confidence_features": list(CONFIDENCE_FEATURES),
            "ranking": _plain(self.ranking),
            "confidence": _plain(self.confidence),
            "near": _plain(self.near),
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, file: Path) -> Ranker:
        """Read what `save` wrote.

        Raises:
            ValueError: the file was fitted on other features.
        """
        content = json.loads(file.read_text(encoding="utf-8"))
        same = content["features"] == list(FEATURES)
        if not same or content["confidence_features"] != list(CONFIDENCE_FEATURES):
            raise ValueError("the ranker was fitted on other features")
        return cls(
            _read(Scorer, content["ranking"]),
            _read(Linear, content["confidence"]),
            _read(Linear, content["near"]),
        )


def confidence_row(features: Floats, scores: Floats, order: Sequence[int]) -> Floats:
    """Return the figures the confidence is read from, for candidates in the order of their scores."""
    best = float(scores[order[0]])
    share = float(1 / np.exp(scores - best).sum())
    compared = [best, _margin(scores, order, 1), _margin(scores, order, 2), share]
    return np.concatenate([np.array(compared, dtype=np.float32), features[order[0], _PLACES]])


def _probability(value: float) -> float:
    return 1 / (1 + math.exp(-max(-30.0, min(30.0, value))))


def _margin(scores: Floats, order: Sequence[int], place: int) -> float:
    """Return how far the candidate at `place` is behind the first."""
    if len(order) <= place:
        return _FARTHEST
    return min(float(scores[order[0]]) - float(scores[order[place]]), _FARTHEST)


def _plain(fitted: Linear | Scorer) -> dict[str, Any]:
    """Return the numbers of a fitted function, to seven digits: more says nothing."""
    return {
        name: np.vectorize(lambda number: float(f"{number:.7g}"), otypes=[float])(value).tolist()
        for name, value in asdict(fitted).items()
    }


def _read(kind: type[_Fitted], content: dict[str, Any]) -> _Fitted:
    values: dict[str, Any] = {
        name: np.array(value, dtype=np.float32) if isinstance(value, list) else float(value)
        for name, value in content.items()
    }
    return kind(**values)
