"""Compares ways of reading a message, on rows that nothing was trained on: for whoever changes the models.

    python -m bot.compare [--only classifiers|marks] [--data-dir var] [--diet-seconds 120]

Prints Markdown tables (docs/MODELS.md): intent classifiers over sparse, dense and mixed features, and
unmarked text read as it is against marks restored first. The dense features are the embedding of the instance
in `--data-dir`. Times are processor time; a busy machine can double them all the same.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.augment import ROOT, augment, plain, read
from bot.evaluate import Row, group_of, rows
from bot.restoring import Restorer
from bot.static_embedding import StaticEmbedding
from bot.train import prepare_rasa, quiet
from vntext.canonical import canonical
from vntext.normalise import normalise, strip_marks

if TYPE_CHECKING:
    from rasa.shared.nlu.training_data.message import Message

RESTORED = ROOT / ".build" / "compare" / "restored.jsonl"
_WORDS = {"analyzer": "word", "min_ngram": 1, "max_ngram": 2, "min_df": 2}
_LETTERS = {"analyzer": "char_wb", "min_ngram": 2, "max_ngram": 5, "min_df": 2}
FEATURIZERS: dict[str, dict[str, Any]] = {
    "words": _WORDS,
    "letters": _LETTERS,
    "unmarked_words": {**_WORDS, "marks": False},
    "unmarked_letters": {**_LETTERS, "marks": False},
}
_BOTH = ("words", "unmarked_words", "unmarked_letters")
FEATURE_SETS = {
    "marked words and letters": ("words", "letters"),
    "marked words, unmarked words and letters": _BOTH,
    "embedding": ("dense",),
    "both and embedding": (*_BOTH, "dense"),
}
_TIMED = 300
# How often a phrase counts against a text of the base when marks are learnt.
_PHRASES_COUNT = 5
# So many epochs if time allows.
_DIET_EPOCHS = 40


class Reader:
    """Turns texts to Rasa messages with every kind of features."""

    def __init__(self, phrases: Sequence[tuple[str, str]], embedding: StaticEmbedding, folder: Path) -> None:
        from rasa.shared.nlu.training_data.training_data import TrainingData

        from bot.components.sentence_featurizer import SentenceFeaturizer
        from bot.components.vietnamese_tokenizer import VietnameseTokenizer

        self._embedding = embedding
        self._tokenizer = VietnameseTokenizer(VietnameseTokenizer.get_default_config())
        self._featurizers = {
            name: component(SentenceFeaturizer, {**config, "alias": name}, folder / name)
            for name, config in FEATURIZERS.items()
        }
        self.training = [self._tokenized(text, intent) for text, intent in phrases]
        data = TrainingData(self.training)
        for name, featurizer in self._featurizers.items():
            featurizer.train(data)
            self._add(name, self.training)
        self._add("dense", self.training)

    def _tokenized(self, text: str, intent: str | None = None) -> Message:
        from rasa.shared.nlu.constants import INTENT, TEXT
        from rasa.shared.nlu.training_data.message import Message

        message = Message(data={TEXT: text} if intent is None else {TEXT: text, INTENT: intent})
        self._tokenizer.process([message])
        return message

    def _add(self, name: str, messages: list[Message]) -> None:
        from rasa.nlu.constants import TOKENS_NAMES
        from rasa.shared.nlu.constants import FEATURE_TYPE_SENTENCE, TEXT
        from rasa.shared.nlu.training_data.features import Features

        if name != "dense":
            self._featurizers[name].process(messages)
            return
        for message in messages:
            sentence = " ".join(token.lemma for token in message.get(TOKENS_NAMES[TEXT]))
            vector = self._embedding.encode(sentence)
            message.add_features(Features(vector, FEATURE_TYPE_SENTENCE, TEXT, "dense"))

    def read(self, text: str, names: Sequence[str]) -> Message:
        """Return the message with the features named."""
        message = self._tokenized(text.lstrip("/ "))
        for name in names:
            self._add(name, [message])
        return message


def component(kind: Any, config: dict[str, Any], folder: Path) -> Any:
    """Return a new Rasa component that keeps what it learns in `folder`."""
    from rasa.engine.graph import ExecutionContext, GraphSchema
    from rasa.engine.storage.local_model_storage import LocalModelStorage
    from rasa.engine.storage.resource import Resource

    folder.mkdir(parents=True, exist_ok=True)
    whole = {**kind.get_default_config(), **config}
    context = ExecutionContext(GraphSchema({}), node_name=str(config.get("alias") or "classifier"))
    return kind.create(whole, LocalModelStorage(folder), Resource("component"), context)


def with_features(message: Message, names: Sequence[str], *, words: bool = False) -> Message:
    """Return a copy of `message` that has these features alone.

    Args:
        message: it has them, maybe others.
        names: which, in this order.
        words: give them as those of a word too: DIET wants a sequence, and here the whole sentence is one.
    """
    from rasa.shared.nlu.constants import FEATURE_TYPE_SEQUENCE
    from rasa.shared.nlu.training_data.features import Features
    from rasa.shared.nlu.training_data.message import Message

    by_origin = {item.origin: item for item in message.features}
    chosen = [by_origin[name] for name in names]
    if words:
        chosen += [
            Features(item.features, FEATURE_TYPE_SEQUENCE, item.attribute, item.origin) for item in chosen
        ]
    return Message(data=message.data, features=chosen)


class Classifier(NamedTuple):
    """A way to classify: makes a Rasa component in a folder; on which features it works."""

    make: Callable[[Path], Any]
    takes_dense: bool = True
    is_diet: bool = False


def classifiers(diet_seconds: float) -> dict[str, Classifier]:
    """Return what is compared."""
    from rasa.nlu.classifiers.diet_classifier import DIETClassifier
    from rasa.nlu.classifiers.logistic_regression_classifier import LogisticRegressionClassifier
    from scipy.sparse import csr_matrix, hstack
    from scipy.special import softmax
    from sklearn.naive_bayes import ComplementNB
    from sklearn.svm import LinearSVC

    from bot.components.intent_classifier import IntentClassifier

    class SupportVectors(LinearSVC):  # type: ignore[misc]
        """With shares in place of distances: enough to rank by, but no calibrated probabilities."""

        def predict_proba(self, features: csr_matrix) -> NDArray[np.float64]:
            return softmax(self.decision_function(features), axis=1)  # type: ignore[no-any-return]

    class Scaled(IntentClassifier):
        """Ours, which reads dense features too, with another model in it if there is one."""

        def _create_X(self, messages: list[Message]) -> csr_matrix:  # noqa: N802  (the parent's name)
            dense = [item.features for m in messages for item in m.features if item.is_dense()]
            sparse = any(item.is_sparse() for item in messages[0].features)
            blocks = [super()._create_X(messages)] if sparse else []
            return hstack([*blocks, *([csr_matrix(np.vstack(dense))] if dense else [])], format="csr")

    def scaled(model: Any = None) -> Callable[[Path], Any]:
        def make(folder: Path) -> Any:
            made = component(Scaled, {}, folder)
            made.clf = made.clf if model is None else model
            return made

        return make

    diet = {
        "entity_recognition": False,
        "epochs": _DIET_EPOCHS,
        "constrain_similarities": True,
        "number_of_transformer_layers": 1,
    }
    _stop_after(diet_seconds)
    support = SupportVectors(C=0.3, class_weight="balanced")
    return {
        "logistic regression, ours": Classifier(scaled()),
        "logistic regression, Rasa's": Classifier(lambda at: component(LogisticRegressionClassifier, {}, at)),
        "support vectors, linear": Classifier(scaled(support)),
        "complement naive Bayes": Classifier(scaled(ComplementNB(alpha=0.3)), takes_dense=False),
        "DIET": Classifier(lambda at: component(DIETClassifier, diet, at), is_diet=True),
    }


def _stop_after(seconds: float) -> None:
    """Let Rasa's TensorFlow models train so long at most; they have no such setting."""
    import tensorflow as tf
    from rasa.utils import train_utils

    common = train_utils.create_common_callbacks

    class Stop(tf.keras.callbacks.Callback):  # type: ignore[misc]
        def on_train_begin(self, logs: object = None) -> None:
            self.until = time.process_time() + seconds
            self.epochs = 0

        def on_epoch_end(self, epoch: int, logs: object = None) -> None:
            self.epochs = epoch + 1

        def on_train_batch_end(self, batch: int, logs: object = None) -> None:
            if time.process_time() > self.until:
                self.model.stop_training = True

        def on_train_end(self, logs: object = None) -> None:
            sys.stderr.write(f"DIET trained {self.epochs} epochs\n")

    train_utils.create_common_callbacks = lambda *given: [*common(*given), Stop()]


