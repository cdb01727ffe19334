"""Sentence embeddings: loading a sentence-transformers model and encoding texts with it."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

logger = logging.getLogger(__name__)


class EmbeddingUnavailableError(RuntimeError):
    """The embedding model cannot be loaded; the message says which and why."""


class Encoder:
    """Encodes texts to unit vectors; reading from several threads is safe.

    Args:
        name: a folder, or the name of a model on the hub.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._lock = threading.Lock()
        self._model = _load(name)

    @property
    def dimensions(self) -> int:
        """Return the length of a vector."""
        return int(self._model.get_embedding_dimension())

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit vectors, shape (texts, dimensions)."""
        if not texts:
            return np.zeros((0, self.dimensions), dtype=np.float32)
        with self._lock:
            vectors = self._model.encode(
                list(texts), batch_size=256, normalize_embeddings=True, show_progress_bar=False
            )
        return np.ascontiguousarray(vectors, dtype=np.float32)


def _load(name: str) -> Any:
    # Imported late: torch takes seconds, and the command line should answer --help without it.
    import torch
    from sentence_transformers import SentenceTransformer

    # Single sentences gain nothing from more threads, and threads that wait for each other cost the most when
    # the machine is busy.
    torch.set_num_threads(1)
    try:
        return SentenceTransformer(name, device="cpu")
    except Exception as error:
        where = "folder" if Path(name).exists() else "model"
        raise EmbeddingUnavailableError(f"cannot load the embedding {where} {name!r}: {error}") from error
