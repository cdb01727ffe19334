"""The operators' tickets: the list and one ticket."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, seeing
from api.console_page import console_page
from api.templating import page
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_TICKETS))]


@router.get("/tickets")
async def tickets(services: ServicesHere, session: Seeing) -> HTMLResponse:
    """The newest tickets."""
    found = await services.tickets.latest(limit=100)
    return console_page("tickets.html", session, "tickets", tickets=found)


@router.get("/tickets/{code}")
async def ticket(code: str, services: ServicesHere, session: Seeing) -> HTMLResponse:
    """One ticket with its sender; that it was looked at is on the audit trail."""
    found = await services.tickets.find(code[:40])
    if found is None:
        return page("error.html", status=404, message=say("console.error.unknown_ticket"))
    await services.accounts.record(session.user.id, "ticket.viewed", found.id)
    timeline = await services.tickets.timeline(found)
    files = [file for file_id in found.attachments if (file := await services.media.find(file_id))]
    return console_page("ticket.html", session, "tickets", ticket=found, timeline=timeline, files=files)
