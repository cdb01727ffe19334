"""A call taken by phone: the number first, then who that is, then what is said."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.routers.console import opened
from api.services import Services
from api.templating import page
from conversations.desk.errors import InvalidNumberError
from conversations.errors import HeldByOtherError
from vntext.catalogue import say

router = APIRouter(prefix="/console/call", include_in_schema=False)

Answering = Annotated[SessionInfo, Depends(seeing(Action.ANSWER))]
Taking = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]
Number = Annotated[str, Form(max_length=40)]


@router.get("")
async def form(_services: ServicesHere, session: Answering) -> HTMLResponse:
    """The form, empty."""
    return console_page("call.html", session, "conversations", number="", caller="")


@router.get("/contacts")
async def contacts(
    services: ServicesHere, session: Answering, number: Annotated[str, Query(max_length=40)] = ""
) -> HTMLResponse:
    """Who has called or written with this number before."""
    try:
        known = await services.core.people.by_number(number)
    except InvalidNumberError:
        # Somebody is still typing it.
        return page("console/_callers.html", known=None, names={})
    if known.conversations or known.tickets:
        await services.accounts.record(session.user.id, "person.looked_up", known.phone[-4:].rjust(10, "*"))
    holders = await opened.names_of(services, (one.assigned_to for one in known.conversations))
    return page("console/_callers.html", known=known, names=holders)


@router.post("")
async def start(
    services: ServicesHere,
    session: Taking,
    number: Number = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Begin the call; it goes on as a conversation of the desk."""
    try:
        call = await services.core.calls.start(number, session.user.id, name=name)
    except InvalidNumberError as error:
        return _again(session, error.sentence, number, name)
    except HeldByOtherError as held:
        return _again(session, await _taken(services, held), number, name)
    await services.accounts.record(session.user.id, "conversation.call_started", call.id)
    return RedirectResponse(f"/console/conversations/{call.id}?show=mine", status_code=303)


def _again(session: SessionInfo, sentence: str, number: str, name: str) -> HTMLResponse:
    given = {"number": number, "caller": name, "error": sentence}
    return console_page("call.html", session, "conversations", status=422, **given)


async def _taken(services: Services, held: HeldByOtherError) -> str:
    names = await opened.names_of(services, [held.held_by])
    return say("console.call.taken", name=names.get(held.held_by or "", say("console.thread.operator")))
