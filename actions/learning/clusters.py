"""Puts texts that mean much the same together, by the embedding of the instance."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.cluster import AgglomerativeClustering

Vectors = NDArray[np.float32]

DISTANCE = 0.45
"""Mean cosine distance up to which two groups of texts are one."""

MOST = 2_000
"""Texts clustered at once: the work grows with their square."""

_CLOSER = 0.6


def clusters(vectors: Vectors, weights: Sequence[int], distance: float = DISTANCE) -> list[list[int]]:
    """Return groups of row numbers, the most frequently said first; within a group the most typical first.

    Args:
        vectors: unit vectors, shape (texts, dimensions).
        weights: how often each text was said.
        distance: mean cosine distance up to which groups are put together.
    """
    if len(vectors) < 2:
        return [[row] for row in range(len(vectors))]
    # A text without a known word has no direction; any will do.
    empty = ~np.any(vectors, axis=1)
    shown = vectors.copy()
    shown[empty, 0] = 1.0
    labels = AgglomerativeClustering(
        n_clusters=None, distance_threshold=distance, metric="cosine", linkage="average"
    ).fit_predict(shown)
    groups: dict[int, list[int]] = {}
    for row, label in enumerate(labels):
        groups.setdefault(int(label), []).append(row)
    found = [_typical_first(vectors, rows, weights) for rows in groups.values()]
    return sorted(found, key=lambda rows: (-sum(weights[row] for row in rows), rows))


def split(vectors: Vectors, weights: Sequence[int], distance: float = DISTANCE) -> list[list[int]]:
    """Return the smaller groups that a group falls into; single texts where nothing closer holds them."""
    while distance > 0.05:
        distance *= _CLOSER
        groups = clusters(vectors, weights, distance)
        if len(groups) > 1:
            return groups
    return [[row] for row in range(len(vectors))]


def centre(vectors: Vectors, weights: Sequence[int]) -> Vectors:
    """Return the unit vector in the middle of a group."""
    mean = np.average(vectors, axis=0, weights=np.asarray(weights, dtype=np.float64))
    length = float(np.linalg.norm(mean))
    return np.asarray(mean / length if length > 0 else mean, dtype=np.float32)


def _typical_first(vectors: Vectors, rows: list[int], weights: Sequence[int]) -> list[int]:
    middle = centre(vectors[rows], [weights[row] for row in rows])
    return sorted(rows, key=lambda row: (-float(vectors[row] @ middle), row))
