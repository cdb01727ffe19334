"""Tells which messages there is something to learn from, and why. Pure: turn records in, a finding out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

Reason = Literal[
    "corrected", "chosen_second", "clarified_and_none_chosen", "unclear", "nothing_found", "asked_person"
]
REASONS: tuple[str, ...] = get_args(Reason)
"""The most telling first: a text that was seen for several reasons keeps the first of them."""

_HANDED_OVER: dict[str, Reason] = {
    "nothing_found": "nothing_found",
    "nothing_near": "nothing_found",
    "no_topic": "nothing_found",
    "aspect_unknown": "nothing_found",
    "not_understood": "unclear",
    "still_unclear": "unclear",
}
_WORDS = "text"

Turn = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Finding:
    """Why a message is kept; `hint` is the code of the entry that was right, where that is known."""

    reason: Reason
    hint: str | None = None


def needs_next(turn: Turn) -> bool:
    """Tell whether what came after a message decides what there is to learn from it."""
    return turn.get("route") == "clarify" and bool(turn.get("procedures"))


def asks_for_person(turn: Turn) -> bool:
    """Tell whether a message asked for a person, so that the one before it may have been answered badly."""
    return _handoff_code(turn) == "asked_for"


def find(kind: str, turn: Turn, following: Turn | None) -> Finding | None:
    """Return what there is to learn from a message, None for nothing.

    Args:
        kind: the message's kind; only what was typed is looked at.
        turn: its record.
        following: the record of the next message in the session; needed where `needs_next` says so.
    """
    if kind != _WORDS or turn.get("intent") is None or turn.get("failure"):
        return None  # a button, or decided before the classifier saw it
    route = turn.get("route")
    if route == "unclear":
        return Finding("unclear")
    if route == "handoff":
        reason = _HANDED_OVER.get(_handoff_code(turn) or "")
        return None if reason is None else Finding(reason)
    if needs_next(turn):
        return _after_choices(turn, following or {})
    return None


def find_before_person(kind: str, turn: Turn) -> Finding | None:
    """Return the finding on a message whose answer was followed by the wish for a person."""
    is_answer = kind == _WORDS and turn.get("route") == "answer" and turn.get("intent") is not None
    return Finding("asked_person") if is_answer else None


def _after_choices(turn: Turn, following: Turn) -> Finding | None:
    offered = codes(turn)
    after = codes(following)
    is_choice = following.get("intent") == "choose_option" or (after and following.get("route") == "answer")
    if is_choice and after and after[0] in offered and _handoff_code(following) != "none_of_the_choices":
        # Who took the first had only to be asked because the search was not sure.
        return Finding("chosen_second", after[0]) if after[0] != offered[0] else None
    return Finding("clarified_and_none_chosen")


def codes(turn: Turn) -> list[str]:
    """Return the codes of a turn's procedures, best first."""
    return [str(item["code"]) for item in turn.get("procedures") or []]


def _handoff_code(turn: Turn) -> str | None:
    return (turn.get("handoff") or {}).get("code")
