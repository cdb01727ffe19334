"""The decision between answering, asking back and handing over, as a function of the evidence."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from actions.answering import FITTED, Evidence, Thresholds, decide, fitted
from kb_index.service import Hit, SearchResult

LIMITS = Thresholds()


def hit(code: str, confidence: float, score: float = 5.0, kind: str = "procedure") -> Hit:
    return Hit(code=code, kind=kind, title=code, short_name=code, score=score, confidence=confidence)  # type: ignore[arg-type]


def decided(
    *hits: Hit,
    intent: str = "ask_fee",
    residue: tuple[str, ...] = ("khai", "sinh", "con"),
    in_hand: str | None = None,
    near: float | None = None,
):
    """Decide; unless `near` says otherwise one of the first three is right as probably as they say."""
    among = min(1.0, sum(item.confidence for item in hits[:3])) if near is None else near
    result = SearchResult(list(hits), hits[0].confidence if hits else 0.0, among)
    return decide(Evidence(intent, 0.9, result, residue, in_hand), LIMITS)


def test_a_certain_hit_is_answered_for() -> None:
    decision = decided(hit("a", 0.9), hit("b", 0.05))
    assert (decision.kind, decision.hits[0].code) == ("answer", "a")


def test_two_that_are_equally_likely_are_offered() -> None:
    decision = decided(hit("a", 0.52), hit("b", 0.47), hit("c", 0.01))
    assert (decision.kind, [item.code for item in decision.hits]) == ("clarify", ["a", "b"])


def test_at_most_four_are_offered() -> None:
    decision = decided(*(hit(str(number), 0.15) for number in range(7)))
    assert decision.kind == "clarify"
    assert len(decision.hits) == 4


def test_what_is_near_only_together_is_offered() -> None:
    assert decided(hit("a", 0.2), hit("b", 0.18), near=0.7).kind == "clarify"
    assert decided(hit("a", 0.2), hit("b", 0.18), near=0.1).kind == "handoff"


def test_the_thresholds_of_the_package_are_fitted_and_in_order() -> None:
    limits = fitted()
    assert 0 < limits.clarify < limits.answer <= limits.answer_unsure < 1
    assert limits.near < limits.clarify
    made = json.loads(FITTED.read_text(encoding="utf-8"))["made"]
    assert made["held_out"]["wrong"] <= 0.08
    assert made["held_out"]["right"] >= 0.6


def test_nothing_near_goes_to_a_person() -> None:
    assert decided(hit("a", 0.03, 2.0), hit("b", 0.02, 1.0)).kind == "handoff"
    assert decided().kind == "handoff"


def test_a_question_that_is_no_procedure_needs_an_article_or_more_certainty() -> None:
    assert decided(hit("a", 0.55), hit("b", 0.02), intent="ask_information").kind == "handoff"
    assert decided(hit("a", 0.25), hit("b", 0.25), intent="ask_information").kind == "handoff"
    assert decided(hit("x", 0.9, kind="article"), intent="ask_information").kind == "answer"


def test_without_words_of_its_own_a_question_follows_up() -> None:
    assert decided(hit("b", 0.4), residue=(), in_hand="a").kind == "follow_up"
    assert decided(hit("b", 0.6), residue=("phường",), in_hand="a").kind == "follow_up"


def test_a_clear_new_topic_replaces_the_procedure_in_hand() -> None:
    decision = decided(hit("b", 0.9), hit("a", 0.02), residue=("kết", "hôn"), in_hand="a")
    assert (decision.kind, decision.hits[0].code) == ("answer", "b")


def test_without_a_topic_at_all_it_is_asked_which() -> None:
    decision = decided(hit("b", 0.05), residue=())
    assert (decision.kind, decision.hits) == ("clarify", ())


def test_thresholds_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "thresholds.json"
    file.write_text(json.dumps({"answer": 0.61, "weak_words": 3}))
    limits = Thresholds.from_file(file)
    assert (limits.answer, limits.weak_words, limits.near) == (0.61, 3, Thresholds().near)


@pytest.mark.parametrize("content", ["[]", '{"no_such": 1}', "{"])
def test_a_wrong_file_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "thresholds.json"
    file.write_text(content)
    with pytest.raises(ValueError, match=r"."):
        Thresholds.from_file(file)
