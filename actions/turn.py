"""One message of a citizen as the actions see it: text, intent, context, and what was said before."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rasa_sdk import Tracker

from vntext.canonical import canonical
from vntext.catalogue import say
from vntext.normalise import normalise, strip_marks

_POSTBACK = re.compile(r"^/(?P<intent>[a-z0-9_]+)(?P<values>\{.*\})?$", re.DOTALL)
_FALLBACK = "nlu_fallback"


@dataclass(frozen=True)
class Turn:
    """A message with its intent and the state of the conversation.

    `text` is as typed (normalised); `plain` the canonical text without marks, for comparing; `payload` holds
    the values of a tapped button. `files` are the ids of the stored files that came with the message,
    `location` the point on the map that came with it, as it is written.
    """

    text: str
    intent: str
    confidence: float
    ranking: tuple[tuple[str, float], ...]
    is_postback: bool
    payload: Mapping[str, Any]
    slots: Mapping[str, Any]
    message_id: str
    conversation_id: str
    channel: str
    after_emergency: str | None
    earlier: tuple[EarlierTurn, ...] = field(default=())
    files: tuple[str, ...] = ()
    location: str | None = None

    @property
    def is_only_location(self) -> bool:
        """Whether there is nothing but a point on the map."""
        return self.location is not None and self.text == self.location

    @property
    def is_only_files(self) -> bool:
        """Whether there is nothing but files: no word, no tap."""
        return bool(self.files) and not self.text and not self.is_postback

    @property
    def plain(self) -> str:
        """The canonical text without marks."""
        return strip_marks(canonical(self.text))

    @property
    def procedure_in_hand(self) -> str | None:
        """The code of the procedure the conversation is about."""
        return self.slots.get("procedure_code") or None

    @property
    def candidates(self) -> list[dict[str, str]]:
        """The choices offered last: code and title each."""
        return list(self.slots.get("candidates") or [])

    @property
    def pending_aspects(self) -> list[str]:
        """The aspects asked for before a choice had to be made."""
        return list(self.slots.get("pending_aspects") or [])

    @property
    def unclear_count(self) -> int:
        """How many messages in a row were not understood."""
        return int(self.slots.get("unclear_count") or 0)

    def confidence_of(self, prefix: str) -> tuple[str, float]:
        """Return the best intent whose name begins with `prefix`, and its confidence (0 for none)."""
        ranked = [*self.ranking, (self.intent, self.confidence)]
        return max(
            ((name, value) for name, value in ranked if name.startswith(prefix)),
            key=lambda item: item[1],
            default=("", 0.0),
        )


@dataclass(frozen=True)
class EarlierTurn:
    """An earlier message of the same session."""

    text: str
    intent: str
    location: str | None = None


def read_turn(tracker: Tracker) -> Turn:
    """Return the latest message of a tracker.

    The gateway's metadata stands on the user's event; Rasa does not copy it into `latest_message`.
    """
    latest = tracker.latest_message or {}
    user_events = [event for event in tracker.events if event.get("event") == "user"]
    metadata: dict[str, Any] = dict(latest.get("metadata") or {})
    if user_events:
        metadata = {**(user_events[-1].get("metadata") or {}), **metadata}
    raw = str(latest.get("text") or "")
    intent = latest.get("intent") or {}
    name = str(intent.get("name") or "unclear")
    postback = _POSTBACK.match(raw)
    is_postback = postback is not None and postback["intent"] == name
    payload = _values(postback["values"]) if postback is not None and is_postback else {}
    files = tuple(str(file["id"]) for file in metadata.get("attachments") or ())
    # Files without a word are sent to Rasa with words that stand for them; nobody said those.
    typed = metadata.get("text") if files else metadata.get("text") or raw
    text = "" if is_postback else normalise(str(typed or ""))
    return Turn(
        text=text,
        intent="unclear" if name == _FALLBACK else name,
        confidence=float(intent.get("confidence") or 0.0),
        ranking=tuple(
            (str(item.get("name")), float(item.get("confidence") or 0.0))
            for item in latest.get("intent_ranking") or []
        ),
        is_postback=is_postback,
        payload=payload,
        slots=tracker.current_slot_values(),
        message_id=str(metadata.get("message_id") or latest.get("message_id") or ""),
        conversation_id=str(metadata.get("conversation_id") or tracker.sender_id),
        channel=str(metadata.get("channel") or "webchat"),
        after_emergency=str(metadata["after_emergency"]) if metadata.get("after_emergency") else None,
        earlier=tuple(_earlier(event) for event in user_events[:-1]),
        files=files,
        location=_location(metadata),
    )


def _values(text: str | None) -> dict[str, Any]:
    if not text:
        return {}
    try:
        values = json.loads(text)
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _earlier(event: dict[str, Any]) -> EarlierTurn:
    metadata = event.get("metadata") or {}
    intent = (event.get("parse_data") or {}).get("intent") or {}
    return EarlierTurn(
        text=normalise(str(metadata.get("text") or event.get("text") or "")),
        intent=str(intent.get("name")),
        location=_location(metadata),
    )


def _location(metadata: dict[str, Any]) -> str | None:
    place = metadata.get("location")
    return normalise(say("conversation.kinds.location", **place)) if place else None
