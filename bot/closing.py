"""Reads long messages twice: whole, and their last clause by itself.

Many people tell their story first and ask at the end. The story drowns the question for a classifier that
counts words, so for long messages the confidences of both readings are averaged.
"""

from __future__ import annotations

import re
from typing import Any

# Shorter messages are one thought; the figures come from our own evaluation rows.
LONG_FROM_WORDS = 20
_MIN_CLAUSE_WORDS = 3
_BETWEEN_CLAUSES = re.compile(r"[.?!;\n…]+|,\s")
RANKING_LENGTH = 10


def closing_clause(text: str) -> str | None:
    """Return the last clause of a long text, None when the text is short or has only one."""
    if len(text.split()) < LONG_FROM_WORDS:
        return None
    clauses = [part.strip() for part in _BETWEEN_CLAUSES.split(text)]
    clauses = [part for part in clauses if len(part.split()) >= _MIN_CLAUSE_WORDS]
    return clauses[-1] if len(clauses) > 1 else None


def merge(whole: dict[str, Any], closing: dict[str, Any] | None) -> dict[str, Any]:
    """Return the parse of the whole message with the intents of both, the best few of them only.

    Args:
        whole: Rasa's parse of the message, with the full ranking.
        closing: the parse of its last clause; None leaves the ranking as it is.
    """
    ranking: list[dict[str, Any]] = whole.get("intent_ranking") or []
    if closing is not None and ranking:
        of_closing = {item["name"]: item["confidence"] for item in closing.get("intent_ranking") or []}
        ranking = sorted(
            (
                {
                    **item,
                    "confidence": (item["confidence"] + of_closing.get(item["name"], item["confidence"])) / 2,
                }
                for item in ranking
            ),
            key=lambda item: -item["confidence"],
        )
    intent = ranking[0] if ranking else whole["intent"]
    return {**whole, "intent": intent, "intent_ranking": ranking[:RANKING_LENGTH]}
