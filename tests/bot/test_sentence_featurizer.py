"""The featurizer: with and without marks, sentences only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rasa.engine.graph import ExecutionContext, GraphSchema
from rasa.engine.storage.local_model_storage import LocalModelStorage
from rasa.engine.storage.resource import Resource
from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, FEATURE_TYPE_SEQUENCE, TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot.components.sentence_featurizer import SentenceFeaturizer
from bot.components.vietnamese_tokenizer import VietnameseTokenizer

PHRASES = ["lệ phí khai sinh bao nhiêu", "đường hỏng trước nhà", "mã hồ sơ của tôi", "má tôi bị ốm"]


def read(text: str) -> Message:
    message = Message(data={TEXT: text})
    VietnameseTokenizer(VietnameseTokenizer.get_default_config()).process([message])
    return message


@pytest.fixture
def make(tmp_path: Path):
    def make_one(**config: object) -> SentenceFeaturizer:
        made = SentenceFeaturizer.create(
            {**SentenceFeaturizer.get_default_config(), **config},
            LocalModelStorage(tmp_path),
            Resource("featurizer"),
            ExecutionContext(GraphSchema({})),
        )
        made.train(TrainingData([read(phrase) for phrase in PHRASES]))
        return made

    return make_one


def counts(featurizer: SentenceFeaturizer, text: str) -> np.ndarray:
    message = read(text)
    featurizer.process([message])
    (features,) = [item for item in message.features if item.type == FEATURE_TYPE_SENTENCE]
    assert not [item for item in message.features if item.type == FEATURE_TYPE_SEQUENCE]
    return features.features.toarray()[0]


def test_without_marks_both_ways_of_typing_are_one(make):
    featurizer = make(marks=False)
    assert counts(featurizer, "đường hỏng").sum() > 0
    np.testing.assert_array_equal(counts(featurizer, "đường hỏng"), counts(featurizer, "duong hong"))


def test_with_marks_they_differ(make):
    featurizer = make()
    assert (counts(featurizer, "má tôi") != counts(featurizer, "mã tôi")).any()


def test_unknown_words_give_an_empty_row_not_none(make):
    assert counts(make(), "zzz").sum() == 0
