"""Leaves out what a message cannot mean where it stands in the conversation.

"Đèn đường hỏng trước số 12 Trần Phú" reads like the answer to "where?" as much as like a report. Whether it
can be one is no question of its words: where nothing was asked, there is nothing to answer. In the same way
"xem hết đi" needs something shown before, and who is with the assistant cannot go back to it.
"""

from __future__ import annotations

from typing import Any

from rasa.shared.core.trackers import DialogueStateTracker

_ASKING_SLOTS = ("candidates", "pending_aspects")
_ANSWERS = frozenset({"inform", "correct", "refuse_personal_data"})
# Also said of what was answered: "cái đầu tiên", "xem đầy đủ".
_TAKING_UP = frozenset({"choose_option", "show_full"})
_NEVER_TYPED = frozenset({"return_to_bot"})


def something_was_asked(tracker: DialogueStateTracker) -> bool:
    """Tell whether the assistant waits for an answer: a form is being filled, or choices were offered."""
    return bool(tracker.active_loop_name) or any(tracker.get_slot(slot) for slot in _ASKING_SLOTS)


def _impossible(tracker: DialogueStateTracker) -> frozenset[str]:
    """Return the intents that a typed message cannot have at this point."""
    if something_was_asked(tracker):
        return _NEVER_TYPED
    if tracker.get_slot("procedure_code"):
        return _NEVER_TYPED | _ANSWERS
    return _NEVER_TYPED | _ANSWERS | _TAKING_UP


def in_context(parsed: dict[str, Any], tracker: DialogueStateTracker) -> dict[str, Any]:
    """Return a parse without the intents that a typed message cannot have where it stands.

    The confidences of the others are scaled to what they share.
    """
    impossible = _impossible(tracker)
    kept = [item for item in parsed["intent_ranking"] if item["name"] not in impossible]
    if not kept or len(kept) == len(parsed["intent_ranking"]):
        return parsed
    lost = sum(item["confidence"] for item in parsed["intent_ranking"]) - sum(i["confidence"] for i in kept)
    scale = 1.0 / max(1.0 - lost, 1e-6)
    ranking = [{**item, "confidence": min(1.0, item["confidence"] * scale)} for item in kept]
    return {**parsed, "intent": ranking[0], "intent_ranking": ranking}
