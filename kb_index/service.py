"""The knowledge base as the rest of the application sees it: open it, search it, get an entry from it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from database.clock import Clock, SystemClock, local
from database.engine import Database
from kb_index.building import build, build_lock, fingerprint
from kb_index.embedding import Encoder
from kb_index.features import FeatureMaker
from kb_index.fitting import fit_ranker, read_questions
from kb_index.index import SearchIndex
from kb_index.lexicon import Lexicon
from kb_index.merging import merge
from kb_index.names import load_names
from kb_index.query import read_query
from kb_index.ranker import Ranker
from kb_index.repository import KbRepository
from kb_index.schemas import Article, Kind, Procedure
from kb_index.texts import forget_texts, texts_of
from kb_index.versions import IndexDamagedError, Version, Versions
from telemetry.metrics import search_seconds
from telemetry.timing import timed

logger = logging.getLogger(__name__)

# Longer messages are cut for search: a question does not grow with its story.
_MAX_QUESTION = 1000


@dataclass(frozen=True)
class Hit:
    """One entry found. `confidence` is the probability that it is the one meant, 0 to 1."""

    code: str
    kind: Kind
    title: str
    short_name: str
    score: float
    confidence: float


@dataclass(frozen=True)
class SearchResult:
    """What a search found, best first.

    Attributes:
        hits: the entries found.
        confidence: calibrated probability that `hits[0]` is right, 0 to 1.
        near: calibrated probability that one of the first three is, 0 to 1.
    """

    hits: list[Hit]
    confidence: float
    near: float = 0.0


@dataclass(frozen=True)
class _Snapshot:
    """Everything a search reads, of one version; replaced whole by the next."""

    number: int
    entries: dict[str, Procedure | Article]
    index: SearchIndex
    maker: FeatureMaker
    ranker: Ranker
    lexicon: Lexicon
    encoder: Encoder
    barred_by_day: dict[date, frozenset[int]] = field(default_factory=dict)

    def barred(self, today: date) -> frozenset[int]:
        """Return the numbers of the entries that may not answer today; found once a day."""
        found = self.barred_by_day.get(today)
        if found is None:
            found = frozenset(
                number
                for number, texts in enumerate(self.index.entries)
                if (entry := self.entries.get(texts.key)) is None or not entry.is_effective(today)
            )
            self.barred_by_day.clear()
            self.barred_by_day[today] = found
        return found


class KnowledgeBase:
    """The knowledge base of an instance; searching and getting are safe from several threads."""

    def __init__(
        self,
        database: Database,
        data_dir: Path,
        embedding_model: str | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._data_dir = data_dir
        self._embedding_model = embedding_model or None
        self._clock: Clock = clock or SystemClock()
        self._versions = Versions(data_dir)
        self._snapshot: _Snapshot | None = None

    @classmethod
    async def open(
        cls,
        database: Database,
        data_dir: Path,
        embedding_model: str | None = None,
        clock: Clock | None = None,
    ) -> KnowledgeBase:
        """Load the live index; a missing or damaged one, or one of another model, is built first.

        Args:
            database: the instance's database, its tables created.
            data_dir: the instance's folder.
            embedding_model: a sentence-transformers model, a folder or a name on the hub; None: our own.
            clock: tells which entries are in force.

        Raises:
            EmbeddingUnavailableError: the embedding model cannot be loaded.
        """
        base = cls(database, data_dir, embedding_model, clock)
        entries = await read_entries(database)
        try:
            version = base._versions.current()
            if version.manifest.get("embedding") != base._embedding_model:
                raise IndexDamagedError("the index was built with another embedding model")
            base._snapshot = await asyncio.to_thread(_load, version, entries)
        except (IndexDamagedError, OSError, ValueError, KeyError) as error:
            logger.warning("building the search index: %s", error)
            await rebuild(database, data_dir, base._embedding_model)
            base._snapshot = await asyncio.to_thread(_load, base._versions.current(), entries)
        return base

    @property
    def version(self) -> int:
        """Return the number of the index version that answers now."""
        return self._state.number

    @property
    def size(self) -> int:
        """Return how many entries there are, in force or not."""
        return len(self._state.entries)

    @timed("search", search_seconds)
    def search(self, text: str, *, limit: int = 10, without: frozenset[str] = frozenset()) -> SearchResult:
        """Return the entries that `text` may be about, best first; expired ones never.

        Args:
            text: as typed, or canonical.
            limit: at most so many hits.
            without: keys of entries to leave out, as if the base did not have them.
        """
        state = self._state
        barred = state.barred(self._today())
        if without:
            barred |= {number for number, texts in enumerate(state.index.entries) if texts.key in without}
        query = read_query(text[:_MAX_QUESTION], state.lexicon, state.maker.vocabulary)
        chosen, features = state.maker.candidates(query, barred)
        if not chosen:
            return SearchResult([], 0.0)
        scores = state.ranker.scores(features)
        order = sorted(range(len(chosen)), key=lambda item: (-float(scores[item]), chosen[item]))
        confidence, near = state.ranker.confidences(features, scores, order)
        shares = np.exp(scores - scores.max())
        shares /= shares.sum()
        hits = []
        for place, item in enumerate(order[:limit]):
            entry = state.entries[state.index.entries[chosen[item]].key]
            # What the first does not have is left to the others, in proportion.
            rest = (1 - confidence) * float(shares[item]) / max(1e-9, 1 - float(shares[order[0]]))
            hits.append(
                Hit(
                    code=entry.key,
                    kind=entry.kind,
                    title=entry.title,
                    short_name=entry.name,
                    score=float(scores[item]),
                    confidence=confidence if place == 0 else min(confidence, rest),
                )
            )
        return SearchResult(hits, confidence, near)

    def get(self, code: str) -> Procedure | Article | None:
        """Return the entry with this code or id; None when there is none, or it is not in force."""
        entry = self._state.entries.get(code)
        return entry if entry is not None and entry.is_effective(self._today()) else None

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return the unit vectors of texts, read as search reads a question; shape (texts, dimensions)."""
        state = self._state
        questions = [
            read_query(text[:_MAX_QUESTION], state.lexicon, state.maker.vocabulary) for text in texts
        ]
        # Of a text that only greets or fills search encodes nothing; it is encoded as it stands.
        read = [next(iter(query.variants), text) for query, text in zip(questions, texts, strict=True)]
        return state.encoder.encode(read)

    async def refresh(self) -> bool:
        """Swap in a newer index version if one was built; return whether that happened.

        A version that turns out damaged is not taken; the one that answers now goes on.
        """
        try:
            number = self._versions.current_number()
            if number is None or number == self._state.number:
                return False
            entries = await read_entries(self._database)
            version = await asyncio.to_thread(self._versions.current)
            self._snapshot = await asyncio.to_thread(_load, version, entries)
        except (IndexDamagedError, OSError, ValueError, KeyError) as error:
            logger.error("the new search index cannot be used, the old one stays: %s", error)
            return False
        logger.info("search index %d is live", self._state.number)
        return True

    @property
    def _state(self) -> _Snapshot:
        assert self._snapshot is not None, "KnowledgeBase.open() makes one that can be searched"
        return self._snapshot

    def _today(self) -> date:
        return local(self._clock.now()).date()


