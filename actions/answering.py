"""Decides what to do with a question: answer it, ask which procedure is meant, or hand it to a person.

Pure: everything a decision hangs on is handed in, and all numbers are in `Thresholds`, which
`actions.fitting` writes to `thresholds.json`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Literal

from kb_index.service import Hit, SearchResult

MOST_CHOICES = 4
FEWEST_CHOICES = 2
# The intent of a question that may be about no procedure at all.
UNSURE_INTENT = "ask_information"
FITTED = Path(__file__).with_name("thresholds.json")


@dataclass(frozen=True)
class Thresholds:
    """Numbers that decisions hang on; all but `weak_words` are probabilities.

    Attributes:
        answer: search confidence from which a procedure is answered for.
        answer_unsure: the same when the intent is no question about a procedure (`ask_information`).
        article: search confidence from which an article is answered with.
        clarify: probability that the right one is among the first three from which choices are offered.
        clarify_unsure: the same for `ask_information`.
        near: confidence of a hit from which it is offered as a choice.
        margin: lead over the second hit's confidence below which choices are offered, unless `sure`.
        sure: search confidence from which the lead does not matter.
        new_topic: search confidence from which a message of few words leaves the procedure in hand.
        weak_words: number of content words up to which a message may be a follow-up.
        emergency: intent confidence from which an emergency is taken as one.
        emergency_low: intent confidence from which the number is said before anything else.
    """

    answer: float = 0.5
    answer_unsure: float = 0.7
    article: float = 0.8
    clarify: float = 0.3
    clarify_unsure: float = 0.6
    near: float = 0.03
    margin: float = 0.1
    sure: float = 0.8
    new_topic: float = 0.75
    weak_words: int = 2
    emergency: float = 0.6
    emergency_low: float = 0.3

    @classmethod
    def from_file(cls, file: Path) -> Thresholds:
        """Read thresholds from a JSON object, or from its "thresholds"; what it leaves out keeps its default.

        Raises:
            ValueError: the file is no JSON object, or names a threshold that does not exist.
        """
        values = json.loads(file.read_text(encoding="utf-8"))
        if not isinstance(values, dict):
            raise ValueError(f"{file.name} must hold a JSON object")
        values = values.get("thresholds", values)
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            raise ValueError(f"{file.name} names unknown thresholds: {', '.join(sorted(unknown))}")
        return cls(**values)


@cache
def fitted() -> Thresholds:
    """Return the thresholds that come with this package."""
    return Thresholds.from_file(FITTED)


@dataclass(frozen=True)
class Evidence:
    """What is known of a question when it is decided."""

    intent: str
    intent_confidence: float
    result: SearchResult
    residue: tuple[str, ...]
    in_hand: str | None
    refers: bool = False


@dataclass(frozen=True)
class Decision:
    """What to do: `hits` are what is answered for (one) or offered (2 to 4).

    `reason` says why in one word, for the hand-over and for logs.
    """

    kind: Literal["answer", "follow_up", "clarify", "handoff"]
    reason: str
    hits: tuple[Hit, ...] = ()


def decide(evidence: Evidence, thresholds: Thresholds) -> Decision:
    """Return what to do with a question.

    In order: a message with hardly a word of its own follows up the procedure in hand; a hit that is certain
    enough is answered for; several near ones are offered; otherwise a person is asked.
    """
    hits = evidence.result.hits
    confidence = evidence.result.confidence if hits else 0.0
    if evidence.in_hand and _is_follow_up(evidence, confidence, thresholds):
        return Decision("follow_up", "context")
    if not evidence.residue and not evidence.in_hand and confidence < thresholds.answer:
        return Decision("handoff" if evidence.intent == UNSURE_INTENT else "clarify", "no_topic")
    if not hits:
        return Decision("handoff", "nothing_found")
    best = hits[0]
    if confidence >= _needed(best, evidence, thresholds) and (
        confidence >= thresholds.sure or _lead(hits) >= thresholds.margin
    ):
        return Decision("answer", best.kind, (best,))
    is_unsure = evidence.intent == UNSURE_INTENT
    if evidence.result.near >= (thresholds.clarify_unsure if is_unsure else thresholds.clarify):
        near = _near(hits, thresholds)
        if len(near) >= FEWEST_CHOICES:
            return Decision("clarify", "several", near)
    return Decision("handoff", "nothing_near")


def _is_follow_up(evidence: Evidence, confidence: float, thresholds: Thresholds) -> bool:
    hits = evidence.result.hits
    if hits and hits[0].code == evidence.in_hand:
        return True
    if evidence.refers and confidence < thresholds.sure:
        return True
    # What looks like a question word may be a topic's own ("giấy kết hôn"): a certain search outweighs it.
    return len(evidence.residue) <= thresholds.weak_words and confidence < thresholds.new_topic


def _needed(best: Hit, evidence: Evidence, thresholds: Thresholds) -> float:
    if best.kind == "article":
        return thresholds.article
    return thresholds.answer_unsure if evidence.intent == UNSURE_INTENT else thresholds.answer


def _lead(hits: list[Hit]) -> float:
    return hits[0].confidence - hits[1].confidence if len(hits) > 1 else 1.0


def _near(hits: list[Hit], thresholds: Thresholds) -> tuple[Hit, ...]:
    """Return the best procedures; where only one stands out, the next one with it, as a real choice."""
    procedures = [hit for hit in hits if hit.kind == "procedure"]
    near = [hit for hit in procedures if hit.confidence >= thresholds.near][:MOST_CHOICES]
    return tuple(near if len(near) >= FEWEST_CHOICES else procedures[:FEWEST_CHOICES])
