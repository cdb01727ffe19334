"""Rasa tokenizer for Vietnamese: words by underthesea, places in the text as typed, canonical lemmas."""

from __future__ import annotations

from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.tokenizers.tokenizer import Token, Tokenizer
from rasa.shared.nlu.training_data.message import Message
from underthesea import word_tokenize

from bot.components.alignment import align


def segment(sentence: str) -> list[str]:
    """Cut a canonical sentence into words; a word may hold spaces ("khai sinh").

    underthesea's own normalisation stays off: it changes letters ("Hoà") and with them every offset.
    """
    words: list[str] = word_tokenize(sentence, use_token_normalize=False)
    return words


@DefaultV1Recipe.register([DefaultV1Recipe.ComponentType.MESSAGE_TOKENIZER], is_trainable=False)
class VietnameseTokenizer(Tokenizer):
    """Cuts a message into words.

    `text`, `start` and `end` of a token lie in the message as typed. Its `lemma` is the canonical form
    (marks placed one way, Telex decoded, chat spelling expanded, lower case), which CountVectorsFeaturizer
    reads, so that "thur tucj", "Thủ tục" and NFD text give the same features. A message without any letter
    or digit (emoji, punctuation) is one token: the featurizers need at least one.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the component's default config (see parent class)."""
        return {
            "intent_tokenization_flag": False,
            "intent_split_symbol": "_",
            "token_pattern": None,
            "prefix_separator_symbol": None,
        }

    def tokenize(self, message: Message, attribute: str) -> list[Token]:
        """Tokenize the text of `attribute` of `message`."""
        text = message.get(attribute) or ""
        tokens = [
            Token(text[word.start : word.end], word.start, word.end, lemma=word.canonical)
            for word in align(text, segment)
        ]
        return tokens or [Token(text, 0, len(text))]