async def read_entries(database: Database) -> dict[str, Procedure | Article]:
    """Return all merged entries of the store by key."""
    async with database.read() as session:
        layers = await KbRepository(session).layers()
    return await asyncio.to_thread(lambda: merge(layers, load_names()))


async def rebuild(
    database: Database, data_dir: Path, embedding_model: str | None = None, *, force_training: bool = False
) -> int:
    """Build a new index version from the store beside the live one, and return its number.

    Raises:
        BuildBusyError: another process is building.
        EmbeddingUnavailableError: the embedding model cannot be loaded.
    """
    entries = list((await read_entries(database)).values())

    def work() -> int:
        with build_lock(data_dir):
            return build(entries, data_dir, embedding_model, force_training=force_training).version

    return await asyncio.to_thread(work)


async def fit(database: Database, data_dir: Path, embedding_model: str | None = None) -> Ranker:
    """Fit a ranker on the store's entries and our own questions, with the embedding that is live.

    Raises:
        TooFewQuestionsError: hardly any question is about these entries.
        IndexDamagedError: there is no live index.
        EmbeddingUnavailableError: the embedding model cannot be loaded.
    """
    entries = list((await read_entries(database)).values())

    def work() -> Ranker:
        encoder = Encoder(embedding_model or str(Versions(data_dir).current().folder / "embedding"))
        texts = [texts_of(entry) for entry in entries]
        return fit_ranker(texts, encoder, Lexicon.load(), read_questions())

    return await asyncio.to_thread(work)


async def is_current(database: Database, data_dir: Path, embedding_model: str | None = None) -> bool:
    """Return whether the live index was built from what is stored now."""
    entries = list((await read_entries(database)).values())
    try:
        version = Versions(data_dir).current()
    except IndexDamagedError:
        return False
    return bool(version.manifest.get("fingerprint") == fingerprint(entries, embedding_model))


def _load(version: Version, entries: dict[str, Procedure | Article]) -> _Snapshot:
    own = version.folder / "embedding"
    encoder = Encoder(version.manifest["embedding"] or str(own))
    index = SearchIndex.load(version.folder)
    maker = FeatureMaker(index, encoder)
    maker.warm()
    forget_texts()
    return _Snapshot(
        number=version.number,
        entries=entries,
        index=index,
        maker=maker,
        ranker=Ranker.load(version.folder / "ranker.json"),
        lexicon=Lexicon.load(),
        encoder=encoder,
    )
