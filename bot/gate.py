"""Decides whether a newly trained model may take the place of the live one: only when it is not worse.

Both are measured on the same rows of `nlu_data/evaluation`, those that neither may have been trained on. Not
worse means: no fewer rows right in all; no group of 20 rows or more lower by more than 1.5 points; and of
emergencies none fewer, whatever the rest has gained. Figures and verdict stand in `.build/rasa/gate.json`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bot.augment import ROOT, plain, read
from bot.evaluate import Outcome, Row, group_of, parse, rows
from vntext.canonical import canonical

EVALUATION = ROOT / "nlu_data" / "evaluation"
FEWEST_ROWS = 20
MOST_LOST = 0.015
ALL = "all"
_EMERGENCY = "emergency"


@dataclass(frozen=True)
class Share:
    """How many of some rows were right."""

    right: int
    rows: int

    @property
    def value(self) -> float:
        """The share, 0 to 1; 1 of no rows."""
        return self.right / self.rows if self.rows else 1.0


Figures = dict[str, Share]
"""Shares by group of intents, by emergency number, and of all rows."""


@dataclass
class Verdict:
    """What the gate says.

    Attributes:
        passed: the new model may go live.
        reason: `first` (nothing to compare with), `unreadable` (this code cannot load the live model),
            `not_worse`, `worse`, or `forced` (worse, and taken all the same).
        complaints: what is worse, a line each.
        live: figures of the live model; none where it was not measured.
        new: figures of the new one.
    """

    passed: bool
    reason: str
    complaints: list[str] = field(default_factory=list)
    live: Figures = field(default_factory=dict)
    new: Figures = field(default_factory=dict)


def unseen_rows(evaluation: Path = EVALUATION, nlu: Path | None = None) -> list[Row]:
    """Return the labelled rows that read like no training phrase."""
    phrases = read(nlu or ROOT / "nlu_data").written.values()
    trained = {canonical(plain(phrase)) for some in phrases for phrase in some}
    labelled = rows(sorted(evaluation.glob("*.jsonl")))
    return [row for row in labelled if canonical(row.text) not in trained]


def measure(model: Path, labelled: list[Row]) -> Figures:
    """Return the model's figures on the rows."""
    return figures(asyncio.run(parse(model, labelled)))


def figures(outcomes: Iterable[Outcome]) -> Figures:
    """Count what is right, by group, by emergency number, and in all."""
    counts: dict[str, list[int]] = {}
    for outcome in outcomes:
        intent = outcome.row.intents[0]
        group = group_of(intent)
        for name in (ALL, group, *((intent,) if group == _EMERGENCY else ())):
            count = counts.setdefault(name, [0, 0])
            count[0] += outcome.is_right
            count[1] += 1
    return {name: Share(right, number) for name, (right, number) in counts.items()}


def compare(live: Figures, new: Figures) -> list[str]:
    """Return what is worse in the new model, a line each; nothing where it may go live."""
    complaints = []
    for name, before in sorted(live.items()):
        after = new.get(name, Share(0, before.rows))
        lost = before.value - after.value
        is_emergency = name.startswith(_EMERGENCY)
        if name == ALL or is_emergency:
            is_worse = after.right < before.right
        else:
            # A hair more than the limit, so that exactly 1.5 points are not too much.
            is_worse = before.rows >= FEWEST_ROWS and lost > MOST_LOST + 1e-9
        if is_worse:
            complaints.append(
                f"{name}: {before.value:.3f} before, {after.value:.3f} now ({before.rows} rows)"
            )
    return complaints


def decide(live: Path, new: Path, labelled: list[Row]) -> Verdict:
    """Measure both models and return the verdict.

    Args:
        live: the model that is served; it need not exist.
        new: the one that was just trained.
        labelled: rows to measure with.
    """
    if not live.is_file() or not labelled:
        # Measured when there is something to compare with: a first start should not wait for it.
        return Verdict(True, "first")
    try:
        before = measure(live, labelled)
    except Exception as error:
        # Trained by other code than this: a component or a policy is gone. Then it cannot be served either.
        return Verdict(
            True, "unreadable", [f"{type(error).__name__}: {error}"[:300]], new=measure(new, labelled)
        )
    after = measure(new, labelled)
    complaints = compare(before, after)
    return Verdict(not complaints, "worse" if complaints else "not_worse", complaints, before, after)


def table(verdict: Verdict) -> Iterator[str]:
    """Yield the figures side by side."""
    if not verdict.new:
        return
    yield f"{'group':<16}{'rows':>6}{'live':>8}{'new':>8}{'change':>9}"
    for name in sorted(verdict.new, key=lambda name: (name == ALL, name)):
        after = verdict.new[name]
        before = verdict.live.get(name)
        if before is None:
            yield f"{name:<16}{after.rows:>6}{'-':>8}{after.value:>8.3f}"
        else:
            change = 100 * (after.value - before.value)
            yield f"{name:<16}{after.rows:>6}{before.value:>8.3f}{after.value:>8.3f}{change:>+9.1f}"


def write(verdict: Verdict, file: Path, **more: Any) -> None:
    """Keep the verdict with its figures."""
    content = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "verdict": verdict.reason,
        "passed": verdict.passed,
        "complaints": verdict.complaints,
        "live": {name: _share(share) for name, share in sorted(verdict.live.items())},
        "new": {name: _share(share) for name, share in sorted(verdict.new.items())},
        **more,
    }
    file.write_text(json.dumps(content, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _share(share: Share) -> dict[str, float]:
    return {**asdict(share), "share": round(share.value, 4)}
