"""A message that could answer something is read as an answer only where something was asked."""

from __future__ import annotations

import pytest
from rasa.shared.core.events import ActiveLoop, SlotSet
from rasa.shared.core.slots import AnySlot
from rasa.shared.core.trackers import DialogueStateTracker

from bot.context import in_context

_PARSED = {
    "intent": {"name": "inform", "confidence": 0.6},
    "intent_ranking": [
        {"name": "inform", "confidence": 0.6},
        {"name": "report_problem", "confidence": 0.3},
        {"name": "correct", "confidence": 0.1},
    ],
}


def _tracker(*events: object) -> DialogueStateTracker:
    slots = [AnySlot(name, mappings=[{}]) for name in ("candidates", "pending_aspects", "procedure_code")]
    tracker = DialogueStateTracker("a-conversation", slots)
    for event in events:
        tracker.update(event)
    return tracker


def test_at_first_a_message_answers_nothing() -> None:
    read = in_context(_PARSED, _tracker())
    assert read["intent"]["name"] == "report_problem"
    assert read["intent"]["confidence"] == pytest.approx(1.0)
    assert [item["name"] for item in read["intent_ranking"]] == ["report_problem"]


@pytest.mark.parametrize(
    "event",
    [
        ActiveLoop("report_form"),
        SlotSet("candidates", [{"code": "1.001193"}]),
        SlotSet("pending_aspects", ["fee"]),
    ],
)
def test_what_was_asked_may_be_answered(event: object) -> None:
    assert in_context(_PARSED, _tracker(event)) == _PARSED


def test_a_ranking_of_answers_alone_stays() -> None:
    only = {"intent": _PARSED["intent"], "intent_ranking": _PARSED["intent_ranking"][:1]}
    assert in_context(only, _tracker()) == only


@pytest.mark.parametrize(
    ("event", "name"), [(None, "report_problem"), (SlotSet("procedure_code", "1.001193"), "show_full")]
)
def test_the_whole_answer_needs_something_answered_before(event: object, name: str) -> None:
    asked = {
        "intent": {"name": "show_full", "confidence": 0.5},
        "intent_ranking": [
            {"name": "show_full", "confidence": 0.5},
            {"name": "report_problem", "confidence": 0.3},
            {"name": "return_to_bot", "confidence": 0.2},
        ],
    }
    read = in_context(asked, _tracker(*([event] if event else [])))
    assert read["intent"]["name"] == name
    assert "return_to_bot" not in {item["name"] for item in read["intent_ranking"]}
