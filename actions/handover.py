"""Hands a conversation to a person: what is said, and when that person will answer."""

from __future__ import annotations

from datetime import datetime, timedelta

from actions.replies import Outcome, Reply, TurnRecord, button, paragraphs
from actions.services import DeskHours, Services
from database.clock import local
from vntext.catalogue import say

_SATURDAY = 5


def is_open(hours: DeskHours, instant: datetime) -> bool:
    """Return whether a person is at the desk at `instant`."""
    if hours.always_open:
        return True
    here = local(instant)
    return here.weekday() < _SATURDAY and any(start <= here.time() < end for start, end in hours.periods)


def next_opening(hours: DeskHours, instant: datetime) -> datetime:
    """Return when (local time) the desk opens next; `instant` itself where it is open."""
    here = local(instant)
    if is_open(hours, instant):
        return here
    for days in range(8):
        day = here + timedelta(days=days)
        if day.weekday() >= _SATURDAY:
            continue
        for start, _ in hours.periods:
            opening = day.replace(hour=start.hour, minute=start.minute, second=0, microsecond=0)
            if opening > here:
                return opening
    raise ValueError("the desk has no opening hours")


def when(services: Services) -> str:
    """Return the sentence that says when a person will answer."""
    hours, now = services.office.hours, services.clock.now()
    if is_open(hours, now):
        return say("dialogue.handover.soon")
    opening = next_opening(hours, now)
    day = say("dialogue.handover.today") if opening.date() == local(now).date() else f"{opening:%d/%m}"
    return say("dialogue.handover.later", time=f"{opening:%H:%M}", day=day)


def hand_over(
    services: Services, reason: str, *, lead: str = "", record: TurnRecord | None = None
) -> Outcome:
    """Return the message that a person takes over, with the record that makes it so.

    Args:
        services: for the desk's hours.
        reason: why, a key of `dialogue.handover.reasons`; the operators read its line.
        lead: what is said before, such as that nothing was found.
        record: what was searched; its route becomes `handoff`.
    """
    found = record or TurnRecord("handoff")
    turn = TurnRecord("handoff", found.aspects, found.procedures, None, reason, found.ticket)
    text = paragraphs([lead, f"{say('dialogue.handover.person')} {when(services)}"])
    reply = Reply(text, turn, (button("ask_bot_again", "return_to_bot"),))
    return Outcome((reply,), {"candidates": [], "pending_aspects": [], "unclear_count": 0})
