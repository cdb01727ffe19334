"""What operators write: answers with pictures and files, notes, answers written beforehand."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import JSONResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.routers.console.conversations import changed
from api.services import Services
from api.uploads import read_upload
from conversations.desk.calls import PHONE
from conversations.desk.canned import filled
from conversations.desk.service import files_of
from conversations.schemas import ConversationView
from database.clock import local
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]
First = Annotated[int, Query(alias="from", ge=0)]
Text = Annotated[str, Form()]
Key = Annotated[str, Form(max_length=80)]

_MOST_CANNED = 200


@router.post("/files", status_code=201)
async def store_file(services: ServicesHere, session: Answering, request: Request) -> JSONResponse:
    """Store a picture or a file to be sent with an answer."""
    client_id, name, content = await read_upload(request)
    stored = await services.media.add(
        files_of(session.user.id), client_id=str(client_id), name=name, content=content
    )
    return JSONResponse({"id": stored.id, "name": stored.name, "kind": stored.kind}, status_code=201)


@router.post("/conversations/{conversation_id}/reply")
async def reply(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    text: Text = "",
    key: Key = "",
    files: Annotated[list[str], Form(max_length=10)] = [],  # noqa: B006 - FastAPI copies it
    first: First = 0,
) -> Response:
    """Write to the citizen; of a call, write down what was answered."""
    me = session.user.id
    conversation = (await services.desk.open(conversation_id, limit=1)).conversation
    if conversation.channel == PHONE:
        done: Awaitable[Any] = services.core.calls.note(conversation_id, me, text, key=key, author="operator")
    else:
        attachments = await services.media.attach(files_of(me), files)
        done = services.desk.reply(conversation_id, me, text, key=key, attachments=attachments)
    return await changed(services, session, conversation_id, first, "reply", done)


@router.post("/conversations/{conversation_id}/heard")
async def heard(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    text: Text = "",
    key: Key = "",
    first: First = 0,
) -> Response:
    """Write down what a caller said."""
    done = services.core.calls.note(conversation_id, session.user.id, text, key=key)
    return await changed(services, session, conversation_id, first, "heard", done)


@router.post("/conversations/{conversation_id}/note")
async def note(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    text: Text = "",
    key: Key = "",
    first: First = 0,
) -> Response:
    """Note something for colleagues; nothing of it reaches the citizen."""
    done = services.core.notes.add(conversation_id, session.user.id, text, key=key)
    return await changed(services, session, conversation_id, first, "note", done)


@router.get("/conversations/{conversation_id}/canned")
async def canned(conversation_id: str, services: ServicesHere, session: Seeing) -> JSONResponse:
    """The answers written beforehand, filled in for this conversation."""
    conversation = (await services.desk.open(conversation_id, limit=1)).conversation
    values = await _values(services, session, conversation)
    found = await services.core.canned.find(session.user.id, limit=_MOST_CANNED)
    return JSONResponse([{"title": one.title, "text": filled(one.text, values)[0]} for one in found])


async def _values(services: Services, session: SessionInfo, conversation: ConversationView) -> dict[str, str]:
    contacts = await services.core.people.contacts(conversation.id)
    tickets = await services.tickets.of_conversation(conversation.id, limit=1)
    return {
        "ten_nguoi_dan": next((contact.name for contact in contacts if contact.name), ""),
        "so_dien_thoai": next((contact.phone for contact in contacts), ""),
        "ma_phan_anh": tickets[0].code if tickets else "",
        "ten_truc_vien": session.user.name,
        "kenh": say(f"console.channel.{conversation.channel}"),
        "ngay": local(services.clock.now()).strftime("%d/%m/%Y"),
    }
