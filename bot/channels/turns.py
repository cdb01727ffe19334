"""One turn as the gateway answers it, read from the tracker: the same for a fresh turn and for a replay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rasa.shared.core.constants import ACTION_LISTEN_NAME
from rasa.shared.core.events import ActionExecuted, BotUttered, Event, UserUttered

RANKING_LENGTH = 5


def events_of_turn(events: Iterable[Event], message_id: str) -> list[Event] | None:
    """Return the user's event with `message_id` and what followed it, up to the next message of the user.

    None when there is no such message, or when the turn never came to rest (no `action_listen` after it):
    such a turn is not done and has to run again.
    """
    turn: list[Event] = []
    for event in events:
        if isinstance(event, UserUttered):
            if turn:
                break
            if event.metadata.get("message_id") == message_id:
                turn.append(event)
        elif turn:
            turn.append(event)
    rested = any(isinstance(e, ActionExecuted) and e.action_name == ACTION_LISTEN_NAME for e in turn)
    return turn if rested else None


def _scored(intent: dict[str, Any]) -> dict[str, Any]:
    return {"name": intent.get("name"), "confidence": round(float(intent.get("confidence") or 0.0), 6)}


def _entity(entity: dict[str, Any]) -> dict[str, Any]:
    return {key: entity.get(key) for key in ("entity", "value", "start", "end")}


def _message(event: BotUttered) -> dict[str, Any]:
    custom = event.data.get("custom") or {}
    return {
        "text": event.text or "",
        "buttons": [
            {"title": button.get("title", ""), "payload": button.get("payload", "")}
            for button in event.data.get("buttons") or []
        ],
        "turn": custom.get("turn"),
    }


def answer(turn: list[Event], *, replayed: bool) -> dict[str, Any]:
    """Return the body of the gateway's answer for `turn`, as `events_of_turn` found it."""
    message = turn[0]
    assert isinstance(message, UserUttered)
    parsed: dict[str, Any] = dict(message.parse_data)
    return {
        "message_id": message.metadata["message_id"],
        "replayed": replayed,
        "intent": _scored(message.intent),
        "ranking": [_scored(intent) for intent in parsed.get("intent_ranking", [])[:RANKING_LENGTH]],
        "entities": [_entity(entity) for entity in message.entities],
        "messages": [_message(event) for event in turn if isinstance(event, BotUttered)],
    }
