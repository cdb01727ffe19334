from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb_index.keyword import KeywordIndex
from kb_index.lexicon import Lexicon
from kb_index.noise import noisy
from kb_index.query import read_query
from kb_index.schemas import Fee, LexiconTerm, Procedure, ProcessingTime
from kb_index.sounds import sound_key
from kb_index.texts import bare, terms

PARTS = ("title", "names")


@pytest.mark.parametrize(
    ("one", "other"),
    [("sang", "xang"), ("chứng", "chứn"), ("sổ", "sỗ"), ("giấy", "dấy"), ("trích", "chích"), ("ký", "kí")],
)
def test_spellings_that_sound_alike_share_a_key(one: str, other: str) -> None:
    assert sound_key(one) == sound_key(other)


@given(st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=1, max_size=8))
def test_a_sound_key_is_stable_under_marks(word: str) -> None:
    assert sound_key(word) == sound_key(word.lower())


def test_keyword_scores_by_part_survive_saving(tmp_path: Path) -> None:
    entries = [{"title": ["a", "b"], "names": []}, {"title": ["b"], "names": ["a", "a"]}]
    index = KeywordIndex.build(entries, PARTS)
    scores = index.scores([("a", 1.0), ("unknown", 1.0)])
    assert scores.shape == (2, 2)
    assert scores[0, 0] > 0
    assert scores[1, 0] == 0
    assert scores[1, 1] > 0
    index.save(tmp_path, "x")
    assert np.array_equal(KeywordIndex.load(tmp_path, "x").scores([("a", 1.0)]), scores)


def test_terms_are_words_and_pairs() -> None:
    assert terms(["khai", "sinh"]) == ["khai", "sinh", "khai_sinh"]
    assert bare(["hai", "Đường", "01"]) == ["2", "Duong", "1"]


def test_the_lexicon_expands_a_question_and_keeps_marks_apart() -> None:
    lexicon = Lexicon([LexiconTerm(term="sổ đỏ", means=["giấy chứng nhận quyền sử dụng đất"])])
    for text in ("làm sổ đỏ", "lam so do"):
        query = read_query(text, lexicon)
        assert len(query.meanings) == 1
        assert "chung_nhan" in dict(query.terms)
    assert read_query("sợ đò", lexicon).meanings == ()


def test_words_that_only_ask_weigh_little() -> None:
    query = read_query("đăng ký kết hôn hết bao nhiêu tiền", Lexicon([]))
    weights = dict(zip(query.words, query.weights, strict=True))
    assert weights["hôn"] == 1.0
    assert weights["tiền"] < 0.5


def test_noise_is_reproducible() -> None:
    texts = [noisy("đăng ký khai sinh cho con", random.Random(5)) for _ in range(2)]
    assert texts[0] == texts[1]
    assert texts[0] != "đăng ký khai sinh cho con"


def test_values_that_say_nothing_are_refused() -> None:
    with pytest.raises(ValueError, match="amount"):
        Fee()
    with pytest.raises(ValueError, match="go together"):
        ProcessingTime(value=3)
    with pytest.raises(ValueError, match="lies before"):
        Procedure.model_validate(
            {
                "code": "9.1",
                "title": "A",
                "field": "B",
                "source": {"name": "C"},
                "checked_on": "2026-07-01",
                "effective_from": "2026-07-02",
                "effective_to": "2026-07-01",
            }
        )
