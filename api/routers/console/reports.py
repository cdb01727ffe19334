"""Beside a conversation: the reports that came from it, and the form that opens one for the citizen."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from pydantic import Field, ValidationError
from starlette.responses import Response

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.errors import problem
from api.services import Services
from api.templating import page
from conversations.desk.calls import PHONE
from conversations.desk.schemas import Thread
from conversations.desk.words import national_number
from database.base import new_id
from tickets.errors import TicketError
from tickets.schemas import TicketDraft, TicketKind
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_TICKETS))]
Changing = Annotated[SessionInfo, Depends(changing(Action.CHANGE_TICKETS))]
Word = Annotated[str, Form(max_length=500)]
FileId = Annotated[str, Field(max_length=64)]

_SHOWN = 20
_LOOKED_BACK = 30
_MOST_FILES = 20


@router.get("/conversations/{conversation_id}/tickets")
async def tickets(conversation_id: str, services: ServicesHere, session: Seeing) -> Response:
    """The reports that came from this conversation."""
    return await _shown(services, session, conversation_id)


@router.post("/conversations/{conversation_id}/tickets")
async def open_ticket(
    conversation_id: str,
    services: ServicesHere,
    session: Changing,
    key: Annotated[str, Form(min_length=1, max_length=80)],
    kind: Annotated[TicketKind, Form()] = TicketKind.REPORT,
    content: Annotated[str, Form(max_length=5_000)] = "",
    place: Word = "",
    name: Word = "",
    phone: Word = "",
    address: Word = "",
    urgent: Annotated[bool, Form()] = False,
    public: Annotated[bool, Form()] = False,
    drill: Annotated[bool, Form()] = False,
    consent: Annotated[bool, Form()] = False,
    files: Annotated[tuple[FileId, ...], Form(max_length=_MOST_FILES)] = (),
) -> Response:
    """Open a report for the citizen; the same `key` opens one, and the citizen is told its code once."""
    thread = await services.desk.open(conversation_id, limit=_LOOKED_BACK)
    conversation = thread.conversation
    number = national_number(phone)
    if number is None:
        return problem(422, "invalid_number", say("desk.errors.invalid_number"))
    try:
        draft = TicketDraft(
            kind=kind,
            content=content,
            place=place.strip() or None,
            name=name,
            phone=number,
            address=address,
            consent=consent,
            consent_how="call" if conversation.channel == PHONE else "chat",
            channel=conversation.channel,
            conversation_id=conversation.id,
            urgent=urgent,
            public=public,
            drill=drill,
            # Only what this citizen has sent here goes with it.
            attachments=tuple(file["file_id"] for file in _sent(thread) if file["file_id"] in files),
        )
    except ValidationError:
        return problem(422, "incomplete", say("console.ticket.incomplete"))
    try:
        ticket = await services.tickets.open(
            draft, origin_key=f"desk:{conversation.id}:{key}", actor=session.user.id, tell=True
        )
    except TicketError as error:
        return problem(422, "refused", error.sentence)
    await services.accounts.record(session.user.id, "ticket.opened", ticket.id)
    return await _shown(services, session, conversation_id)


def _sent(thread: Thread) -> list[dict[str, Any]]:
    """Return the pictures and files that the citizen has sent lately, oldest first."""
    found = [
        file
        for message in thread.messages
        if message.author == "citizen" and message.withdrawn_at is None
        for file in message.payload.get("attachments", ())
        if file.get("file_id")
    ]
    return found[-_MOST_FILES:]


async def _shown(services: Services, session: SessionInfo, conversation_id: str) -> Response:
    thread = await services.desk.open(conversation_id, limit=_LOOKED_BACK)
    found = await services.tickets.of_conversation(conversation_id, limit=_SHOWN)
    contacts = await services.core.people.contacts(conversation_id)
    said = [message.text for message in thread.messages if message.author == "citizen"]
    return page(
        "console/_tickets_beside.html",
        conversation=thread.conversation,
        tickets=found,
        may_open=may(session.user, Action.CHANGE_TICKETS),
        kinds=list(TicketKind),
        contact=contacts[0] if contacts else None,
        said=said[-1] if said else "",
        sent=_sent(thread),
        key=new_id(),
    )
