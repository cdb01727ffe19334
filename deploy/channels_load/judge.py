"""Compares what people wrote with what their phones show and what the provider noted about its deliveries."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from deploy.channels_load.played import Played, Shown

_NUMBER = re.compile(r"số (\d+)")
_MOST_SHOWN = 20


@dataclass
class Findings:
    """What came out; `wrong` holds one sentence for each thing that should not be."""

    said: int = 0
    good: int = 0
    forged: int = 0
    answered: int = 0
    sent_twice: int = 0
    wrong: list[str] = field(default_factory=list)


def number_of(text: str) -> int | None:
    """Return the number that names a question, also in its answer."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else None


def judge_phone(user: str, screen: Sequence[Shown], good: set[int], findings: Findings) -> None:
    """Check one phone: every good question answered once, in the order of asking, no other answered.

    An answer that stands twice in a row is counted by itself: where a provider takes no reference of ours, it
    can be the price of a crash between its yes and our note of it.
    """
    asked = [number for one in screen if one.is_mine and (number := number_of(one.text)) is not None]
    answers = [number for one in screen if not one.is_mine and (number := number_of(one.text)) is not None]
    expected = [number for number in asked if number in good]
    once = list(dict.fromkeys(answers))
    findings.said += len(asked)
    findings.good += len(expected)
    findings.answered += len(once)
    findings.sent_twice += len(answers) - len(once)
    if missing := [number for number in expected if number not in once]:
        findings.wrong.append(f"{user}: not answered: {missing[:_MOST_SHOWN]}")
    if extra := [number for number in once if number not in good]:
        findings.wrong.append(f"{user}: answered though badly signed: {extra[:_MOST_SHOWN]}")
    if not missing and not extra and once != expected:
        findings.wrong.append(f"{user}: out of order: asked {expected}, answered {once}")
    if len(answers) != len(once):
        twice = sorted({number for number in answers if answers.count(number) > 1})
        findings.wrong.append(f"{user}: answered twice: {twice[:_MOST_SHOWN]}")


async def judge(played: Played, good: set[int]) -> Findings:
    """Check every phone."""
    findings = Findings()
    for user in await played.users():
        judge_phone(user, await played.screen(user), good, findings)
    return findings


def judge_deliveries(deliveries: Sequence[dict[str, Any]], findings: Findings) -> dict[str, float]:
    """Check the provider's record; return the times of acknowledgement in milliseconds."""
    times: list[float] = []
    repeats = 0
    for entry in deliveries:
        if entry["forged"]:
            findings.forged += 1
            if entry["status"] not in (401, 403, None):
                findings.wrong.append(f"badly signed, but answered {entry['status']}")
        elif entry["status"] == 200:
            times.append(entry["ms"])
        repeats += bool(entry.get("repeat"))
    return {
        "deliveries": len(deliveries),
        "repeated": repeats,
        "ack_p50_ms": percentile(times, 50),
        "ack_p95_ms": percentile(times, 95),
        "ack_p99_ms": percentile(times, 99),
        "ack_most_ms": max(times, default=math.nan),
    }


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that `share` percent of `values` do not exceed (nearest rank)."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(0, math.ceil(len(ordered) * share / 100) - 1)]
