"""What the comparison of models rests on: restored marks, the embedding read without torch, shares."""

from __future__ import annotations

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from bot.compare import shares
from bot.evaluate import Row
from bot.restoring import Restorer
from bot.static_embedding import StaticEmbedding


@pytest.fixture
def embedding(tmp_path):
    model = {
        "vocab": {"[UNK]": 0, "p": 1, "h": 2, "i": 3, "ph": 4, "phi": 5, "l": 6},
        "merges": [["p", "h"], ["ph", "i"]],
        "unk_token": "[UNK]",
    }
    (tmp_path / "tokenizer.json").write_text(json.dumps({"model": model}), encoding="utf-8")
    save_file({"embedding.weight": np.eye(7, dtype=np.float32)}, str(tmp_path / "model.safetensors"))
    return StaticEmbedding(tmp_path)


def test_marks_are_restored_by_what_stands_before():
    restore = Restorer(["lệ phí khai sinh", "phi cơ", "đóng lệ phí", "nop le phi"])
    assert restore("Le phi, khai sinh 2026?") == "lệ phí, khai sinh 2026?"
    assert restore("phi co") == "phi cơ"


def test_unknown_and_marked_words_stay_as_they_are():
    assert Restorer(["lệ phí"])("zalo lễ phi") == "zalo lễ phí"
    assert Restorer([])("") == ""


def test_pieces_are_merged_and_their_mean_has_length_one(embedding):
    vector = embedding.encode("Phí lx")
    assert vector[0, [5, 6, 0]] == pytest.approx([3**-0.5] * 3)
    np.testing.assert_array_equal(vector, embedding.encode("phi lx"))


def test_no_words_give_a_vector_all_the_same(embedding):
    assert np.linalg.norm(embedding.encode("")) == pytest.approx(1.0)


def test_the_group_may_be_right_where_the_intent_is_not():
    row = Row("hết bao nhiêu", ("ask_fee",), "normal")
    assert shares([row, row, row], ["ask_fee", "ask_time", "greet"]) == pytest.approx((1 / 3, 2 / 3))
