"""Says the emergency number where the classifier sees an emergency that the rules before it missed."""

from __future__ import annotations

from actions.replies import Reply, TurnRecord, paragraphs
from vntext.catalogue import say
from vntext.emergency import KINDS, Emergency
from vntext.emergency_reply import emergency_reply

_RULE = "classifier"


def _text(kind: str) -> str:
    number = next(known for known in KINDS if known == kind)
    return emergency_reply(Emergency(kind=number, also=(), rule=_RULE, excluded_by=None))


def redirect(kind: str) -> Reply:
    """Return the emergency message of 113, 114 or 115; nothing else is said with it."""
    return Reply(_text(kind), TurnRecord(f"redirect_{kind}"))


def redirect_softly(kind: str) -> Reply:
    """Return the same for a message that may be no emergency: the number first, then the offer to go on."""
    text = paragraphs([_text(kind), say("dialogue.emergency.maybe")])
    return Reply(text, TurnRecord(f"redirect_{kind}"))
