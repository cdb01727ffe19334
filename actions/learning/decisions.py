"""Decisions from a file, for scripts and tests: one JSON object a line.

    {"texts": ["…", "…"], "intent": "ask_fee"}
    {"texts": ["…"], "procedure": "1.001193", "names": ["giấy khai sinh cho bé"]}
    {"texts": ["…"], "drop": true}
    {"undo": true}

`names` may be left out: then what each text calls its topic is the name.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from actions.learning.labelling import Labeller, Result, UnknownLabelError, pick
from actions.learning.proposals import Proposer
from actions.learning.samples import LearningSamples, Sample

_MOST = 100_000


class DecisionsError(ValueError):
    """A line is no decision, or names what there is not."""


class Decision(BaseModel):
    """One line."""

    model_config = ConfigDict(extra="forbid")

    texts: list[str] = []
    intent: str | None = None
    procedure: str | None = None
    names: list[str] | None = None
    drop: bool = False
    undo: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Decision:
        if sum((self.intent is not None, self.procedure is not None, self.drop, self.undo)) != 1:
            raise ValueError("a decision is one of intent, procedure, drop and undo")
        if self.undo == bool(self.texts):
            raise ValueError("a decision needs texts, undo has none")
        if self.names is not None and self.procedure is None:
            raise ValueError("names belong to a procedure")
        return self


def read_decisions(file: Path) -> list[Decision]:
    """Return the decisions of a file.

    Raises:
        DecisionsError: a line is none.
    """
    decisions = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        if line.strip():
            try:
                decisions.append(Decision.model_validate_json(line))
            except ValidationError as error:
                raise DecisionsError(f"{file.name}:{number}: {error.errors()[0]['msg']}") from error
    return decisions


async def carry_out(
    decisions: list[Decision], samples: LearningSamples, labeller: Labeller, proposer: Proposer
) -> Result:
    """Carry decisions out in order; return what became of all their texts.

    Raises:
        DecisionsError: a text does not wait for a label, or a label does not exist; what came before is done.
    """
    whole = Result()
    for number, decision in enumerate(decisions, 1):
        if decision.undo:
            undone = await labeller.undo()
            whole.written["undone"] = whole.written.get("undone", 0) + len(undone)
            continue
        some, missing = pick(await samples.open(_MOST), decision.texts)
        if missing:
            raise DecisionsError(f"decision {number}: {missing[0]!r} does not wait for a label")
        result = await _one(decision, some, labeller, proposer, number)
        for state, count in result.written.items():
            whole.written[state] = whole.written.get(state, 0) + count
        whole.refused += result.refused
    return whole


async def _one(
    decision: Decision, some: list[Sample], labeller: Labeller, proposer: Proposer, number: int
) -> Result:
    if decision.drop:
        return await labeller.drop(some)
    if decision.procedure is not None:
        if proposer.title(decision.procedure) is None:
            raise DecisionsError(f"decision {number}: the knowledge base has no {decision.procedure}")
        return await labeller.accept_procedure(some, decision.procedure, decision.names)
    assert decision.intent is not None
    try:
        return await labeller.accept_intent(some, decision.intent)
    except UnknownLabelError as error:
        raise DecisionsError(f"decision {number}: there is no intent {error}") from error


async def listing(samples: LearningSamples, proposer: Proposer, limit: int) -> list[dict[str, Any]]:
    """Return the groups that wait with what is proposed for each, as plain values."""
    return [
        {
            "texts": [sample.text for sample in group.samples],
            "said": group.said,
            "reasons": sorted({sample.reason for sample in group.samples}),
            "intents": [
                {"name": intent.name, "share": intent.share, "phrase": intent.phrase}
                for intent in proposed.intents
            ],
            "procedures": [
                {"code": entry.code, "title": entry.title, "share": entry.share, "chosen": entry.chosen}
                for entry in proposed.entries
            ],
        }
        for group in proposer.groups(await samples.open(limit))
        for proposed in (proposer.propose(group),)
    ]
