"""Hands a conversation to a person: what is said, and when that person will answer."""

from __future__ import annotations

from actions.replies import Outcome, Reply, TurnRecord, button, paragraphs
from actions.services import Services
from conversations.desk.waiting import wait_sentence
from vntext.catalogue import say


def when(services: Services) -> str:
    """Return the sentence that says when a person will answer."""
    minutes = services.waits.minutes if services.waits is not None else None
    return wait_sentence(services.office.hours, services.clock.now(), minutes)


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
