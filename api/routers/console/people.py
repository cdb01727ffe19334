"""Beside a conversation: whose it is as far as that is known, their other conversations."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import HTMLResponse, Response

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.routers.console import opened, shown
from api.routers.console.timeline import sessions
from api.services import Services
from api.templating import page

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]
Merging = Annotated[SessionInfo, Depends(changing(Action.MERGE_PEOPLE))]
Reason = Annotated[str, Form(max_length=500)]

_HISTORY = 100


@router.get("/conversations/{conversation_id}/person")
async def person(conversation_id: str, services: ServicesHere, session: Seeing) -> HTMLResponse:
    """Who it is, what else they said and sent, and who may be the same."""
    return await _person(services, session, conversation_id)


@router.get("/conversations/{conversation_id}/history")
async def history(
    conversation_id: str,
    services: ServicesHere,
    session: Seeing,
    before: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """What was said in a conversation, by stretch of talk, to be read beside another one."""
    thread = await services.desk.open(conversation_id, before=before, limit=_HISTORY)
    names = await opened.names_of(services, (message.author_id for message in thread.messages))
    await services.accounts.record(session.user.id, "conversation.viewed", conversation_id)
    first = thread.messages[0].sequence if thread.messages else 1
    return page(
        "console/_history.html",
        conversation=thread.conversation,
        sessions=sessions(thread.messages, names),
        first=first,
        clock_time=shown.clock_time,
    )


@router.post("/conversations/{conversation_id}/contacts")
async def add_contact(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    phone: Annotated[str, Form(max_length=40)] = "",
    name: Annotated[str, Form(max_length=200)] = "",
) -> Response:
    """Keep a telephone number the citizen has given."""
    await services.core.people.add_contact(conversation_id, phone, "operator", name=name)
    await services.accounts.record(session.user.id, "person.contact_added", conversation_id)
    return await _person(services, session, conversation_id)


@router.post("/conversations/{conversation_id}/merge")
async def merge(
    conversation_id: str,
    services: ServicesHere,
    session: Merging,
    other: Annotated[str, Form(max_length=64)] = "",
    reason: Reason = "",
) -> Response:
    """Count two conversations as of one person."""
    done = await services.core.people.merge([conversation_id, other], session.user.id, reason=reason)
    await services.accounts.record(session.user.id, "person.merged", done.person_id)
    return await _person(services, session, conversation_id)


@router.post("/conversations/{conversation_id}/unmerge")
async def unmerge(
    conversation_id: str,
    services: ServicesHere,
    session: Merging,
    merge_id: Annotated[str, Form(alias="merge", max_length=64)] = "",
    reason: Reason = "",
) -> Response:
    """Take back that conversations count as of one person."""
    done = await services.core.people.unmerge(merge_id, session.user.id, reason=reason)
    await services.accounts.record(session.user.id, "person.unmerged", done.person_id)
    return await _person(services, session, conversation_id)


async def _person(services: Services, session: SessionInfo, conversation_id: str) -> HTMLResponse:
    people = services.core.people
    conversation = (await services.desk.open(conversation_id, limit=1)).conversation
    known = await people.person(conversation_id)
    context: dict[str, Any] = {
        "conversation": conversation,
        "contacts": await people.contacts(conversation_id),
        "person": known,
        "others": [one for one in (known.conversations if known else ()) if one.id != conversation_id],
        "merges": [one for one in (known.merges if known else ()) if one.undone_at is None],
        "suggestions": await people.suggestions(conversation_id),
        "may_merge": may(session.user, Action.MERGE_PEOPLE),
    }
    return page("console/_person.html", **context)
