"""Rasa featurizer: counts of a sentence's words or letter groups, with marks or without them.

Rasa's own also makes a row for every word, which no classifier of ours reads and which takes most of its time
and memory. And it cannot leave marks out: `strip_accents` of scikit-learn keeps the "đ".
"""

from __future__ import annotations

from typing import Any

from rasa.engine.recipes.default_recipe import DefaultV1Recipe
from rasa.nlu.featurizers.sparse_featurizer.count_vectors_featurizer import CountVectorsFeaturizer
from rasa.shared.nlu.constants import TEXT
from scipy.sparse import spmatrix

from vntext.normalise import strip_marks


@DefaultV1Recipe.register(DefaultV1Recipe.ComponentType.MESSAGE_FEATURIZER, is_trainable=True)
class SentenceFeaturizer(CountVectorsFeaturizer):
    """Counts what a sentence holds.

    Config, besides that of the parent class: `marks`; false reads "lệ phí" and "le phi" as one.
    """

    @staticmethod
    def get_default_config() -> dict[str, Any]:
        """Return the component's default config (see parent class)."""
        return {**CountVectorsFeaturizer.get_default_config(), "marks": True}

    def _process_tokens(self, tokens: list[str], attribute: str = TEXT) -> list[str]:
        processed: list[str] = super()._process_tokens(tokens, attribute)
        return processed if self._config["marks"] else [strip_marks(token) for token in processed]

    def _create_features(
        self, attribute: str, all_tokens: list[list[str]]
    ) -> tuple[list[spmatrix | None], list[spmatrix | None]]:
        vectorizer = self.vectorizers.get(attribute) if self.vectorizers else None
        if vectorizer is None or attribute != TEXT:
            return [None] * len(all_tokens), [None] * len(all_tokens)
        sentences: list[spmatrix | None] = []
        for tokens in all_tokens:
            if not tokens:
                sentences.append(None)
                continue
            counts = vectorizer.transform([" ".join(tokens)])
            counts.sort_indices()
            sentences.append(counts.tocoo())
        return [None] * len(all_tokens), sentences
