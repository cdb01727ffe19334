"""What an action says: texts, buttons and the turn record that goes with each message."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from vntext.catalogue import say

ASPECTS = (
    "overview", "documents", "fee", "time", "place", "steps", "online", "form", "legal", "conditions",
    "result", "who",
)  # fmt: skip
MOST_PROCEDURES = 10


@dataclass(frozen=True)
class Button:
    """Something to tap; `payload` is an intent command such as `/ask_fee{"procedure_code": "1.001193"}`."""

    title: str
    payload: str

    def as_dict(self) -> dict[str, str]:
        """Return the button as Rasa wants it."""
        return {"title": self.title, "payload": self.payload}


@dataclass(frozen=True)
class TurnRecord:
    """What became of a message, for dispatch (hand-over, ticket) and for the evaluation."""

    route: str
    aspects: tuple[str, ...] = ()
    procedures: tuple[tuple[str, float], ...] = ()
    article: str | None = None
    handoff: str | None = None
    ticket: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the record as the contract writes it."""
        return {
            "route": self.route,
            "aspect": self.aspects[0] if self.aspects else None,
            "aspects": list(self.aspects),
            "procedures": [
                {"code": code, "score": round(score, 4)} for code, score in self.procedures[:MOST_PROCEDURES]
            ],
            "article": self.article,
            "handoff": _handoff(self.handoff),
            "ticket": self.ticket,
        }


def _handoff(code: str | None) -> dict[str, str] | None:
    """Return why a person takes over: a line for the operators, and its code for counting."""
    if code is None:
        return None
    return {"reason": say(f"dialogue.handover.reasons.{code}"), "code": code}


@dataclass(frozen=True)
class Reply:
    """One message of the assistant."""

    text: str
    turn: TurnRecord
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What an action does: messages, and slots to set."""

    replies: tuple[Reply, ...] = ()
    slots: dict[str, Any] = field(default_factory=dict)


def command(intent: str, **values: str) -> str:
    """Return the payload of a button for an intent."""
    return f"/{intent}{json.dumps(values, ensure_ascii=False)}" if values else f"/{intent}"


def aspect_button(aspect: str, code: str) -> Button:
    """Return the button that asks for an aspect of a procedure."""
    return Button(say(f"dialogue.aspects.{aspect}"), command(f"ask_{aspect}", procedure_code=code))


def button(name: str, intent: str, **values: str) -> Button:
    """Return a button with its title from the catalogue (`dialogue.buttons.<name>`)."""
    return Button(say(f"dialogue.buttons.{name}"), command(intent, **values))


def paragraphs(parts: Iterable[str]) -> str:
    """Join texts with an empty line between them, leaving out empty ones."""
    return "\n\n".join(part for part in parts if part)
