"""Reads an instance's trained embedding where neither torch nor tokenizers are installed, as beside Rasa."""

from __future__ import annotations

import json
import re
import unicodedata
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vntext.normalise import strip_marks

_PIECE = re.compile(r"\w+|[^\w\s]+")


class StaticEmbedding:
    """Cuts texts into pieces by BPE and takes the mean of their vectors; equal to what `kb_index` reads."""

    def __init__(self, folder: Path) -> None:
        from safetensors.numpy import load_file

        model = json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]
        self._rank = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}
        self._vocabulary: dict[str, int] = model["vocab"]
        self._unknown = self._vocabulary[model["unk_token"]]
        (self._vectors,) = load_file(folder / "model.safetensors").values()
        self._numbers = lru_cache(maxsize=100_000)(self._merge)

    @property
    def megabytes(self) -> float:
        """Return how much memory the vectors take."""
        return float(self._vectors.nbytes / 1e6)

    def _merge(self, word: str) -> list[int]:
        pieces = list(word)
        while len(pieces) > 1:
            ranks = [self._rank.get(pair, len(self._rank)) for pair in pairwise(pieces)]
            place = min(range(len(ranks)), key=ranks.__getitem__)
            if ranks[place] == len(self._rank):
                break
            pieces[place : place + 2] = ["".join(pieces[place : place + 2])]
        return [self._vocabulary.get(piece, self._unknown) for piece in pieces]

    def encode(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of `text`, shape (1, dimensions)."""
        plain_text = strip_marks(unicodedata.normalize("NFC", text).lower())
        numbers = [number for word in _PIECE.findall(plain_text) for number in self._numbers(word)]
        mean = self._vectors[numbers or [self._unknown]].mean(axis=0, keepdims=True)
        return (mean / max(1e-9, float(np.linalg.norm(mean)))).astype(np.float32)  # type: ignore[no-any-return]
