"""Ends the report form: opens the ticket, or says that nothing was kept, or hands over."""

from __future__ import annotations

from typing import Any

from actions import report_talk as talk
from actions.handover import hand_over
from actions.replies import Outcome
from actions.report_draft import FORM_SLOTS, Draft
from actions.services import Services
from actions.turn import Turn
from tickets.schemas import TicketDraft, TicketKind


async def submit(turn: Turn, services: Services) -> Outcome:
    """Return the end of the form, as the draft's ending says."""
    draft = Draft.from_slot(turn.slots.get("report_draft"))
    cleared: dict[str, Any] = dict.fromkeys(FORM_SLOTS) | {"report_draft": None, "requested_slot": None}
    if draft is None or draft.ending in (None, "cancelled"):
        return Outcome((talk.cancelled(draft or Draft()),), cleared | {"candidates": [], "unclear_count": 0})
    if draft.ending == "handoff":
        outcome = hand_over(services, "report_without_contact" if draft.refusals else "asked_in_report")
        draft.parked, draft.ending, draft.offered_person = True, None, False
        return Outcome(outcome.replies, {**outcome.slots, **cleared, "report_draft": draft.as_slot()})
    if draft.missing() != "confirmed":
        raise ValueError(f"a report cannot be sent without its {draft.missing()}")
    ticket = await services.tickets.open(
        TicketDraft(
            kind=TicketKind(draft.kind),
            content=draft.content or "",
            place=draft.place,
            name=draft.name or "",
            phone=draft.phone or "",
            address=draft.address or "",
            consent=True,
            channel=turn.channel,
            conversation_id=turn.conversation_id,
            dossier_code=draft.dossier,
            attachments=tuple(draft.files),
        ),
        origin_key=f"{turn.conversation_id}:{turn.message_id}",
    )
    contact = {"last_contact": draft.contact(), "candidates": [], "unclear_count": 0}
    return Outcome(
        (talk.done(draft, ticket.code, services.tickets.link(ticket), services.office),), cleared | contact
    )
