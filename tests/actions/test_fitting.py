"""Fitting when to answer: costs, what is held out, and that the fit finds what is cheapest."""

from __future__ import annotations

import json
from pathlib import Path

from actions.answering import Evidence, Thresholds
from actions.fitting import Case, Costs, cost, figures, fit, is_held_out, main, read_intents
from kb_index.service import Hit, SearchResult
from vntext.normalise import strip_marks


def case(
    confidence: float, *, right: bool = True, intent: str = "ask_fee", keys: tuple[str, ...] = ("a",)
) -> Case:
    codes = ("a", "b") if right else ("b", "a")
    hits = [
        Hit(code, "procedure", code, code, 5.0 - place, confidence if place == 0 else (1 - confidence) / 2)
        for place, code in enumerate(codes)
    ]
    result = SearchResult(hits, confidence, min(1.0, confidence + 0.2))
    return Case("khai sinh", Evidence(intent, 0.9, result, ("khai", "sinh"), None), frozenset(keys))


def test_a_base_that_is_right_where_it_is_sure_is_answered_from_there() -> None:
    cases = [case(0.9)] * 20 + [case(0.55)] * 10 + [case(0.3, right=False)] * 10 + [case(0.25, keys=())] * 10
    fitted = fit(cases, Costs(), Thresholds())
    assert 0.3 < fitted.answer <= 0.55
    assert cost(cases, fitted, Costs()) <= cost(cases, Thresholds(), Costs())
    shares = figures(cases, fitted)
    assert shares["right"] == 0.75
    assert shares["wrong"] == 0.0
    assert shares["not_in_base"] == 0.0


def test_both_ways_of_typing_are_on_the_same_side() -> None:
    texts = [f"đăng ký khai sinh số {number}" for number in range(40)]
    sides = [is_held_out(Case(text, case(0.5).evidence, frozenset())) for text in texts]
    plain = [is_held_out(Case(strip_marks(text), case(0.5).evidence, frozenset())) for text in texts]
    assert sides == plain
    assert 5 < sum(sides) < 35


def test_rows_are_written_and_intents_read(tmp_path: Path) -> None:
    rows, predictions = tmp_path / "rows.jsonl", tmp_path / "predictions.jsonl"
    assert main(["--write-rows", str(rows)]) == 0
    written = [json.loads(line) for line in rows.read_text(encoding="utf-8").splitlines()]
    assert len({row["id"] for row in written}) == len(written) > 1500
    turn = {"route": "answer", "intent": "ask_fee", "confidence": 0.8}
    predictions.write_text(json.dumps({"id": "X1", "turns": [turn]}) + "\n", encoding="utf-8")
    assert read_intents(predictions) == {"X1": ("ask_fee", 0.8)}
    assert read_intents(None) == {}
