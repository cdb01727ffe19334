"""Trains the Rasa model: augment, validate, train, swap in.

    python -m bot.train [--force]

The model is written beside the one that is served and renamed over it, so a stopped training breaks nothing.
When nothing that goes into it has changed since, nothing is trained.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path

from bot.augment import ROOT, build

BUILD = ROOT / ".build" / "rasa"
MODEL = BUILD / "model.tar.gz"
FINGERPRINT = BUILD / "fingerprint"
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


def fingerprint() -> str:
    """Return a hash over everything the model depends on."""
    digest = hashlib.sha256()
    for path in _inputs():
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


def train() -> None:
    """Train from `.build/nlu` and put the model in place.

    Raises:
        TrainingError: Rasa could not train.
    """
    from rasa.model_training import train as train_rasa

    beside = BUILD / "new"
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    with redirect_stdout(io.StringIO()) as said:  # it names the place beside, which is gone at the end
        result = train_rasa(
            _DOMAIN, _CONFIG, _DATA, str(beside), force_training=True, fixed_model_name="model.tar.gz"
        )
    if result.code != 0 or result.model is None:
        raise TrainingError(f"Rasa could not train the model: {said.getvalue().strip()}")
    Path(result.model).replace(MODEL)
    shutil.rmtree(beside)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--force", action="store_true", help="train even if nothing has changed")
    if not parser.parse_args().force and is_current():
        sys.stdout.write("bot: the model is up to date\n")
        return
    started = time.monotonic()
    current = fingerprint()
    prepare_rasa()
    try:
        training = build(ROOT / "nlu_data", ROOT / "bot" / "patterns.yml", NLU)
        written, copies = training.count()
        sys.stdout.write(f"bot: {written} phrases and {copies} copies of {len(training.written)} intents\n")
        sys.stdout.flush()
        quiet()
        validate()
        sys.stdout.write(f"bot: data validated after {time.monotonic() - started:.0f} s, training\n")
        sys.stdout.flush()
        train()
    except (TrainingError, ValueError) as error:
        sys.exit(f"bot: {error}")
    FINGERPRINT.write_text(current + "\n")
    sys.stdout.write(f"bot: trained in {time.monotonic() - started:.0f} s, {MODEL.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
