"""Leaves out what a message cannot mean where it stands in the conversation.

"Đèn đường hỏng trước số 12 Trần Phú" reads like the answer to "where?" as much as like a report. Whether it can
be an answer is no question of its words: where nothing was asked, there is nothing to answer.
"""

from __future__ import annotations

from typing import Any

from rasa.shared.core.trackers import DialogueStateTracker

_ANSWERS = frozenset({"choose_option", "inform", "correct", "refuse_personal_data"})
_ASKING_SLOTS = ("candidates", "pending_aspects")


def something_was_asked(tracker: DialogueStateTracker) -> bool:
    """Tell whether the assistant waits for an answer: a form is being filled, or choices were offered."""
    return bool(tracker.active_loop_name) or any(tracker.get_slot(slot) for slot in _ASKING_SLOTS)


def in_context(parsed: dict[str, Any], tracker: DialogueStateTracker) -> dict[str, Any]:
    """Return a parse without the intents that only answer something, where nothing was asked.

    The confidences of the others are scaled to what they share.
    """
    if something_was_asked(tracker):
        return parsed
    kept = [item for item in parsed["intent_ranking"] if item["name"] not in _ANSWERS]
    if not kept or len(kept) == len(parsed["intent_ranking"]):
        return parsed
    lost = sum(item["confidence"] for item in parsed["intent_ranking"]) - sum(i["confidence"] for i in kept)
    scale = 1.0 / max(1.0 - lost, 1e-6)
    ranking = [{**item, "confidence": min(1.0, item["confidence"] * scale)} for item in kept]
    return {**parsed, "intent": ranking[0], "intent_ranking": ranking}
