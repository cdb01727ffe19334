"""Builds what search needs from the store: the trained embedding and the index version."""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import shutil
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kb_index.embedding import Encoder
from kb_index.features import FEATURES
from kb_index.fitting import PACKAGED
from kb_index.index import FORMAT, SearchIndex
from kb_index.lexicon import STARTER_LEXICON, Lexicon
from kb_index.ranker import Ranker
from kb_index.schemas import Article, Procedure
from kb_index.texts import EntryTexts, forget_texts, texts_of
from kb_index.training import make_pairs, train_embedding
from kb_index.versions import Versions

logger = logging.getLogger(__name__)

# From this share of new or changed entries on, the embedding is trained anew.
_SUBSTANTIAL = 0.05
_TRAINED_ON = "trained_on.json"


class BuildBusyError(RuntimeError):
    """Another process is importing into or building the same instance."""


@dataclass(frozen=True)
class BuildResult:
    """What a build did: the version number, whether the embedding was trained, seconds taken."""

    version: int
    trained: bool
    seconds: float


@contextmanager
def build_lock(data_dir: Path) -> Iterator[None]:
    """Hold the instance's build lock; the operating system frees it when the process dies.

    Raises:
        BuildBusyError: another process holds it.
    """
    (data_dir / "kb").mkdir(parents=True, exist_ok=True)
    with (data_dir / "kb" / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise BuildBusyError("another import or build is running on this data folder") from error
        yield


def own_model(data_dir: Path) -> Path:
    """Return the folder of the instance's own embedding."""
    return data_dir / "models" / "embedding"


def own_ranker(data_dir: Path) -> Path:
    """Return where an instance's own ranker is, if it has one."""
    return data_dir / "models" / "ranker.json"


def load_ranker(data_dir: Path) -> Ranker:
    """Return the instance's own ranker, else the one that comes with the package.

    An own one that was fitted on other figures than this version's is left aside.
    """
    file = own_ranker(data_dir)
    if file.is_file():
        try:
            return Ranker.load(file)
        except (ValueError, KeyError, TypeError) as error:
            logger.warning("the instance's own ranker cannot be used, the package's is: %s", error)
    return Ranker.load(PACKAGED)


def build(
    entries: Sequence[Procedure | Article],
    data_dir: Path,
    embedding_model: str | None = None,
    *,
    force_training: bool = False,
) -> BuildResult:
    """Train where needed, index, and publish a new version. The caller holds the build lock.

    Args:
        entries: the merged entries.
        data_dir: the instance's folder.
        embedding_model: a model to use in place of the instance's own.
        force_training: train the own embedding even where little has changed.
    """
    started = time.monotonic()
    texts = [texts_of(entry) for entry in entries]
    lexicon = Lexicon.load()
    trained = embedding_model is None and _train(texts, lexicon, own_model(data_dir), force_training)
    name = embedding_model or str(own_model(data_dir))
    encoder = Encoder(name)
    ranker = load_ranker(data_dir)
    logger.info("indexing %d entries", len(texts))
    index = SearchIndex.build(texts, encoder)
    forget_texts()

    def write(folder: Path) -> dict[str, Any]:
        index.save(folder)
        ranker.save(folder / "ranker.json")
        if embedding_model is None:
            # The version carries the embedding its vectors were made with.
            shutil.copytree(own_model(data_dir), folder / "embedding")
        return {
            "embedding": embedding_model,
            "entries": len(texts),
            "fingerprint": fingerprint(entries, embedding_model),
        }

    version = Versions(data_dir).publish(write)
    seconds = time.monotonic() - started
    logger.info("index %d of %d entries is live after %.1f s", version, len(texts), seconds)
    return BuildResult(version, trained, seconds)


def fingerprint(entries: Sequence[Procedure | Article], embedding_model: str | None) -> str:
    """Return a hash of everything an index is made from: when it differs, the index is out of date."""
    digest = hashlib.sha256(f"{FORMAT}|{embedding_model}|{','.join(FEATURES)}".encode())
    for entry in entries:
        digest.update(entry.model_dump_json(exclude_defaults=True).encode())
    for file in (STARTER_LEXICON, PACKAGED):
        if file.is_file():
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _train(texts: Sequence[EntryTexts], lexicon: Lexicon, folder: Path, force: bool) -> bool:
    """Train the embedding when there is none, when asked to, or when the base changed substantially."""
    marks = {text.key: _mark(f"{text.title}|{'|'.join(text.names)}") for text in texts}
    terms = _mark("".join(entry.model_dump_json() for entry in lexicon.entries))
    if not force and not _changed_substantially(folder, marks, terms):
        logger.info("the embedding is up to date")
        return False
    pairs = make_pairs(texts, lexicon)
    if not pairs:
        # A base of one or two bare titles: the titles themselves are all there is to learn from.
        pairs = [(text.title.lower(), text.title) for text in texts] or [("thủ tục", "thủ tục hành chính")]
    logger.info("training the embedding on %d pairs", len(pairs))
    train_embedding(pairs, [text.body for text in texts], folder)
    (folder / _TRAINED_ON).write_text(json.dumps({"entries": marks, "lexicon": terms}), encoding="utf-8")
    return True


def _changed_substantially(folder: Path, marks: dict[str, str], terms: str) -> bool:
    try:
        before = json.loads((folder / _TRAINED_ON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return True
    changed = sum(before["entries"].get(key) != mark for key, mark in marks.items())
    return bool(before["lexicon"] != terms) or changed > _SUBSTANTIAL * max(1, len(marks))


def _mark(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
