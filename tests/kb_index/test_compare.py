"""What the comparison of ways to search rests on: recall and reciprocal rank fusion."""

from __future__ import annotations

import numpy as np
import pytest

from kb_index.compare import by_figure, fused, recall
from kb_index.features import FEATURES
from kb_index.fitting import Case


def case(right: int, keyword: list[float], dense: list[float]) -> Case:
    features = np.zeros((len(keyword), len(FEATURES)), dtype=np.float32)
    features[:, FEATURES.index("keyword")] = keyword
    features[:, FEATURES.index("dense")] = dense
    return Case(features, np.arange(len(keyword)) == right, 1.0, 0 <= right < len(keyword), 0)


def test_recall_counts_the_place_of_the_right_entry_and_what_is_not_found():
    cases = [case(0, [3, 2, 1, 0], [0] * 4), case(2, [3, 2, 1, 0], [0] * 4), case(-1, [1], [1])]
    assert recall(cases, by_figure("keyword")) == pytest.approx([1 / 3, 2 / 3, 2 / 3])


def test_what_both_find_comes_before_what_one_finds_best():
    both = 1
    found = case(both, [4, 3, 2, 1], [1, 3, 2, 4])
    assert fused(found).argmax() == both
    assert recall([found], fused) == [1.0, 1.0, 1.0]
