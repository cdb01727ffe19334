"""The search index of a set of entries: built, saved, loaded, and read by many threads."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from kb_index.embedding import Encoder
from kb_index.keyword import KeywordIndex
from kb_index.texts import PARTS, EntryTexts, bare, sounds, syllables, terms

FORMAT = 2
# Sounds are only compared where an entry is named.
_NAMING_PARTS = ("title", "names")
_VECTORS_SEARCHED = 160

# One thread: the index is small, and the machine has other things to do.
faiss.omp_set_num_threads(1)


@dataclass
class SearchIndex:
    """Everything search needs of a set of entries.

    Attributes:
        entries: what is indexed, in the order of the scores.
        bare, sound: keyword indexes of words without marks, and by how they sound.
        vectors: FAISS index of titles and names.
        owners: for each vector the number of its entry.
    """

    entries: list[EntryTexts]
    bare: KeywordIndex
    sound: KeywordIndex
    vectors: Any
    owners: NDArray[np.int32]

    @classmethod
    def build(cls, entries: Sequence[EntryTexts], encoder: Encoder) -> SearchIndex:
        """Index `entries`, in the order given."""
        words = [{part: syllables(entry.part(part)) for part in PARTS} for entry in entries]
        texts: list[str] = []
        owners: list[int] = []
        for number, entry in enumerate(entries):
            for text in dict.fromkeys([entry.title, *entry.names]):
                texts.append(" ".join(syllables(text)))
                owners.append(number)
        vectors = faiss.IndexFlatIP(encoder.dimensions)
        if texts:
            vectors.add(encoder.encode(texts))
        return cls(
            entries=list(entries),
            bare=KeywordIndex.build(
                [{k: terms(bare(v)) for k, v in entry.items()} for entry in words], PARTS
            ),
            sound=KeywordIndex.build(
                [{part: sounds(entry[part]) for part in _NAMING_PARTS} for entry in words], _NAMING_PARTS
            ),
            vectors=vectors,
            owners=np.array(owners, dtype=np.int32),
        )

    def dense_scores(self, vectors: NDArray[np.float32]) -> dict[int, float]:
        """Return the best cosine of any query vector with any vector of an entry, for the nearest entries."""
        if self.vectors.ntotal == 0:
            return {}
        scores, found = self.vectors.search(vectors, min(_VECTORS_SEARCHED, self.vectors.ntotal))
        best: dict[int, float] = {}
        for row_scores, row in zip(scores, found, strict=True):
            for score, vector in zip(row_scores.tolist(), row.tolist(), strict=True):
                owner = int(self.owners[vector])
                if score > best.get(owner, -1.0):
                    best[owner] = score
        return best

    def save(self, folder: Path) -> None:
        """Write the index into an existing, empty folder."""
        self.bare.save(folder, "bare")
        self.sound.save(folder, "sound")
        faiss.write_index(self.vectors, str(folder / "vectors.faiss"))
        np.save(folder / "owners.npy", self.owners)
        content = [asdict(entry) for entry in self.entries]
        (folder / "entries.json").write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> SearchIndex:
        """Read what `save` wrote."""
        content = json.loads((folder / "entries.json").read_text(encoding="utf-8"))
        tuples = ("names", "not_meant", "levels")
        return cls(
            entries=[EntryTexts(**{**item, **{key: tuple(item[key]) for key in tuples}}) for item in content],
            bare=KeywordIndex.load(folder, "bare"),
            sound=KeywordIndex.load(folder, "sound"),
            vectors=faiss.read_index(str(folder / "vectors.faiss")),
            owners=np.load(folder / "owners.npy", allow_pickle=False),
        )
