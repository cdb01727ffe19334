"""Long messages are read twice: whole, and their last clause."""

from __future__ import annotations

import pytest

from bot.closing import RANKING_LENGTH, closing_clause, merge

STORY = "Nhà em ở Chư Prông mới sinh bé hôm tuần trước mà cha bé đi làm xa chưa về được"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("làm giấy khai sinh cần gì?", None),
        (STORY + " nên giờ muốn hỏi cần giấy tờ gì", None),
        (STORY + ". Vậy cần giấy tờ gì?", "Vậy cần giấy tờ gì"),
        (STORY + ", giờ em phải làm ở đâu", "giờ em phải làm ở đâu"),
        (STORY + ". Vậy cần giấy tờ gì? Cảm ơn", "Vậy cần giấy tờ gì"),
        ("", None),
    ],
)
def test_the_last_clause_of_a_long_text(text, expected):
    assert closing_clause(text) == expected


def test_a_question_at_the_end_counts_half():
    merged = merge(parsed(report_problem=0.6, ask_fee=0.3), parsed(ask_fee=0.9, report_problem=0.1))

    assert merged["intent"] == {"name": "ask_fee", "confidence": pytest.approx(0.6)}
    assert [item["name"] for item in merged["intent_ranking"]] == ["ask_fee", "report_problem"]
    assert merged["entities"] == ["kept"]


@pytest.mark.parametrize(
    ("whole", "closing"),
    [
        ({"emergency_114": 0.6, "ask_fee": 0.3}, {"ask_fee": 0.9, "emergency_114": 0.1}),
        ({"report_problem": 0.6, "thank": 0.3}, {"thank": 0.9, "report_problem": 0.1}),
    ],
)
def test_otherwise_the_whole_message_decides(whole, closing):
    assert merge(parsed(**whole), parsed(**closing)) == parsed(**whole)


def test_only_the_best_intents_are_kept():
    whole = parsed(**{f"i{n}": (20 - n) / 210 for n in range(20)})
    merged = merge(whole, None)
    assert merged["intent_ranking"] == whole["intent_ranking"][:RANKING_LENGTH]


def test_a_command_has_no_ranking_to_merge():
    command = {"text": "/ask_fee", "intent": {"name": "ask_fee", "confidence": 1.0}, "intent_ranking": []}
    assert merge(command, None)["intent"]["name"] == "ask_fee"


def parsed(**confidences):
    ranking = [{"name": name, "confidence": value} for name, value in confidences.items()]
    return {"text": "t", "entities": ["kept"], "intent": ranking[0], "intent_ranking": ranking}