@dataclass(frozen=True)
class Measured:
    """What a classifier made of the rows: shares right, and what it cost."""

    intent: tuple[float, float]
    group: tuple[float, float]
    agree: float
    p50: float
    p95: float
    seconds: float
    megabytes: float

    def line(self, *names: str) -> str:
        """Return a row of the Markdown table."""
        cells = [
            *names,
            *(f"{as_written:.3f} / {stripped:.3f}" for as_written, stripped in (self.intent, self.group)),
            f"{self.agree:.3f}",
            f"{self.p50:.1f} / {self.p95:.1f}",
            f"{self.seconds:.0f}",
            f"{self.megabytes:.1f}",
        ]
        return f"| {' | '.join(cells)} |"


def shares(labelled: Sequence[Row], found: Sequence[str]) -> tuple[float, float]:
    """Return the shares of rows whose intent and whose group of intents is right."""
    intents = [name in row.intents for row, name in zip(labelled, found, strict=True)]
    groups = [
        group_of(name) in {group_of(intent) for intent in row.intents}
        for row, name in zip(labelled, found, strict=True)
    ]
    return float(np.mean(intents)), float(np.mean(groups))


class Bench:
    """The rows, the phrases and the features that every classifier is measured with."""

    def __init__(self, data_dir: Path, scratch: Path) -> None:
        training = augment(read(ROOT / "nlu_data"))
        known = {canonical(plain(phrase)) for phrases in training.written.values() for phrase in phrases}
        files = sorted((ROOT / "nlu_data" / "evaluation").glob("*.jsonl"))
        self.rows = [row for row in rows(files) if canonical(row.text) not in known]
        self.phrases = [
            (plain(phrase), intent)
            for kind in (training.written, training.copies)
            for intent, phrases in kind.items()
            for phrase in phrases
        ]
        self.written = [plain(phrase) for phrases in training.written.values() for phrase in phrases]
        self.texts = [row.text for row in self.rows]
        self.stripped = [strip_marks(normalise(text)) for text in self.texts]
        self.embedding = StaticEmbedding(data_dir / "models" / "embedding")
        self.reader = Reader(self.phrases, self.embedding, scratch / "features")
        self._read = {text: self._all(text) for text in {*self.texts, *self.stripped}}
        self.scratch = scratch

    def _all(self, text: str) -> Message:
        return self.reader.read(text, (*FEATURIZERS, "dense"))

    def train(self, classifier: Classifier, names: Sequence[str], folder: Path) -> tuple[Any, float, float]:
        """Return the trained component, the seconds that took and the megabytes it is stored in."""
        from rasa.shared.nlu.training_data.training_data import TrainingData

        messages = [with_features(m, names, words=classifier.is_diet) for m in self.reader.training]
        made = classifier.make(folder)
        started = time.process_time()
        made.train(TrainingData(messages))
        seconds = time.process_time() - started
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
        return made, seconds, size + (self.embedding.megabytes if "dense" in names else 0.0)

    def intents(self, made: Any, texts: Sequence[str], names: Sequence[str], *, words: bool) -> list[str]:
        """Return the first intent of each text."""
        messages = [with_features(self._read.get(t) or self._all(t), names, words=words) for t in texts]
        made.process(messages)
        return [message.get("intent")["name"] or "" for message in messages]

    def measure(self, classifier: Classifier, names: Sequence[str]) -> Measured:
        """Train and measure a classifier on these features."""
        with TemporaryDirectory(dir=self.scratch) as folder:
            made, seconds, megabytes = self.train(classifier, names, Path(folder))
        found = self.intents(made, self.texts, names, words=classifier.is_diet)
        unmarked = self.intents(made, self.stripped, names, words=classifier.is_diet)
        times = []
        for text in self.texts[:: max(1, len(self.texts) // _TIMED)]:
            started = time.process_time()
            made.process([with_features(self.reader.read(text, names), names, words=classifier.is_diet)])
            times.append((time.process_time() - started) * 1000)
        (intent, group), (intent_unmarked, group_unmarked) = (
            shares(self.rows, some) for some in (found, unmarked)
        )
        p50, p95 = np.percentile(times, [50, 95])
        return Measured(
            (intent, intent_unmarked),
            (group, group_unmarked),
            float(np.mean([one == other for one, other in zip(found, unmarked, strict=True)])),
            float(p50),
            float(p95),
            seconds,
            megabytes,
        )


def compare_classifiers(bench: Bench, diet_seconds: float) -> Iterator[str]:
    """Yield the table of classifiers and features."""
    yield f"{len(bench.rows)} rows, {len(bench.phrases)} phrases to train on, copies included."
    yield ""
    yield (
        "| classifier | features | intent right, as written / stripped | group right | both agree "
        "| parse ms, p50 / p95 | training s | MB |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    compared = classifiers(diet_seconds)
    for name, classifier in compared.items():
        for described, names in FEATURE_SETS.items():
            if classifier.takes_dense or "dense" not in names:
                yield bench.measure(classifier, names).line(name, described)
    yield ""


def base_texts(data_dir: Path) -> list[str]:
    """Return the titles, names and bodies that the instance's live index holds."""
    number = (data_dir / "kb" / "CURRENT").read_text(encoding="ascii").strip()
    entries = json.loads((data_dir / "kb" / "index" / number / "entries.json").read_text(encoding="utf-8"))
    return [
        text
        for entry in entries
        for text in (entry["title"], *entry["names"], *re.split(r"[.;\n]", entry["details"] + entry["body"]))
    ]


def write_restored(bench: Bench, restored: Sequence[str]) -> None:
    """Write the texts for `kb_index.compare`."""
    RESTORED.parent.mkdir(parents=True, exist_ok=True)
    lines = (
        json.dumps({"text": row.text, "stripped": stripped, "restored": guess}, ensure_ascii=False)
        for row, stripped, guess in zip(bench.rows, bench.stripped, restored, strict=True)
    )
    RESTORED.write_text("\n".join(lines) + "\n", encoding="utf-8")


def compare_marks(bench: Bench, data_dir: Path) -> Iterator[str]:
    """Yield the table of unmarked text read as it is and restored."""
    started = time.process_time()
    # People write more like the phrases than like the base, which has many more texts.
    restore = Restorer([*bench.written * _PHRASES_COUNT, *base_texts(data_dir)])
    learnt = time.process_time() - started
    started = time.process_time()
    restored = [restore(text) for text in bench.stripped]
    each = (time.process_time() - started) * 1000 / len(restored)
    write_restored(bench, restored)
    pairs = [
        pair
        for row, guess in zip(bench.rows, restored, strict=True)
        if row.style == "normal"
        for pair in zip(normalise(row.text).lower().split(), guess.split(), strict=True)
    ]
    marked = [(truth, guess) for truth, guess in pairs if truth != strip_marks(truth)]
    every, those = (np.mean([truth == guess for truth, guess in some]) for some in (pairs, marked))
    yield (
        f"Restored right in rows written with marks: {every:.3f} of {len(pairs)} syllables, {those:.3f} of "
        f"the {len(marked)} that carry marks; learnt in {learnt:.1f} s, {each:.1f} ms a text."
    )
    yield ""
    yield "| features | rows | intent right | group right | same as of the row as written |"
    yield "| --- | --- | --- | --- | --- |"
    ours = classifiers(0.0)["logistic regression, ours"]
    for names in (("words", "letters"), _BOTH):
        with TemporaryDirectory(dir=bench.scratch) as folder:
            made, *_ = bench.train(ours, names, Path(folder))
        found = {
            kind: bench.intents(made, texts, names, words=False)
            for kind, texts in (
                ("as written", bench.texts),
                ("stripped", bench.stripped),
                ("stripped and restored", restored),
            )
        }
        described = next(key for key, value in FEATURE_SETS.items() if value == names)
        for kind, some in found.items():
            intent, group = shares(bench.rows, some)
            agree = np.mean([a == b for a, b in zip(found["as written"], some, strict=True)])
            yield f"| {described} | {kind} | {intent:.3f} | {group:.3f} | {agree:.3f} |"
    yield ""


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=("classifiers", "marks"))
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("DATA_DIR") or "var"))
    parser.add_argument("--diet-seconds", type=float, default=120.0)
    arguments = parser.parse_args()
    prepare_rasa()
    quiet()
    with TemporaryDirectory() as scratch:
        bench = Bench(arguments.data_dir, Path(scratch))
        if arguments.only in (None, "classifiers"):
            for line in compare_classifiers(bench, arguments.diet_seconds):
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()
        if arguments.only in (None, "marks"):
            for line in compare_marks(bench, arguments.data_dir):
                sys.stdout.write(f"{line}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
