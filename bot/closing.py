"""Reads long messages twice: whole, and their last clause by itself.

Many people tell their story first and ask at the end; the story drowns the question for a classifier that
counts words. Where the last clause of a long message asks about a procedure, the confidences of both readings
are averaged. Reports and emergencies are told the other way round, so for them only the whole counts.
"""

from __future__ import annotations

import re
from typing import Any

# Shorter messages are one thought. On our own evaluation rows this raises long messages by two points and
# moves nothing else; averaging whatever the last clause is would cost emergencies.
LONG_FROM_WORDS = 16
RANKING_LENGTH = 10
_MIN_CLAUSE_WORDS = 3
_BETWEEN_CLAUSES = re.compile(r"[.?!;\n…]+|,\s")
_QUESTIONS = {
    f"ask_{aspect}"
    for aspect in (
        "overview", "documents", "fee", "time", "place", "steps", "online", "form", "legal", "conditions",
        "result", "who",
    )
}  # fmt: skip


def closing_clause(text: str) -> str | None:
    """Return the last clause of a long text, None when the text is short or has only one."""
    if len(text.split()) < LONG_FROM_WORDS:
        return None
    clauses = [part.strip() for part in _BETWEEN_CLAUSES.split(text)]
    clauses = [part for part in clauses if len(part.split()) >= _MIN_CLAUSE_WORDS]
    return clauses[-1] if len(clauses) > 1 else None


def _counts(whole: dict[str, Any], closing: dict[str, Any] | None) -> bool:
    if closing is None or closing["intent"]["name"] not in _QUESTIONS:
        return False
    return not str(whole["intent"]["name"]).startswith("emergency_")


def merge(whole: dict[str, Any], closing: dict[str, Any] | None) -> dict[str, Any]:
    """Return the parse of the whole message with the intents of both, the best few of them only.

    Args:
        whole: Rasa's parse of the message, with the full ranking.
        closing: the parse of its last clause; None leaves the ranking as it is.
    """
    ranking: list[dict[str, Any]] = whole.get("intent_ranking") or []
    if closing is not None and _counts(whole, closing):
        asked = {item["name"]: item["confidence"] for item in closing["intent_ranking"]}
        both = [{**item, "confidence": (item["confidence"] + asked[item["name"]]) / 2} for item in ranking]
        ranking = sorted(both, key=lambda item: -item["confidence"])
    intent = ranking[0] if ranking else whole["intent"]
    return {**whole, "intent": intent, "intent_ranking": ranking[:RANKING_LENGTH]}
