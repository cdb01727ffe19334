"""Says how far a report or a filed dossier has got."""

from __future__ import annotations

from datetime import datetime

from actions import report_cues as cues
from actions.codes import find_dossier_code, find_ticket_code
from actions.dossiers import Dossier, DossiersUnavailableError
from actions.replies import Button, Outcome, Reply, TurnRecord, button, paragraphs
from actions.services import Services
from actions.turn import Turn
from database.clock import local
from tickets import codes
from tickets.schemas import Ticket
from vntext.catalogue import say
from vntext.phones import find_phones

_CALM = {"candidates": [], "unclear_count": 0}


async def ticket_status(turn: Turn, services: Services) -> Outcome:
    """Return where a ticket stands: by its code, or those that were opened from this conversation."""
    tapped = turn.payload.get("ticket_code")
    code = find_ticket_code(str(tapped)) if tapped else find_ticket_code(turn.text)
    if code is None and find_dossier_code(turn.text):
        return await dossier_status(turn, services)
    record = TurnRecord("ticket_status")
    if code is not None:
        typed = codes.read(code)
        if typed is not None and not typed.is_right:
            # Told at once: otherwise somebody looks for a report that is not theirs.
            mistyped = say("tickets.follow.mistyped", code=code)
            return Outcome((Reply(mistyped, record, (button("person", "ask_human"),)),), dict(_CALM))
        ticket = await services.tickets.find(code)
        if ticket is None:
            buttons = (button("person", "ask_human"),)
            return Outcome((Reply(say("dialogue.ticket.unknown", code=code), record, buttons),), dict(_CALM))
        return Outcome(
            (Reply(_ticket(ticket, turn, services), TurnRecord("ticket_status", ticket=ticket.code)),),
            dict(_CALM),
        )
    phone = next((phone.national for phone in find_phones(turn.text) if phone.e164), None)
    if phone is not None:
        digits = "".join(filter(str.isdecimal, phone))
        own = await services.tickets.find_by_phone(digits, conversation_id=turn.conversation_id)
    else:
        own = await services.tickets.of_conversation(turn.conversation_id)
    if own:
        text = paragraphs(_ticket(ticket, turn, services) for ticket in own[:3])
        return Outcome((Reply(text, TurnRecord("ticket_status", ticket=own[0].code)),), dict(_CALM))
    key = "only_by_code" if phone is not None else "ask_code"
    return Outcome(
        (Reply(say(f"dialogue.ticket.{key}"), record, (button("person", "ask_human"),)),), dict(_CALM)
    )


async def dossier_status(turn: Turn, services: Services) -> Outcome:
    """Return where a filed dossier stands, or how to look it up."""
    code = find_dossier_code(turn.text)
    if code is None and find_ticket_code(turn.text):
        return await ticket_status(turn, services)
    if code is None:
        code = _talked_about(turn)
    record = TurnRecord("dossier_status")
    portal = services.office.dossier_portal
    if code is None:
        text, late = say("dialogue.dossier.ask_code", portal=portal), cues.is_late(turn.plain)
    else:
        try:
            dossier = await services.dossiers.find(code)
        except DossiersUnavailableError:
            text, late = (
                say("dialogue.dossier.unavailable", code=code, portal=portal),
                cues.is_late(turn.plain),
            )
        else:
            if dossier is None:
                text = say("dialogue.dossier.unknown", code=code, portal=portal)
                late = cues.is_late(turn.plain)
            else:
                today = local(services.clock.now()).date()
                late = dossier.is_late(today) or cues.is_late(turn.plain)
                text = _dossier(dossier)
    buttons: tuple[Button, ...] = ()
    if late:
        text = paragraphs([text, say("dialogue.dossier.late")])
        values = {"dossier": code} if code else {}
        buttons = (button("report_late", "report_conduct", **values),)
    return Outcome((Reply(text, record, (*buttons, button("person", "ask_human"))),), dict(_CALM))


def _talked_about(turn: Turn) -> str | None:
    """Return the dossier named earlier, for "hồ sơ đó tới đâu rồi"."""
    codes = (find_dossier_code(earlier.text) for earlier in reversed(turn.earlier))
    return next((code for code in codes if code is not None), None)


def _dossier(dossier: Dossier) -> str:
    lines = [
        say(f"dialogue.dossier.state.{dossier.state.value}"),
        say(
            "dialogue.dossier.facts",
            code=dossier.code,
            procedure=dossier.procedure,
            agency=dossier.agency,
            received=f"{dossier.received_on:%d/%m/%Y}",
        ),
    ]
    if dossier.due_on:
        lines.append(say("dialogue.dossier.due", day=f"{dossier.due_on:%d/%m/%Y}"))
    if dossier.note:
        lines.append(say("dialogue.dossier.note", note=dossier.note))
    lines.append(say("dialogue.dossier.updated", time=_moment(dossier.updated_at)))
    return "\n".join(lines)


def _ticket(ticket: Ticket, turn: Turn, services: Services) -> str:
    text = say(
        f"dialogue.ticket.state.{ticket.state.value}",
        code=ticket.code,
        kind=say(f"report.kinds.{ticket.kind.value}"),
        opened=_moment(ticket.opened_at),
        since=_moment(ticket.state_since),
        agency=ticket.agency or say("dialogue.ticket.some_agency"),
        hours=services.office.contact_point_hours,
    )
    link = services.tickets.link(ticket)
    # The sender's own link shows what they wrote: others who know the code do not get it.
    if not link or ticket.conversation_id != turn.conversation_id:
        return text
    return f"{text}\n{say('tickets.told.link', link=link)}"


def _moment(instant: datetime) -> str:
    return f"{local(instant):%H:%M %d/%m/%Y}"
