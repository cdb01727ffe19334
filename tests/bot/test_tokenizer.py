"""The tokenizer: words and lemmas of what people type, and where in the typed text they stand."""

from __future__ import annotations

import random
import unicodedata

import pytest
import yaml
from rasa.nlu.constants import TOKENS_NAMES
from rasa.shared.nlu.constants import TEXT
from rasa.shared.nlu.training_data.message import Message
from rasa.shared.nlu.training_data.training_data import TrainingData

from bot import variants
from bot.augment import ROOT, read
from bot.components.vietnamese_tokenizer import VietnameseTokenizer


@pytest.fixture(scope="module")
def tokenizer():
    return VietnameseTokenizer(VietnameseTokenizer.get_default_config())


def lemmas(tokenizer, text):
    return [token.lemma for token in tokenizer.tokenize(Message({TEXT: text}), TEXT)]


def assert_in_place(text, tokens):
    assert tokens
    end = 0
    for token in tokens:
        assert end <= token.start < token.end <= len(text) or text == ""
        assert text[token.start : token.end] == token.text
        end = token.end


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thủ tục khai sinh cần giấy tờ gì?", ["thủ tục", "khai sinh", "cần", "giấy tờ", "gì"]),
        ("thur tucj khai sinh", ["thủ tục", "khai sinh"]),
        ("", [""]),
        ("😀", ["😀"]),
        ("?!...", ["?!..."]),
    ],
)
def test_words_are_canonical(tokenizer, text, expected):
    assert lemmas(tokenizer, text) == expected


@pytest.mark.parametrize("text", ["Hoà Bình", "Thuỷ sản", "hoá đơn", "khoẻ không", "đăng ký kết hôn"])
def test_spellings_of_the_same_letters_give_the_same_words(tokenizer, text):
    expected = lemmas(tokenizer, text)
    assert lemmas(tokenizer, unicodedata.normalize("NFD", text)) == expected
    assert lemmas(tokenizer, text.upper()) == expected
    assert lemmas(tokenizer, f"  {text}\u200b ") == expected


def test_offsets_point_into_the_typed_text(tokenizer):
    text = "  Cho hỏi: GL-2026-000123 (đèn đường) ntn r 😀 ạ?"
    tokens = tokenizer.tokenize(Message({TEXT: text}), TEXT)
    assert_in_place(text, tokens)
    assert [token.text for token in tokens if token.lemma in ("hỏi", "đèn", "ạ")] == ["hỏi", "đèn", "ạ"]


def test_offsets_are_right_for_everything_people_write(tokenizer):
    generator = random.Random(7)
    phrases = [phrase for phrases in read(ROOT / "nlu_data").written.values() for phrase in phrases]
    for phrase in generator.sample(phrases, 1000):
        kinds = (variants.in_telex, variants.with_mistakes, variants.in_chat_spelling)
        for text in (
            phrase,
            generator.choice(kinds)(phrase, generator),
            variants.without_marks(phrase),
            unicodedata.normalize("NFD", phrase),
        ):
            assert_in_place(text, tokenizer.tokenize(Message({TEXT: text}), TEXT))


def test_offsets_are_right_for_noise(tokenizer):
    generator = random.Random(11)
    letters = "aăâđêôơưạẢ k0123 .,/-?!\n\t\u200b\u0301\u0323ǆ😀ß中Ωع_'\"()[]{}"
    for _ in range(1000):
        text = "".join(generator.choice(letters) for _ in range(generator.randrange(1, 60)))
        assert_in_place(text, tokenizer.tokenize(Message({TEXT: text}), TEXT))


def test_training_and_serving_give_the_same_tokens(tokenizer):
    texts = ["Thur tucj khai sinh", "hoà giải ở cơ sở", "k biết hỏi ai"]
    trained = TrainingData([Message({TEXT: text}) for text in texts])
    tokenizer.process_training_data(trained)
    served = tokenizer.process([Message({TEXT: text}) for text in texts])
    name = TOKENS_NAMES[TEXT]
    assert [m.get(name) for m in trained.training_examples] == [m.get(name) for m in served]


def test_the_configured_tokenizer_is_this_one():
    config = yaml.safe_load((ROOT / "config.yml").read_text(encoding="utf-8"))
    assert config["language"] == "vi"
    assert config["pipeline"][0]["name"] == f"{VietnameseTokenizer.__module__}.VietnameseTokenizer"
