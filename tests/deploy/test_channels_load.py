"""The load through a channel in small, with real processes; and that its judge sees what is wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from deploy.channels_load.judge import (
    Delivery,
    Findings,
    Question,
    acknowledgement,
    deliveries,
    judge_forged,
    judge_phone,
    percentile,
)
from deploy.channels_load.played import Shown
from deploy.channels_load.run import Plan, run


async def test_nothing_is_lost_doubled_or_out_of_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    plan = Plan(
        channel="messenger",
        messages=60,
        users=12,
        rate=20.0,
        down_after=1.0,
        down_seconds=3.0,
        kills=2,
    )
    figures = await run(plan)
    findings = figures["findings"]
    assert findings["wrong"] == []
    assert findings["said"] >= 60
    assert findings["answered"] >= findings["acknowledged"] > 0
    assert figures["acknowledgement"]["deliveries"] >= 60
    assert figures["kills"]["killed"] == {"app": 2}


def shown(*texts: str) -> list[Shown]:
    """Questions begin with a question mark, answers do not."""
    return [Shown(text.startswith("?"), f"Câu hỏi số {text.lstrip('?')}") for text in texts]


def judged(screen: list[str], forged: set[int], came: dict[int, Delivery]) -> Findings:
    """Judge one phone; what `came` says nothing of was taken as it was written, a second after the other."""
    numbers = [int(text[1:]) for text in screen if text.startswith("?")]
    questions = {number: Question(f"m{number}", number not in forged) for number in numbers}
    times = {number: Delivery(number, number + 0.01) for number in numbers if number not in forged} | came
    findings = Findings()
    judge_phone("u", shown(*screen), questions, {f"m{number}": at for number, at in times.items()}, findings)
    return findings


@pytest.mark.parametrize(
    ("screen", "forged", "wrong"),
    [
        (["?1", "1", "?2", "?3", "2", "3"], set(), ""),
        (["?1", "?2", "2"], {1}, ""),
        (["?1", "?2", "1"], set(), "not answered: [2]"),
        (["?1", "?2", "2", "1"], set(), "out of order: 2 is answered before 1"),
        (["?1", "1", "1"], set(), "answered twice: [1]"),
        (["?1", "1"], {1}, "badly signed"),
    ],
)
def test_the_judge_sees_what_is_wrong(screen: list[str], forged: set[int], wrong: str):
    findings = judged(screen, forged, {})
    assert bool(findings.wrong) is bool(wrong)
    assert wrong in " ".join(findings.wrong)


def test_what_the_provider_gave_up_is_not_held_against_us():
    findings = judged(["?1", "?2", "?3", "2", "3"], set(), {1: Delivery(1.0), 3: Delivery(3.0)})
    assert findings.wrong == []
    assert (findings.good, findings.acknowledged, findings.given_up, findings.taken_unheard) == (3, 1, 2, 1)
    assert findings.missing == 0


@pytest.mark.parametrize(("came_at", "late"), [(2.1, None), (2.5, 1)])
def test_only_what_came_too_late_may_be_answered_later(came_at: float, late: int | None):
    # A question is held for 0.3 s for those that were asked before it.
    findings = judged(["?1", "?2", "2", "1"], set(), {1: Delivery(1.0, came_at), 2: Delivery(2.0, 2.01)})
    assert (findings.wrong == []) is (late is not None)
    assert findings.late == (late or 0)


def webhook(status: int | None, *, forged: bool = False, at: int = 1, repeat: bool = False) -> dict[str, Any]:
    """Return what the provider notes of one try of a second's length, `at` seconds after ten."""
    when = f"2026-11-22T10:00:{at:02}+00:00"
    return {"mids": ["m1"], "at": when, "ms": 1000.0, "status": status, "forged": forged, "repeat": repeat}


def test_a_bad_delivery_that_was_taken_is_wrong():
    findings = Findings()
    judge_forged([webhook(200, forged=True), webhook(403, forged=True), webhook(None, forged=True)], findings)
    assert findings.wrong == ["badly signed, but answered 200"]
    assert (findings.forged, findings.forged_unanswered) == (3, 1)


def test_the_time_of_our_yes_is_the_first_one():
    record = [
        webhook(None, at=2),
        webhook(200, at=5),
        webhook(200, at=9, repeat=True),
        webhook(403, forged=True),
    ]
    (delivery,) = deliveries(record).values()
    assert delivery.acknowledged is not None
    assert delivery.acknowledged - delivery.sent == 4.0
    figures = acknowledgement(record)
    assert (figures["deliveries"], figures["repeated"], figures["not_acknowledged"]) == (4, 1, 1)
    assert figures["ack_p99_ms"] == 1000.0


def test_percentiles():
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (50, 99, 100)] == [50.0, 99.0, 100.0]
