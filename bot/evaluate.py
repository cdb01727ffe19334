"""Measures the trained model on rows that it was not trained on.

    python -m bot.evaluate [ROWS.jsonl ...] [--errors 20]

Rows are those of `nlu_data/evaluation/*.jsonl` by default. The intent that is right stands in `intent`, else
it is `ask_<aspect>`. Rows with neither are skipped, and so are those that Rasa never sees (`not_vietnamese`,
which is decided before it) and those that read like a training phrase.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from bot.augment import ROOT, plain, read
from bot.train import MODEL, prepare_rasa, quiet
from vntext.canonical import canonical

GROUPS = {
    "aspect": "ask_overview ask_documents ask_fee ask_time ask_place ask_steps ask_online ask_form ask_legal "
    "ask_conditions ask_result ask_who",
    "information": "ask_information",
    "report": "report_problem report_conduct make_suggestion give_praise",
    "letter": "complaint_letter",
    "human": "ask_human",
    "status": "ticket_status dossier_status",
    "talk": "greet thank goodbye ask_bot ask_capabilities small_talk insult",
    "scope": "out_of_scope unclear",
    "dialogue": "affirm deny cancel choose_option inform correct refuse_personal_data return_to_bot "
    "show_full",
    "emergency": "emergency_113 emergency_114 emergency_115",
}  # fmt: skip
_GROUP_OF = {intent: group for group, intents in GROUPS.items() for intent in intents.split()}


def group_of(intent: str) -> str:
    """Return the group of an intent."""
    return _GROUP_OF.get(intent, "other")


class Row(NamedTuple):
    """One labelled text."""

    text: str
    intents: tuple[str, ...]
    style: str


class Outcome(NamedTuple):
    """What the model made of a row."""

    row: Row
    intent: str
    confidence: float
    ranking: tuple[str, ...]
    milliseconds: float

    @property
    def is_right(self) -> bool:
        """Whether the first intent is one of the right ones."""
        return self.intent in self.row.intents


def rows(paths: Iterable[Path]) -> Iterator[Row]:
    """Read labelled rows from JSON Lines files."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip():
                continue
            row = json.loads(line)
            intent = row.get("intent") or (f"ask_{row['aspect']}" if row.get("aspect") else None)
            intents = (intent,) if isinstance(intent, str) else tuple(intent or ())
            if _GROUP_OF.keys() & set(intents) and isinstance(row.get("text"), str):
                yield Row(row["text"], intents, row.get("style", "-"))


async def parse(model: Path, labelled: list[Row]) -> list[Outcome]:
    """Parse every row with the model, as a message of a fresh conversation."""
    from rasa.core.utils import AvailableEndpoints

    from bot.agent import load_agent

    agent = load_agent(model, AvailableEndpoints())
    await agent.parse_message("xin chào")
    outcomes = []
    for row in labelled:
        started = time.perf_counter()
        parsed = await agent.parse_message(row.text.lstrip("/ "))
        milliseconds = (time.perf_counter() - started) * 1000
        ranking = tuple(item["name"] for item in parsed["intent_ranking"])
        intent = parsed["intent"]
        outcomes.append(Outcome(row, intent["name"], intent["confidence"], ranking, milliseconds))
    return outcomes


def _table(title: str, outcomes: list[Outcome], by: dict[str, list[Outcome]]) -> Iterator[str]:
    yield f"{title:<14}{'rows':>6}{'right':>8}{'group right':>13}{'in first 3':>12}"
    for name, some in [*sorted(by.items()), ("all", outcomes)]:
        groups = [_GROUP_OF.get(o.intent) in {_GROUP_OF.get(i) for i in o.row.intents} for o in some]
        near = [any(intent in o.ranking[:3] for intent in o.row.intents) for o in some]
        shares = [sum(o.is_right for o in some), sum(groups), sum(near)]
        right, group, first = (f"{share / len(some):.3f}" for share in shares)
        yield f"{name:<14}{len(some):>6}{right:>8}{group:>13}{first:>12}"
    yield ""


def report(outcomes: list[Outcome], errors: int) -> Iterator[str]:
    """Yield the lines of the report."""
    groups: dict[str, list[Outcome]] = defaultdict(list)
    styles: dict[str, list[Outcome]] = defaultdict(list)
    for outcome in outcomes:
        groups[group_of(outcome.row.intents[0])].append(outcome)
        styles[outcome.row.style].append(outcome)
    yield from _table("group", outcomes, groups)
    yield from _table("style", outcomes, styles)
    times = sorted(outcome.milliseconds for outcome in outcomes)
    median, p95 = statistics.median(times), times[int(len(times) * 0.95)]
    yield f"a parse takes {median:.1f} ms (median), {p95:.1f} ms (p95)"
    wrong = [outcome for outcome in outcomes if not outcome.is_right]
    for outcome in sorted(wrong, key=lambda o: -o.confidence)[:errors]:
        expected = "/".join(outcome.row.intents)
        yield f"  {expected} read as {outcome.intent} ({outcome.confidence:.2f}): {outcome.row.text[:120]}"


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Measure the trained model.")
    parser.add_argument("rows", nargs="*", type=Path)
    parser.add_argument("--model", type=Path, default=MODEL)
    parser.add_argument("--errors", type=int, default=0, help="how many of the surest mistakes to show")
    arguments = parser.parse_args()
    paths = arguments.rows or sorted((ROOT / "nlu_data" / "evaluation").glob("*.jsonl"))
    trained = {canonical(plain(p)) for phrases in read(ROOT / "nlu_data").written.values() for p in phrases}
    labelled = list(rows(paths))
    unseen = [row for row in labelled if canonical(row.text) not in trained]
    if not unseen:
        sys.exit("bot: no labelled rows to measure with")
    os.environ["LOG_LEVEL"] = "WARNING"
    prepare_rasa()
    quiet()
    outcomes = asyncio.run(parse(arguments.model, unseen))
    sys.stdout.write("\n".join(report(outcomes, arguments.errors)) + "\n")
    sys.stdout.write(f"{len(labelled) - len(unseen)} rows left out that are training phrases as well\n")


if __name__ == "__main__":
    main()
