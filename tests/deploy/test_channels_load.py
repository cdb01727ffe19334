"""The load through a channel in small, with real processes; and that its judge sees what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.channels_load.judge import Findings, judge_deliveries, judge_phone, percentile
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
        kills=0,
    )
    figures = await run(plan)
    findings = figures["findings"]
    assert findings["wrong"] == []
    assert findings["said"] >= 60
    assert findings["answered"] == findings["good"]
    assert figures["acknowledgement"]["deliveries"] >= 60


def shown(*texts: str) -> list[Shown]:
    """Questions begin with a question mark, answers do not."""
    return [Shown(text.startswith("?"), f"số {text.lstrip('?')}") for text in texts]


@pytest.mark.parametrize(
    ("screen", "good", "wrong"),
    [
        (["?1", "1", "?2", "?3", "2", "3"], {1, 2, 3}, ""),
        (["?1", "?2", "2"], {2}, ""),
        (["?1", "?2", "1"], {1, 2}, "not answered: [2]"),
        (["?1", "?2", "2", "1"], {1, 2}, "out of order"),
        (["?1", "1", "1"], {1}, "answered twice: [1]"),
        (["?1", "1"], set(), "badly signed"),
    ],
)
def test_the_judge_sees_what_is_wrong(screen: list[str], good: set[int], wrong: str):
    findings = Findings()
    judge_phone("u", shown(*screen), good, findings)
    assert bool(findings.wrong) is bool(wrong)
    assert wrong in " ".join(findings.wrong)


def test_a_bad_delivery_that_was_taken_is_wrong():
    findings = Findings()
    times = judge_deliveries(
        [
            {"forged": True, "status": 200, "ms": 1.0},
            {"forged": True, "status": 403, "ms": 1.0},
            {"forged": False, "status": 200, "ms": 4.0, "repeat": True},
        ],
        findings,
    )
    assert findings.wrong == ["badly signed, but answered 200"]
    assert (findings.forged, times["repeated"], times["ack_p99_ms"]) == (2, 1, 4.0)


def test_percentiles():
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, share) for share in (50, 99, 100)] == [50.0, 99.0, 100.0]
