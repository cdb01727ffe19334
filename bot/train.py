"""Trains the Rasa model: augment, validate, train, measure, swap in.

    python -m bot.train [--anew] [--force | --start]

The model is written beside the one that is served and renamed over it, so a stopped training breaks nothing.
It is swapped in only when it is not worse than the live one (see `bot.gate`); otherwise the exit code is 3
and the live one stays. When nothing that goes into it has changed since, nothing is trained.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bot.augment import ROOT, build

if TYPE_CHECKING:
    from bot.gate import Verdict

BUILD = ROOT / ".build" / "rasa"
MODEL = BUILD / "model.tar.gz"
FINGERPRINT = BUILD / "fingerprint"
GATE = BUILD / "gate.json"
REFUSED = 3
"""Exit code when the new model is worse and the live one stays."""

_BESIDE = BUILD / "new"
NLU = ROOT / ".build" / "nlu"
_DATA = [str(NLU), str(ROOT / "bot" / "rules.yml"), str(ROOT / "bot" / "stories.yml")]
_DOMAIN, _CONFIG = str(ROOT / "bot" / "domain.yml"), str(ROOT / "config.yml")


class TrainingError(RuntimeError):
    """The training data are not in order, or Rasa could not train."""


def _inputs() -> Iterator[Path]:
    """Every file that the model depends on: data, configuration, and the code that reads texts."""
    bot = ROOT / "bot"
    yield from sorted((ROOT / "nlu_data").rglob("*.yml"))
    yield from (
        ROOT / "config.yml",
        bot / "domain.yml",
        bot / "rules.yml",
        bot / "stories.yml",
        bot / "patterns.yml",
    )
    yield from (bot / "requirements.txt", bot / "augment.py", bot / "variants.py")
    yield from sorted((bot / "components").glob("*.py"))
    yield from sorted(
        path
        for path in (ROOT / "vntext").rglob("*")
        if path.suffix in {".py", ".yml", ".txt"} and not _is_unread(path.relative_to(ROOT / "vntext"))
    )


def _is_unread(path: Path) -> bool:
    """Sentences to say and the emergency rules: in `vntext`, but no classifier reads them."""
    return path.parts[0] == "messages" or path.name.startswith("emergency")


def fingerprint(*, phrases: bool = True) -> str:
    """Return a hash over everything the model depends on, or over all of it but the phrases."""
    digest = hashlib.sha256()
    for path in _inputs():
        if not phrases and path.is_relative_to(ROOT / "nlu_data"):
            continue
        digest.update(f"{path.relative_to(ROOT)}\0".encode())
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def is_current() -> bool:
    """Tell whether the model that is there was trained from what is there now."""
    return MODEL.is_file() and FINGERPRINT.is_file() and FINGERPRINT.read_text().strip() == fingerprint()


def prepare_rasa() -> None:
    """Set what Rasa reads from the environment; to be called before Rasa is imported."""
    os.environ.setdefault("RASA_TELEMETRY_ENABLED", "false")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("SQLALCHEMY_SILENCE_UBER_WARNING", "1")
    # Rasa's cache knows nothing of vntext; an old result would be taken for a new one.
    os.environ["RASA_MAX_CACHE_SIZE"] = "0"
    os.environ.setdefault("LOG_LEVEL", "WARNING")


def quiet() -> None:
    """Silence warnings that say nothing about our data; what is ours to mend still shows."""
    import sanic.app  # noqa: F401  (turns deprecation warnings on, so before the filter)

    warnings.filterwarnings("ignore", category=DeprecationWarning)
    from rasa.utils.log_utils import configure_structlog
    from sklearn.exceptions import ConvergenceWarning

    configure_structlog()
    warnings.filterwarnings(
        "ignore", message=r"[\s\S]*Slot auto-fill has been removed"
    )  # said of every domain
    # The entities are found by regular expressions, which are not trained.
    warnings.filterwarnings("ignore", message=r"[\s\S]*does not include an entity extractor trained on")
    # The iterations are limited on purpose: more of them only fit the training phrases closer.
    warnings.filterwarnings("ignore", category=ConvergenceWarning)


def validate() -> None:
    """Check domain, phrases, rules and stories against each other, as `rasa data validate` does, strictly.

    Raises:
        TrainingError: something is wrong; Rasa has printed what.
    """
    from rasa.shared.importers.importer import TrainingDataImporter
    from rasa.validator import Validator

    validator = Validator.from_importer(TrainingDataImporter.load_from_config(_CONFIG, _DOMAIN, _DATA))
    checks = (
        validator.verify_domain_validity(),
        validator.verify_nlu(ignore_warnings=False),
        validator.verify_actions_in_stories_rules(),
        validator.verify_forms_in_stories_rules(),
        validator.verify_form_slots(),
        validator.verify_slot_mappings(),
        validator.verify_story_structure(ignore_warnings=False),
    )
    if not all(checks):
        raise TrainingError("the training data are not in order; see the warnings above")


def train() -> Path:
    """Train from `.build/nlu` and return the model, which lies beside the live one.

    Raises:
        TrainingError: Rasa could not train.
    """
    from rasa.model_training import train as train_rasa

    shutil.rmtree(_BESIDE, ignore_errors=True)
    _BESIDE.mkdir(parents=True)
    with redirect_stdout(io.StringIO()) as said:  # it names the place beside, which is gone at the end
        result = train_rasa(
            _DOMAIN, _CONFIG, _DATA, str(_BESIDE), force_training=True, fixed_model_name="model.tar.gz"
        )
    if result.code != 0 or result.model is None:
        raise TrainingError(f"Rasa could not train the model: {said.getvalue().strip()}")
    return Path(result.model)


def take(new: Path, verdict: Verdict, trained_from: str) -> None:
    """Put the new model in place of the live one if the verdict lets it; keep the verdict in any case."""
    if verdict.passed:
        new.replace(MODEL)
        FINGERPRINT.write_text(trained_from + "\n")
    shutil.rmtree(_BESIDE, ignore_errors=True)
    # Of what is live, so that a start can tell phrases that were refused from code that has moved on.
    from bot.gate import write

    code = fingerprint(phrases=False) if verdict.passed else known_gate().get("code")
    write(verdict, GATE, trained_from=trained_from, code=code)


def known_gate() -> dict[str, Any]:
    """Return what the gate said last; empty where it said nothing yet."""
    if not GATE.is_file():
        return {}
    content: dict[str, Any] = json.loads(GATE.read_text(encoding="utf-8"))
    return content


def is_overruled(*, force: bool, start: bool) -> bool:
    """Tell whether a worse model is taken all the same.

    A person may force it. A start takes it when more than phrases has changed since the live model was
    trained: domain, rules and components belong to the code that is about to run, and the old model does not
    fit it.
    """
    return force or (start and known_gate().get("code") != fingerprint(phrases=False))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--anew", action="store_true", help="train even if nothing has changed")
    overrules = parser.add_mutually_exclusive_group()
    overrules.add_argument("--force", action="store_true", help="take the new model even if it is worse")
    overrules.add_argument(
        "--start",
        action="store_true",
        help="before a start: where the new model is worse the live one goes on, unless it fits no more",
    )
    arguments = parser.parse_args()
    if not arguments.anew and is_current():
        _say("the model is up to date")
        return
    current = fingerprint()
    overruled = is_overruled(force=arguments.force, start=arguments.start)
    if not arguments.anew and not overruled and _was_refused(known_gate(), current):
        _say("a model of these phrases was trained before and was worse; the live one stays")
        sys.exit(0 if arguments.start else REFUSED)
    started = time.monotonic()
    prepare_rasa()
    try:
        training = build(ROOT / "nlu_data", ROOT / "bot" / "patterns.yml", NLU)
        written, copies = training.count()
        _say(f"{written} phrases and {copies} copies of {len(training.written)} intents")
        quiet()
        validate()
        _say(f"data validated after {time.monotonic() - started:.0f} s, training")
        new = train()
    except (TrainingError, ValueError) as error:
        sys.exit(f"bot: {error}")
    _say(f"trained in {time.monotonic() - started:.0f} s")
    verdict = _judge(
        new, overruled=overruled, why="--force" if arguments.force else "the live one fits no more"
    )
    take(new, verdict, current)
    if not verdict.passed:
        _say(f"the new model is worse and was not taken; the live one stays ({GATE.relative_to(ROOT)})")
        sys.exit(0 if arguments.start else REFUSED)
    _say(f"live: {MODEL.relative_to(ROOT)}, after {time.monotonic() - started:.0f} s")


def _was_refused(gate: dict[str, Any], current: str) -> bool:
    return gate.get("passed") is False and gate.get("trained_from") == current and MODEL.is_file()


def _judge(new: Path, *, overruled: bool, why: str) -> Verdict:
    from bot.gate import decide, table, unseen_rows

    started = time.monotonic()
    verdict = decide(MODEL, new, unseen_rows() if MODEL.is_file() else [])
    for line in (*table(verdict), *(f"worse: {complaint}" for complaint in verdict.complaints)):
        _say(line)
    if verdict.reason == "first":
        _say("nothing to compare with: the next training measures both")
    elif verdict.reason == "unreadable":
        _say("the live model cannot be read by this code; the new one takes its place")
    else:
        _say(f"measured in {time.monotonic() - started:.0f} s")
    if not verdict.passed and overruled:
        _say(f"taken although it is worse: {why}")
        verdict.passed, verdict.reason = True, "forced"
    return verdict


def _say(line: str) -> None:
    sys.stdout.write(f"bot: {line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
