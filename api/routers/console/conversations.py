"""The operators' page: see who waits, take a conversation, answer, give it back."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import FileResponse, StreamingResponse
from starlette.responses import HTMLResponse

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.errors import Problem
from api.files import file_response
from api.services import Services
from api.templating import page
from conversations.desk.schemas import Thread
from conversations.errors import ConversationError, ConversationNotFoundError, HeldByOtherError
from conversations.events import DESK
from conversations.schemas import MAX_TEXT, ConversationFilter
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Show = Annotated[str, Query(pattern="^(waiting|mine|all)$")]
Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]


@router.get("")
async def desk(services: ServicesHere, session: Seeing, show: Show = "waiting") -> HTMLResponse:
    """The list, nothing opened."""
    return console_page(
        "desk.html",
        session,
        "conversations",
        **await _list(services, session, show),
        conversation=None,
        text_limit=MAX_TEXT,
    )


@router.get("/list")
async def conversations(
    services: ServicesHere,
    session: Seeing,
    show: Show = "waiting",
    opened: Annotated[str, Query(alias="open", max_length=64)] = "",
) -> HTMLResponse:
    """The list alone, for refreshing."""
    return page("console/_list.html", **await _list(services, session, show, opened))


@router.get("/conversations/{conversation_id}")
async def conversation(
    conversation_id: str, services: ServicesHere, session: Seeing, show: Show = "waiting"
) -> HTMLResponse:
    """The list and one conversation."""
    detail = await services.desk.open(conversation_id)
    await services.desk.mark_read(conversation_id, session.user.id)
    context = {
        **await _list(services, session, show, conversation_id),
        **await _thread(services, session, detail, show),
    }
    return console_page("desk.html", session, "conversations", text_limit=MAX_TEXT, **context)


@router.get("/conversations/{conversation_id}/thread")
async def thread(
    conversation_id: str, services: ServicesHere, session: Seeing, show: Show = "waiting"
) -> HTMLResponse:
    """One conversation alone, for refreshing."""
    detail = await services.desk.open(conversation_id)
    await services.desk.mark_read(conversation_id, session.user.id)
    return page("console/_thread.html", **await _thread(services, session, detail, show))


@router.post("/conversations/{conversation_id}/reply")
async def reply(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    text: Annotated[str, Form()] = "",
    key: Annotated[str, Form(max_length=80)] = "",
    show: Show = "waiting",
) -> HTMLResponse:
    """Write to the citizen."""
    return await _change(
        services,
        session,
        conversation_id,
        show,
        "reply",
        services.desk.reply(conversation_id, session.user.id, text, key=key),
    )


@router.post("/conversations/{conversation_id}/{action}")
async def change(
    conversation_id: str, action: str, services: ServicesHere, session: Answering, show: Show = "waiting"
) -> HTMLResponse:
    """Take a conversation, put it back into the queue, give it to the assistant, or end it."""
    actions = {
        "claim": services.desk.claim,
        "release": services.desk.release,
        "hand-back": services.desk.hand_back,
        "close": services.desk.close,
    }
    if action not in actions:
        raise ConversationNotFoundError
    return await _change(
        services, session, conversation_id, show, action, actions[action](conversation_id, session.user.id)
    )


@router.get("/files/{file_id}")
async def file(file_id: str, services: ServicesHere, _session: Seeing, small: bool = False) -> FileResponse:
    """A picture or a file somebody sent."""
    found = await services.media.find(file_id[:64])
    if found is None:
        raise Problem(404, "file_gone")
    return file_response(services.media, found, small=small)


@router.get("/events")
async def events(services: ServicesHere, _session: Seeing) -> StreamingResponse:
    """Tell the page which conversation has changed (Server-Sent Events)."""
    return StreamingResponse(
        _changes(services),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _changes(services: Services) -> AsyncIterator[bytes]:
    async with services.events.subscribe(DESK) as queue:
        yield b"retry: 2000\n\n"
        while True:
            try:
                async with asyncio.timeout(services.settings.event_heartbeat):
                    event = await queue.get()
            except TimeoutError:
                yield b": alive\n\n"
                continue
            data = json.dumps({"conversation": event.get("conversation")})
            yield f"event: changed\ndata: {data}\n\n".encode()


async def _change(
    services: Services,
    session: SessionInfo,
    conversation_id: str,
    show: str,
    what: str,
    action: Awaitable[Any],
) -> HTMLResponse:
    """Do `action`, put `what` was done on the audit trail, answer with the conversation as it is then."""
    error, status = None, 200
    try:
        await action
        await services.accounts.record(session.user.id, f"conversation.{what}", conversation_id)
    except HeldByOtherError as held:
        name = await _name(services, held.held_by)
        error, status = say("console.error.taken", name=name), 409
    except ConversationNotFoundError:
        raise
    except ConversationError as refused:
        error, status = refused.sentence, 409
    detail = await services.desk.open(conversation_id)
    context = await _thread(services, session, detail, show)
    return page("console/_thread.html", status=status, **{**context, "error": error})


async def _list(
    services: Services, session: SessionInfo, show: str, opened: str | None = None
) -> dict[str, Any]:
    wanted = {
        "waiting": ConversationFilter(owner="queue"),
        "mine": ConversationFilter(owner="person", assigned_to=session.user.id),
        "all": ConversationFilter(),
    }[show]
    now = services.clock.now()

    def minutes_since(instant: datetime) -> int:
        return max(0, int((now - instant).total_seconds() // 60))

    found = await services.desk.inbox(wanted, limit=100)
    return {
        "conversations": found.conversations,
        "show": show,
        "minutes_since": minutes_since,
        "open": opened,
    }


async def _thread(services: Services, session: SessionInfo, detail: Thread, show: str) -> dict[str, Any]:
    writers = {message.author_id for message in detail.messages if message.author_id}
    held_by = detail.conversation.assigned_to
    names = {
        user_id: await _name(services, user_id) for user_id in writers | ({held_by} if held_by else set())
    }
    return {
        "conversation": detail.conversation,
        "messages": detail.messages,
        "names": names,
        "holder": names.get(held_by or ""),
        "show": show,
        "user": session.user,
    }


async def _name(services: Services, user_id: str | None) -> str:
    user = await services.accounts.find_user(user_id) if user_id else None
    return user.name if user else say("console.thread.operator")
