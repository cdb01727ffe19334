"""Compares ways of searching the base of an instance, on our own questions: for whoever changes search.

    python -m kb_index.compare [--only search|marks] [--data-dir var]

Prints Markdown tables (docs/MODELS.md): ranking and fusion, names and lexicon, embedding sizes, and unmarked
questions searched as they are against marks restored first (`bot.compare` restores them). A re-ranker is
always measured on questions that it was not fitted on. Times are processor time; a busy machine can double
them all the same. Nothing of the instance is changed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import random
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from database.engine import Database, sqlite_url
from kb_index.embedding import Encoder
from kb_index.features import FEATURES, FeatureMaker
from kb_index.fitting import EVALUATION, SEED, Case, Question, case_of, fit_ranking, generate, read_questions
from kb_index.index import SearchIndex
from kb_index.lexicon import Lexicon
from kb_index.query import Query, read_query
from kb_index.ranker import Scorer
from kb_index.service import read_entries
from kb_index.texts import EntryTexts, texts_of
from kb_index.training import DIMENSIONS, make_pairs, train_embedding

RESTORED = Path(__file__).parent.parent / ".build" / "compare" / "restored.jsonl"
FILES = ("procedures", "national", "articles")
SIZES = (64, 128, 256, 512)
_FIRST = (1, 3, 10)
_COST = ("ms, p50 / p95", "MB", "training s")
_TIMED = 200
_RECIPROCAL_RANK_OFFSET = 60.0

Score = Callable[[Case], NDArray[np.float32]]


@dataclass(frozen=True)
class Setup:
    """A base and a lexicon, the embedding trained on them, what that took and its size with its vectors."""

    entries: list[EntryTexts]
    lexicon: Lexicon
    encoder: Encoder
    index: SearchIndex
    seconds: float
    megabytes: float

    @classmethod
    def make(
        cls, entries: list[EntryTexts], lexicon: Lexicon, folder: Path, dimensions: int = DIMENSIONS
    ) -> Setup:
        """Train an embedding in `folder` and index `entries` with it."""
        started = time.process_time()
        train_embedding(make_pairs(entries, lexicon), [entry.body for entry in entries], folder, dimensions)
        seconds = time.process_time() - started
        encoder = Encoder(str(folder))
        index = SearchIndex.build(entries, encoder)
        size = sum(file.stat().st_size for file in folder.iterdir()) + index.vectors.ntotal * dimensions * 4
        return cls(entries, lexicon, encoder, index, seconds, size / 1e6)


class Trial:
    """Every question met by a setup, and re-rankers fitted for each fold of the questions on the others."""

    def __init__(self, setup: Setup, questions: Sequence[Question]) -> None:
        self.setup = setup
        self._numbers = {entry.key: number for number, entry in enumerate(setup.entries)}
        self.maker = FeatureMaker(setup.index, setup.encoder)
        self.maker.warm()
        kept, generated = generate(setup.entries, random.Random(SEED))  # noqa: S311 - no secrets
        fewer = FeatureMaker(SearchIndex.build(kept, setup.encoder), setup.encoder)
        self.cases = [self.case(question) for question in questions]
        self._generated = [case_of(item, fewer, self._numbers, setup.lexicon) for item in generated]

    def case(self, question: Question) -> Case:
        """Return the candidates of a question."""
        return case_of(question, self.maker, self._numbers, self.setup.lexicon)

    def rankers(self, **options: int) -> dict[int, Scorer]:
        """Return for each fold a re-ranker that has not seen its questions."""
        cases = [*self.cases, *self._generated]
        return {
            fold: fit_ranking([case for case in cases if case.fold != fold], **options)
            for fold in sorted({case.fold for case in cases})
        }

    def query(self, text: str) -> Query:
        """Return the question as search reads it."""
        return read_query(text, self.setup.lexicon, self.maker.vocabulary)

    def search(self, scorer: Scorer) -> Callable[[str], object]:
        """Return a whole search: candidates, their figures, their scores."""
        return lambda text: scorer(self.maker.candidates(self.query(text))[1])


def of_fold(rankers: dict[int, Scorer]) -> Score:
    """Return a score of cases by the re-ranker that has not seen them."""
    return lambda case: rankers[case.fold](case.features)


def by_figure(name: str) -> Score:
    """Return a score of candidates that is one of their figures."""
    place = FEATURES.index(name)
    return lambda case: case.features[:, place]


def fused(case: Case) -> NDArray[np.float32]:
    """Return reciprocal rank fusion of keyword and embedding (Cormack, Clarke and Büttcher, SIGIR 2009)."""
    total = np.zeros(len(case.features), dtype=np.float32)
    for name in ("keyword", "dense"):
        ranks = np.argsort(np.argsort(-by_figure(name)(case), kind="stable"), kind="stable")
        total += (1 / (_RECIPROCAL_RANK_OFFSET + ranks)).astype(np.float32)
    return total


def recall(cases: Sequence[Case], score: Score) -> list[float]:
    """Return the shares of questions with a right candidate at first place, in the first 3, the first 10."""
    found = [case.right[np.argsort(-score(case), kind="stable")] for case in cases]
    return [float(np.mean([right[:first].any() for right in found])) for first in _FIRST]


def cell(cases: Sequence[Case], score: Score) -> str:
    """Return the recalls as a cell of a table."""
    return " / ".join(f"{share:.3f}" for share in recall(cases, score))


def milliseconds(search: Callable[[str], object], texts: Sequence[str]) -> str:
    """Return p50 and p95 of a search as a cell."""
    search(texts[0])
    times = []
    for text in texts:
        started = time.process_time()
        search(text)
        times.append((time.process_time() - started) * 1000)
    p50, p95 = np.percentile(times, [50, 95])
    return f"{p50:.1f} / {p95:.1f}"


def row(*shown: str) -> str:
    """Return a row of a Markdown table."""
    return f"| {' | '.join(shown)} |"


def heading(*shown: str) -> Iterator[str]:
    """Yield the first two lines of a Markdown table."""
    yield row(*shown)
    yield row(*["---"] * len(shown))


class Bench:
    """The questions, and setups that meet them."""

    def __init__(self, entries: list[EntryTexts], folder: Path) -> None:
        self.entries = entries
        self.lexicon = Lexicon.load()
        self._folder = folder
        keys = {entry.key for entry in entries}
        self.questions = [item for item in read_questions() if item.keys & keys or not item.keys]
        file_of = {text: file for file in FILES for text in answered(EVALUATION / f"{file}.jsonl")}
        self.measured = {
            file: [n for n, item in enumerate(self.questions) if item.keys and file_of.get(item.text) == file]
            for file in FILES
        }
        texts = [self.questions[number].text for numbers in self.measured.values() for number in numbers]
        self.timed = texts[:: max(1, len(texts) // _TIMED)]

    def trial(
        self,
        entries: list[EntryTexts] | None = None,
        lexicon: Lexicon | None = None,
        dimensions: int = DIMENSIONS,
    ) -> Trial:
        """Train, index and meet every question; by default as an instance does."""
        folder = self._folder / str(time.monotonic_ns())
        setup = Setup.make(entries or self.entries, lexicon or self.lexicon, folder, dimensions)
        return Trial(setup, self.questions)

    def cells(self, cases: Sequence[Case], score: Score) -> list[str]:
        """Return the recalls on each file."""
        return [cell([cases[number] for number in numbers], score) for numbers in self.measured.values()]

    def whole(self, trial: Trial) -> list[str]:
        """Return the recalls of the whole search, those of the embedding alone, and what it costs."""
        rankers = trial.rankers()
        every = [trial.cases[number] for numbers in self.measured.values() for number in numbers]
        return [
            *self.cells(trial.cases, of_fold(rankers)),
            cell(every, by_figure("dense")),
            milliseconds(trial.search(rankers[0]), self.timed),
            f"{trial.setup.megabytes:.1f}",
            f"{trial.setup.seconds:.0f}",
        ]

    def ranking(self, trial: Trial) -> Iterator[str]:
        """Yield the table of ways to rank."""
        setup = trial.setup

        def keyword(text: str) -> object:
            return setup.index.bare.scores(trial.query(text).terms)

        def dense(text: str) -> object:
            return setup.index.dense_scores(setup.encoder.encode(trial.query(text).variants))

        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Initializing zero-element tensors")
            linear = trial.rankers(units=0)
        hidden = trial.rankers()
        ways: list[tuple[str, Score, Callable[[str], object]]] = [
            ("sparse only (BM25 by part)", by_figure("keyword"), keyword),
            ("dense only", by_figure("dense"), dense),
            ("reciprocal rank fusion", fused, lambda text: (keyword(text), dense(text))),
            ("linear re-ranker", of_fold(linear), trial.search(linear[0])),
            ("re-ranker with a hidden layer", of_fold(hidden), trial.search(hidden[0])),
        ]
        yield from heading("ranking", *FILES, "ms, p50 / p95")
        for name, score, search in ways:
            yield row(name, *self.cells(trial.cases, score), milliseconds(search, self.timed))
        yield ""

    def knowledge(self, standing: Trial) -> Iterator[str]:
        """Yield the table of what is known besides titles: names and lexicon."""
        nameless = [replace(entry, names=()) for entry in self.entries]
        yield from heading("names", "lexicon", *FILES, "dense only, all", *_COST)
        yield row("with", "with", *self.whole(standing))
        yield row("with", "without", *self.whole(self.trial(lexicon=Lexicon([]))))
        yield row("without", "with", *self.whole(self.trial(nameless)))
        yield row("without", "without", *self.whole(self.trial(nameless, Lexicon([]))))
        yield ""

    def sizes(self, standing: Trial) -> Iterator[str]:
        """Yield the table of embedding sizes."""
        yield from heading("dimensions", *FILES, "dense only, all", *_COST)
        for size in SIZES:
            trial = standing if size == DIMENSIONS else self.trial(dimensions=size)
            yield row(str(size), *self.whole(trial))
        yield ""

    def marks(self, trial: Trial) -> Iterator[str]:
        """Yield the table of questions without marks, searched as they are and restored first.

        Raises:
            FileNotFoundError: `bot.compare` has not restored them yet.
        """
        lines = RESTORED.read_text(encoding="utf-8").splitlines()
        restored = {found["text"]: found for found in map(json.loads, lines)}
        rankers = trial.rankers()
        yield from heading("questions", *FILES)
        for kind, described in (
            ("text", "as written"),
            ("stripped", "stripped"),
            ("restored", "stripped and restored"),
        ):
            cases = [
                trial.case(replace(item, text=restored[item.text][kind])) if item.text in restored else case
                for item, case in zip(self.questions, trial.cases, strict=True)
            ]
            yield row(described, *self.cells(cases, of_fold(rankers)))
        yield ""


def answered(file: Path) -> Iterator[str]:
    """Yield the texts of an evaluation file that an entry answers."""
    for line in file.read_text(encoding="utf-8").splitlines():
        found = json.loads(line)
        if "text" in found and "answer" in found["routes"]:
            yield found["text"]


async def _entries(data_dir: Path) -> list[EntryTexts]:
    database = Database(os.environ.get("DATABASE_URL") or sqlite_url(data_dir / "1022.sqlite3"))
    try:
        return [texts_of(entry) for entry in (await read_entries(database)).values()]
    finally:
        await database.close()


def compare(entries: list[EntryTexts], folder: Path, only: str | None) -> Iterator[str]:
    """Yield the tables; models are made in `folder`."""
    bench = Bench(entries, folder)
    standing = bench.trial()
    if only != "marks":
        yield f"{len(entries)} entries; recall@1 / @3 / @10 of " + ", ".join(
            f"{len(numbers)} questions on {file}" for file, numbers in bench.measured.items()
        )
        yield ""
        yield from bench.ranking(standing)
        yield from bench.knowledge(standing)
        yield from bench.sizes(standing)
    if only != "search":
        yield from bench.marks(standing)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("search", "marks"))
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("DATA_DIR") or "var"))
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    with TemporaryDirectory() as folder:
        for line in compare(asyncio.run(_entries(options.data_dir)), Path(folder), options.only):
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
