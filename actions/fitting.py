"""`python -m actions.fitting`: fits the thresholds of `actions.answering` on our own evaluation questions.

Every question goes, as written and without its marks, through the real search of an instance. Half of them,
chosen by a hash of their text, fit the numbers; the other half says what they are worth. The result is kept
in `thresholds.json` with how it was made.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from actions.answering import FITTED, Evidence, Thresholds, decide
from actions.questions import split
from database.engine import Database, sqlite_url
from kb_index.fitting import EVALUATION
from kb_index.service import KnowledgeBase
from vntext.normalise import normalise, strip_marks

_OFFERED = 3
# One question in so many is asked again of a base without its entries: what is not in the base is like that.
_LACKING = 8
_STEP = 0.05
# Articles begin high: the questions we have on them were written for them, so they say little of what only
# looks like one.
_GRID = {
    "answer": (0.2, 0.95),
    "answer_unsure": (0.2, 0.95),
    "article": (0.6, 0.95),
    "clarify": (0.05, 0.95),
    "clarify_unsure": (0.05, 0.95),
    "margin": (0.0, 0.2),
}
_ROUNDS = 3
# Routes of messages that may come to a decision here; what lies out of scope does when the classifier takes
# it for a question.
_DECIDED = frozenset({"answer", "handoff", "out_of_scope"})


@dataclass(frozen=True)
class Costs:
    """What a wrong decision costs, and how many wrong answers are borne however cheap.

    Attributes:
        wrong: answering for another entry.
        not_in_base: answering what no entry answers.
        question: asking where the first hit was right.
        useful_question: asking where another of those offered is right, or where no entry answers: that
            leads to a person as well.
        handoff: handing over what an entry answers.
        question_in_vain: asking, where the right one is not among those offered, before handing over.
        taken_out: how much a question counts whose entries were taken out of the base, against one that the
            base really has nothing on: it is harder than real ones, since the next of kin of its answer is
            there.
        most_wrong: share of the answerable questions that may be answered wrongly.
        most_not_in_base: share of the really unanswerable ones that may be answered.
        above: cost of each hundredth above these shares, a question.
    """

    wrong: float = 2.0
    not_in_base: float = 2.0
    question: float = 1.0
    useful_question: float = 0.3
    handoff: float = 1.5
    question_in_vain: float = 0.3
    taken_out: float = 0.3
    most_wrong: float = 0.07
    most_not_in_base: float = 0.08
    above: float = 0.1


@dataclass(frozen=True)
class Case:
    """A question with what search found, and the keys of the entries that answer it (none: nothing does).

    `is_taken_out` tells a question whose entries were left out of the base from one that it has nothing on.
    """

    text: str
    evidence: Evidence
    keys: frozenset[str]
    is_taken_out: bool = False


def read_cases(
    kb: KnowledgeBase, intents: dict[str, tuple[str, float]], folder: Path = EVALUATION
) -> list[Case]:
    """Return the cases of our evaluation files that are questions, each also without marks.

    Args:
        kb: the knowledge base to search.
        intents: intent and confidence by row id, as the bot read them; other rows have their label.
        folder: the files.
    """
    cases = []
    for file in sorted(folder.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if "text" not in row or not _DECIDED & set(row["routes"]):
                continue
            keys = frozenset(row.get("procedures") or ([row["article"]] if row.get("article") else []))
            if not keys and "answer" in row["routes"]:
                continue  # anything may be right
            keys = frozenset(key for key in keys if kb.get(key) is not None)
            if not keys and "answer" in row["routes"]:
                continue  # not in this base
            label = row.get("intent") or f"ask_{row.get('aspect') or 'overview'}"
            label = label if isinstance(label, str) else label[0]
            written = normalise(row["text"])
            for copy, text in (("", written), ("S", strip_marks(written))):
                if copy and text == written:
                    continue
                intent, confidence = intents.get(f"{row['id']}{copy}", (label, 1.0))
                if intent.startswith("ask_") and intent != "ask_human":
                    cases.append(_case(kb, text, intent, confidence, keys))
                    if keys and (_digest(written) >> 1) % _LACKING == 0:
                        cases.append(_case(kb, text, intent, confidence, frozenset(), without=keys))
    return cases


def _case(
    kb: KnowledgeBase,
    text: str,
    intent: str,
    confidence: float,
    keys: frozenset[str],
    without: frozenset[str] = frozenset(),
) -> Case:
    question = split(text)[0]
    result = kb.search(question.text, without=without)
    evidence = Evidence(intent, confidence, result, question.residue, None)
    return Case(text, evidence, keys, is_taken_out=bool(without))


_OF_ANSWERABLE = ("right", "wrong", "offered", "asked", "asked_in_vain", "handed_over")
_OF_UNANSWERABLE = ("not_in_base", "asked_not_in")


def figures(cases: Sequence[Case], thresholds: Thresholds) -> dict[str, float]:
    """Return what the thresholds do to the cases.

    Shares of the answerable ones, of the really unanswerable ones (`not_in_base`, `asked_not_in`), and of
    those whose entries were taken out (the same with `_out`).
    """
    outcomes = Counter((_group(case), _outcome(case, thresholds)) for case in cases)
    sizes = Counter(_group(case) for case in cases)

    def share(group: str, outcome: str) -> float:
        return round(outcomes[group, outcome] / max(1, sizes[group]), 4)

    return {
        **{name: sizes[name] for name in ("answerable", "unanswerable", "taken_out")},
        **{name: share("answerable", name) for name in _OF_ANSWERABLE},
        **{name: share("unanswerable", name) for name in _OF_UNANSWERABLE},
        **{f"{name}_out": share("taken_out", name) for name in _OF_UNANSWERABLE},
    }


def _group(case: Case) -> str:
    if case.keys:
        return "answerable"
    return "taken_out" if case.is_taken_out else "unanswerable"


def _outcome(case: Case, thresholds: Thresholds) -> str:
    decision = decide(case.evidence, thresholds)
    if not case.keys:
        return {"answer": "not_in_base", "clarify": "asked_not_in"}.get(decision.kind, "handed_over_rightly")
    if decision.kind == "answer":
        return "right" if decision.hits[0].code in case.keys else "wrong"
    if decision.kind == "clarify":
        offered = [hit.code for hit in decision.hits[:_OFFERED]]
        if offered and offered[0] in case.keys:
            return "asked"
        return "offered" if case.keys & set(offered) else "asked_in_vain"
    return "handed_over"


def cost(cases: Sequence[Case], thresholds: Thresholds, costs: Costs) -> float:
    """Return the mean cost of a case."""
    shares = figures(cases, thresholds)
    answerable, unanswerable = shares["answerable"], shares["unanswerable"]
    taken_out = costs.taken_out * shares["taken_out"]
    of_answerable = (
        costs.wrong * shares["wrong"]
        + costs.question * shares["asked"]
        + costs.useful_question * shares["offered"]
        + (costs.question_in_vain + costs.handoff) * shares["asked_in_vain"]
        + costs.handoff * shares["handed_over"]
    )

    def of_unanswerable(kind: str) -> float:
        answered, asked = shares[f"not_in_base{kind}"], shares[f"asked_not_in{kind}"]
        return costs.not_in_base * answered + costs.useful_question * asked

    plain = (
        answerable * of_answerable + unanswerable * of_unanswerable("") + taken_out * of_unanswerable("_out")
    ) / (answerable + unanswerable + taken_out)
    above = max(0.0, shares["wrong"] - costs.most_wrong)
    above += max(0.0, shares["not_in_base"] - costs.most_not_in_base)
    return plain + 100 * costs.above * above


def fit(cases: Sequence[Case], costs: Costs, start: Thresholds) -> Thresholds:
    """Return the cheapest thresholds, found one after the other, a few times over."""
    best, least = start, cost(cases, start, costs)
    for _ in range(_ROUNDS):
        before = least
        for name, (low, high) in _GRID.items():
            for step in range(round((high - low) / _STEP) + 1):
                tried = Thresholds(**{**asdict(best), name: round(low + step * _STEP, 2)})
                if (now := cost(cases, tried, costs)) < least - 1e-9:
                    best, least = tried, now
        if least == before:
            break
    return best


def is_held_out(case: Case) -> bool:
    """Return whether a case only measures; both ways of typing a question are on the same side."""
    return bool(_digest(case.text) & 1)


def _digest(text: str) -> int:
    return int.from_bytes(sha256(strip_marks(text).lower().encode()).digest()[:4], "big")


def read_intents(predictions: Path | None) -> dict[str, tuple[str, float]]:
    """Return intent and confidence by row id from predictions of our own rows (`make predict`)."""
    if predictions is None:
        return {}
    rows = [json.loads(line) for line in predictions.read_text(encoding="utf-8").splitlines() if line]
    return {
        row["id"]: (row["turns"][0]["intent"] or "", row["turns"][0]["confidence"] or 0.0) for row in rows
    }


def write_rows(file: Path, folder: Path = EVALUATION) -> int:
    """Write our questions, each also without marks, as rows for `make predict`; return how many."""
    lines = []
    for source in sorted(folder.glob("*.jsonl")):
        for line in source.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            written = normalise(row.get("text") or "")
            copies = {row["id"]: written, f"{row['id']}S": strip_marks(written)}
            texts = dict.fromkeys(text for text in copies.values() if text)
            lines += [
                json.dumps({"id": key, "text": text}, ensure_ascii=False)
                for key, text in zip(copies, texts, strict=False)
            ]
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return len(lines)


async def _run(options: argparse.Namespace) -> int:
    if options.write_rows is not None:
        print(f"{write_rows(options.write_rows):,} rows")  # noqa: T201
        return 0
    database = Database(sqlite_url(options.data_dir / "1022.sqlite3"))
    try:
        kb = await KnowledgeBase.open(database, options.data_dir)
    finally:
        await database.close()
    cases = read_cases(kb, read_intents(options.intents))
    costs = Costs()
    thresholds = fit([case for case in cases if not is_held_out(case)], costs, Thresholds())
    held_out = [case for case in cases if is_held_out(case)]
    content = {
        "thresholds": asdict(thresholds),
        "made": {
            "by": "python -m actions.fitting",
            "on": datetime.now(UTC).date().isoformat(),
            "entries": kb.size,
            "questions": len(cases),
            "intents": "read by the bot" if options.intents else "as labelled",
            "costs": asdict(costs),
            "held_out": figures(held_out, thresholds),
            "defaults_held_out": figures(held_out, Thresholds()),
        },
    }
    options.out.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(content["made"], indent=1))  # noqa: T201
    return 0


def main(arguments: Iterable[str] | None = None) -> int:
    """Fit on the command line's instance and write the result."""
    parser = argparse.ArgumentParser(prog="python -m actions.fitting", description="Fit when to answer.")
    parser.add_argument("--data-dir", type=Path, default=Path("var"), help="folder of an instance")
    parser.add_argument("--intents", type=Path, help="predictions of our own rows, for the bot's intents")
    parser.add_argument("--write-rows", type=Path, help="only write our rows, for `make predict`")
    parser.add_argument("--out", type=Path, default=FITTED, help="where the thresholds go")
    return asyncio.run(_run(parser.parse_args(None if arguments is None else list(arguments))))


if __name__ == "__main__":
    sys.exit(main())
