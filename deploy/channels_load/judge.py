"""Compares what people wrote with what their phones show and what the provider noted about its deliveries.

We answer for what we acknowledged. A question that the provider could not deliver and gave up is counted, not
held against us; one that reached us only after later ones of the same person may be answered after these.
Everything else is strict: what was acknowledged is answered once, in the order of asking, what was badly
signed is refused.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from conversations.service import SETTLE
from deploy.channels_load.played import Played, Shown

_NUMBER = re.compile(r"Câu hỏi số (\d+)")
_MOST_SHOWN = 20
_REFUSALS = (401, 403)


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wrote.

    Attributes:
        mid: the provider's id of it.
        good: the provider signs it as it should.
    """

    mid: str
    good: bool


@dataclass(slots=True)
class Delivery:
    """How a question came to us.

    Attributes:
        sent: when the provider first tried (seconds since 1970); earlier we cannot have had it.
        acknowledged: when the provider first read our yes; None: it never did. Later we cannot have had it.
    """

    sent: float
    acknowledged: float | None = None


@dataclass
class Findings:
    """What came out; `wrong` holds one sentence for each thing that should not be.

    Attributes:
        said: questions; good: of these rightly signed; acknowledged: of these we said yes to.
        missing: acknowledged and not answered.
        given_up: rightly signed questions the provider never had a yes to, after all its tries.
        taken_unheard: of these answered all the same: our yes was lost on its way.
        late: answered after a question that was asked later, since they came that late.
        forged: badly signed deliveries; forged_unanswered: of these had no answer, for a process was down.
        sent_twice: answers that a phone shows a second time.
    """

    said: int = 0
    good: int = 0
    acknowledged: int = 0
    answered: int = 0
    missing: int = 0
    given_up: int = 0
    taken_unheard: int = 0
    late: int = 0
    forged: int = 0
    forged_unanswered: int = 0
    sent_twice: int = 0
    wrong: list[str] = field(default_factory=list)


def number_of(text: str) -> int | None:
    """Return the number that names a question, also in its answer."""
    found = _NUMBER.search(text)
    return int(found[1]) if found else None


def deliveries(webhooks: Iterable[Mapping[str, Any]]) -> dict[str, Delivery]:
    """Return, by the provider's id, how each rightly signed message came to us."""
    found: dict[str, Delivery] = {}
    for entry in webhooks:
        if entry["forged"]:
            continue
        ended = datetime.fromisoformat(entry["at"]).timestamp()
        for mid in entry["mids"]:
            delivery = found.setdefault(mid, Delivery(ended - entry["ms"] / 1000))
            if entry["status"] == 200 and delivery.acknowledged is None:
                delivery.acknowledged = ended
    return found


def judge_phone(
    user: str,
    screen: Sequence[Shown],
    questions: Mapping[int, Question],
    came: Mapping[str, Delivery],
    findings: Findings,
) -> None:
    """Check one phone: every acknowledged question answered once, in the order of asking, no forged one."""
    asked = [number for one in screen if one.is_mine and (number := number_of(one.text)) is not None]
    answers = [number for one in screen if not one.is_mine and (number := number_of(one.text)) is not None]
    once = list(dict.fromkeys(answers))
    good = [number for number in asked if questions[number].good]
    acknowledged = [number for number in good if _is_acknowledged(came.get(questions[number].mid))]
    findings.said += len(asked)
    findings.good += len(good)
    findings.acknowledged += len(acknowledged)
    findings.answered += len(once)
    findings.given_up += len(good) - len(acknowledged)
    findings.taken_unheard += len((set(good) - set(acknowledged)) & set(once))
    findings.sent_twice += len(answers) - len(once)
    if missing := [number for number in acknowledged if number not in once]:
        findings.missing += len(missing)
        findings.wrong.append(f"{user}: not answered: {missing[:_MOST_SHOWN]}")
    if extra := [number for number in once if number not in good]:
        findings.wrong.append(f"{user}: answered though badly signed: {extra[:_MOST_SHOWN]}")
    if len(answers) != len(once):
        twice = sorted({number for number in answers if answers.count(number) > 1})
        findings.wrong.append(f"{user}: answered twice: {twice[:_MOST_SHOWN]}")
    place = {number: at for at, number in enumerate(asked)}
    _judge_order(
        user,
        [(number, place[number], came.get(questions[number].mid)) for number in once if number in good],
        findings,
    )


def _is_acknowledged(delivery: Delivery | None) -> bool:
    return delivery is not None and delivery.acknowledged is not None


def _judge_order(user: str, answered: list[tuple[int, int, Delivery | None]], findings: Findings) -> None:
    """Check answers (number, place among the questions, delivery), in the order they are shown."""
    late: set[int] = set()
    for at, (number, place, delivery) in enumerate(answered):
        for first, first_place, first_delivery in answered[:at]:
            if first_place < place:
                continue
            if _may_have_come_later(delivery, first_delivery):
                late.add(number)
            else:
                findings.wrong.append(f"{user}: out of order: {first} is answered before {number}")
    findings.late += len(late)


def _may_have_come_later(one: Delivery | None, other: Delivery | None) -> bool:
    """Tell whether `one` may have come when `other` was no longer held back for it."""
    if one is None or other is None or one.acknowledged is None:
        return True
    return one.acknowledged > other.sent + SETTLE.total_seconds()


async def judge(
    played: Played, questions: Mapping[int, Question], webhooks: Sequence[Mapping[str, Any]]
) -> Findings:
    """Check every phone, and every badly signed delivery."""
    findings = Findings()
    came = deliveries(webhooks)
    for user in await played.users():
        judge_phone(user, await played.screen(user), questions, came, findings)
    judge_forged(webhooks, findings)
    return findings


def judge_forged(webhooks: Iterable[Mapping[str, Any]], findings: Findings) -> None:
    """Check that every badly signed delivery was refused, if anybody was there to do so."""
    for entry in webhooks:
        if not entry["forged"]:
            continue
        findings.forged += 1
        if entry["status"] is None:
            findings.forged_unanswered += 1
        elif entry["status"] not in _REFUSALS:
            findings.wrong.append(f"badly signed, but answered {entry['status']}")


def acknowledgement(webhooks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Return how long the provider waited for our yes to what was rightly signed, in milliseconds."""
    good = [entry for entry in webhooks if not entry["forged"]]
    times = [entry["ms"] for entry in good if entry["status"] == 200]
    return {
        "deliveries": len(webhooks),
        "repeated": sum(bool(entry["repeat"]) for entry in webhooks),
        "not_acknowledged": len(good) - len(times),
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
