"""The operators' tickets: the list, one ticket, what is done with it."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.services import Services
from api.templating import page
from database.base import new_id
from database.clock import LOCAL_ZONE
from tickets import fields, places
from tickets.desk import Click, TicketDetail
from tickets.errors import ChangedMeanwhileError, TicketError, TicketNotFoundError
from tickets.schemas import RefusalReason, Ticket, TicketFilter, TicketKind, TicketState
from vntext.catalogue import say

router = APIRouter(prefix="/console/tickets", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_TICKETS))]
Changing = Annotated[SessionInfo, Depends(changing(Action.CHANGE_TICKETS))]
SeeingSender = Annotated[SessionInfo, Depends(changing(Action.SEE_SENDER))]

_ON_A_PAGE = 50
_LONGEST = 200
_JOINS = ("link", "unlink", "merge")

Word = Annotated[str, Query(max_length=_LONGEST)]


@router.get("")
async def tickets(
    services: ServicesHere,
    session: Seeing,
    q: Word = "",
    state: Word = "",
    kind: Word = "",
    field: Word = "",
    place: Word = "",
    urgent: Word = "",
    call: Word = "",
    mine: Word = "",
    first: Word = "",
    last: Word = "",
    before: Word = "",
) -> HTMLResponse:
    """Tickets, newest first; a filter that says nothing known is left out."""
    shown = {
        "q": q, "state": state, "kind": kind, "field": field, "place": place, "urgent": urgent, "call": call,
        "mine": mine, "first": first, "last": last,
    }  # fmt: skip
    wanted = TicketFilter(
        state=TicketState(state) if state in list(TicketState) else None,
        kind=TicketKind(kind) if kind in list(TicketKind) else None,
        field=field or None,
        place_code=place or None,
        urgent=bool(urgent),
        call_due=bool(call),
        assigned_to=session.user.id if mine else None,
        opened_from=_midnight(first),
        opened_until=_midnight(last, days=1),
        words=q,
    )
    found = await services.tickets.page(wanted, before=before or None, limit=_ON_A_PAGE)
    given = {name: value for name, value in shown.items() if value}
    return console_page(
        "tickets.html",
        session,
        "tickets",
        found=found.tickets,
        following=f"?{urlencode(given | {'before': found.next})}" if found.next else None,
        is_first=not before,
        first_page=f"?{urlencode(given)}",
        shown=shown,
        is_filtered=bool(given),
        states=list(TicketState),
        kinds=list(TicketKind),
        groups=fields.groups(),
        units=places.units(),
    )


@router.get("/{code}")
async def ticket(code: str, services: ServicesHere, session: Seeing) -> HTMLResponse:
    """One ticket; that it was looked at is on the audit trail."""
    return await _detail(services, session, code)


@router.get("/{code}/print")
async def print_view(code: str, services: ServicesHere, session: Seeing) -> HTMLResponse:
    """One ticket for paper, without who sent it."""
    detail = await services.ticket_desk.detail(code[:40], session.user)
    await services.accounts.record(session.user.id, "ticket.printed", detail.ticket.id)
    context = await _context(services, detail)
    return page("console/ticket_print.html", **context, now=services.clock.now())


@router.post("/{code}/sender")
async def sender(code: str, services: ServicesHere, session: SeeingSender) -> HTMLResponse:
    """One ticket with who sent it; that somebody looked is on the audit trail before it is shown."""
    return await _detail(services, session, code, with_sender=True)


@router.post("/{code}/correct")
async def correct(
    code: str,
    request: Request,
    services: ServicesHere,
    session: Changing,
    key: Annotated[str, Form(max_length=80)] = "",
    version: Annotated[int, Form()] = 0,
) -> Response:
    """Correct what the ticket says of itself."""
    given = await _given(request)
    # A box that is not ticked is not sent.
    given |= {name: given.get(name, "no") for name in ("urgent", "drill")}
    click = Click(session.user, key, version)
    return await _do(
        services, session, code, "correct", given, services.ticket_desk.correct(code, given, click)
    )


@router.post("/{code}/{name}")
async def act(
    code: str,
    name: str,
    request: Request,
    services: ServicesHere,
    session: Changing,
    key: Annotated[str, Form(max_length=80)] = "",
    version: Annotated[int, Form()] = 0,
) -> Response:
    """Do one transition, or link, unlink, merge."""
    given = await _given(request)
    click = Click(session.user, key, version)
    desk = services.ticket_desk
    if name in _JOINS:
        join = {"link": desk.link, "unlink": desk.unlink, "merge": desk.merge}[name]
        work = join(code, given.get("other", "")[:40], click)
    else:
        work = desk.act(code, name, given, click)
    return await _do(services, session, code, name, given, work)


async def _given(request: Request) -> dict[str, str]:
    form = await request.form()
    return {name: value for name, value in form.items() if isinstance(value, str) and name != "csrf"}


async def _do(
    services: Services,
    session: SessionInfo,
    code: str,
    name: str,
    given: dict[str, str],
    work: Awaitable[Ticket],
) -> Response:
    """Do `work`; refused, the page is shown as it is now, with what was written."""
    try:
        done = await work
    except TicketNotFoundError:
        raise
    except TicketError as refused:
        status = 409 if isinstance(refused, ChangedMeanwhileError) else 422
        written = {"name": name, **given}
        return await _detail(services, session, code, status=status, error=refused.sentence, written=written)
    await services.accounts.record(session.user.id, f"ticket.{name}"[:64], done.id)
    return RedirectResponse(f"/console/tickets/{done.code}", status_code=303)


async def _detail(
    services: Services,
    session: SessionInfo,
    code: str,
    *,
    with_sender: bool = False,
    status: int = 200,
    error: str | None = None,
    written: dict[str, str] | None = None,
) -> HTMLResponse:
    detail = await services.ticket_desk.detail(code[:40], session.user)
    seen = "ticket.sender_viewed" if with_sender else "ticket.viewed"
    await services.accounts.record(session.user.id, seen, detail.ticket.id)
    context = await _context(services, detail)
    return console_page(
        "ticket.html",
        session,
        "tickets",
        status=status,
        error=error,
        written=written or {},
        with_sender=with_sender,
        may_see_sender=may(session.user, Action.SEE_SENDER),
        may_change=may(session.user, Action.CHANGE_TICKETS),
        new_key=new_id,
        reasons=list(RefusalReason),
        kinds=list(TicketKind),
        groups=fields.groups(),
        **context,
    )


async def _context(services: Services, detail: TicketDetail) -> dict[str, Any]:
    shown = [detail.ticket, *(each.ticket for each in detail.duplicates)]
    ids = {file_id for each in shown for file_id in each.attachments}
    files = {file.id: file for file in await services.media.find_all(sorted(ids))}
    actors = {event.actor for event in detail.timeline} | {detail.ticket.assigned_to or ""}
    people = await services.accounts.find_users(sorted(actors))
    return {
        "ticket": detail.ticket,
        "detail": detail,
        "files": files,
        "names": {person.id: person.name for person in people} | {"citizen": say("tickets.page.citizen")},
        "link": services.tickets.link(detail.ticket),
        "shown_value": _shown_value,
    }


def _shown_value(value: object) -> str:
    """Return the value of a corrected field as people read it."""
    if isinstance(value, bool):
        return say("tickets.corrected.yes_word" if value else "tickets.corrected.no_word")
    if value in list(TicketKind):
        return say(f"tickets.kinds.{value}")
    return str(value or say("tickets.page.unknown"))


def _midnight(day: str, *, days: int = 0) -> datetime | None:
    """Return the beginning of a local day (or some days later), None where it names none."""
    try:
        return datetime.combine(date.fromisoformat(day), time(), LOCAL_ZONE) + timedelta(days=days)
    except (ValueError, OverflowError):
        return None
