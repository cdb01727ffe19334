"""The operators' page: log in, see who waits, take a conversation, answer, give it back."""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import AsyncIterator, Awaitable
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query, Request
from fastapi.responses import FileResponse, StreamingResponse
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.errors import AccountError, InvalidLinkError
from accounts.schemas import SessionInfo
from api.errors import Problem
from api.files import file_response
from api.services import Services, get_services
from api.templating import page
from conversations.errors import ConversationError, ConversationNotFoundError, HeldByOtherError
from conversations.events import DESK
from conversations.schemas import MAX_TEXT, ConversationDetail, ConversationFilter
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

COOKIE = "console_session"
_SHOWN = ("waiting", "mine", "all")
_LONGEST_FIELD = 500

ServicesHere = Annotated[Services, Depends(get_services)]
Show = Annotated[str, Query(pattern="^(waiting|mine|all)$")]


class NotLoggedIn(Exception):  # noqa: N818 - it redirects
    """Whoever asks has to log in first."""


class CrossSite(Exception):  # noqa: N818 - it refuses
    """A form was posted from another site, or without the session's own mark."""


async def _session(request: Request, services: ServicesHere) -> SessionInfo:
    token = request.cookies.get(COOKIE, "")
    found = await services.accounts.find_session(token) if token else None
    if found is None:
        raise NotLoggedIn
    return found


SessionHere = Annotated[SessionInfo, Depends(_session)]


async def _checked_session(request: Request, session: SessionHere) -> SessionInfo:
    """For everything that changes something: the session's own mark must come with it."""
    given = request.headers.get("x-csrf", "")
    if not given and request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        form = await request.form()
        given = str(form.get("csrf", ""))
    if not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise CrossSite
    return session


Checked = Annotated[SessionInfo, Depends(_checked_session)]


def is_secure(services: Services) -> bool:
    """Tell whether people reach the service by TLS, so that the cookie may be tied to it."""
    return services.settings.resolved_public_url().startswith("https://")


@router.get("/login")
async def login_form() -> HTMLResponse:
    """The log-in form."""
    return page("console/login.html")


@router.post("/login")
async def log_in(
    request: Request,
    services: ServicesHere,
    login: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    password: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
) -> Response:
    """Open a session, or say why not."""
    address = request.client.host if request.client else "unknown"
    try:
        opened = await services.accounts.log_in(login, password, address=address)
    except AccountError as error:
        return page("console/login.html", status=403, error=error.sentence, login=login)
    response = RedirectResponse("/console", status_code=303)
    response.set_cookie(
        COOKIE, opened.token, httponly=True, secure=is_secure(services), samesite="strict", path="/console"
    )
    return response


@router.get("/set-password")
async def password_form(
    services: ServicesHere, token: Annotated[str, Query(max_length=_LONGEST_FIELD)] = ""
) -> HTMLResponse:
    """The form behind a one-time link."""
    if not await services.accounts.link_is_valid(token):
        return page("console/set_password.html", status=403, error=InvalidLinkError().sentence, token=None)
    return page("console/set_password.html", token=token)


@router.post("/set-password")
async def set_password(
    services: ServicesHere,
    token: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    password: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    again: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
) -> Response:
    """Use the link up."""
    if password != again:
        return page(
            "console/set_password.html", status=422, error=say("console.first.different"), token=token
        )
    try:
        user = await services.accounts.set_password(token, password)
    except InvalidLinkError as error:
        return page("console/set_password.html", status=403, error=error.sentence, token=None)
    except AccountError as error:
        return page("console/set_password.html", status=422, error=error.sentence, token=token)
    return page("console/login.html", login=user.login)


@router.post("/logout")
async def log_out(request: Request, services: ServicesHere, _session: Checked) -> Response:
    """End the session."""
    await services.accounts.log_out(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/console/login", status_code=303)
    response.delete_cookie(COOKIE, path="/console")
    return response


@router.get("")
async def desk(services: ServicesHere, session: SessionHere, show: Show = "waiting") -> HTMLResponse:
    """The list, nothing opened."""
    return page(
        "console/desk.html", **await _list(services, session, show), **_frame(session), conversation=None
    )


@router.get("/list")
async def conversations(
    services: ServicesHere,
    session: SessionHere,
    show: Show = "waiting",
    opened: Annotated[str, Query(alias="open", max_length=64)] = "",
) -> HTMLResponse:
    """The list alone, for refreshing."""
    return page("console/_list.html", **await _list(services, session, show, opened))


@router.get("/conversations/{conversation_id}")
async def conversation(
    conversation_id: str, services: ServicesHere, session: SessionHere, show: Show = "waiting"
) -> HTMLResponse:
    """The list and one conversation."""
    detail = await services.desk.open(conversation_id)
    await services.desk.mark_read(conversation_id, session.user.id)
    context = {
        **await _list(services, session, show, conversation_id),
        **await _thread(services, session, detail, show),
    }
    return page("console/desk.html", **{**context, **_frame(session)})


@router.get("/conversations/{conversation_id}/thread")
async def thread(
    conversation_id: str, services: ServicesHere, session: SessionHere, show: Show = "waiting"
) -> HTMLResponse:
    """One conversation alone, for refreshing."""
    detail = await services.desk.open(conversation_id)
    await services.desk.mark_read(conversation_id, session.user.id)
    return page("console/_thread.html", **await _thread(services, session, detail, show))


@router.post("/conversations/{conversation_id}/reply")
async def reply(
    conversation_id: str,
    services: ServicesHere,
    session: Checked,
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
    conversation_id: str, action: str, services: ServicesHere, session: Checked, show: Show = "waiting"
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
async def file(
    file_id: str, services: ServicesHere, _session: SessionHere, small: bool = False
) -> FileResponse:
    """A picture or a file somebody sent."""
    found = await services.media.find(file_id[:64])
    if found is None:
        raise Problem(404, "file_gone")
    return file_response(services.media, found, small=small)


@router.get("/events")
async def events(services: ServicesHere, _session: SessionHere) -> StreamingResponse:
    """Tell the page which conversation has changed (Server-Sent Events)."""
    return StreamingResponse(
        _changes(services),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/tickets")
async def tickets(services: ServicesHere, session: SessionHere) -> HTMLResponse:
    """The newest tickets."""
    found = await services.tickets.latest(limit=100)
    return page("console/tickets.html", tickets=found, **_frame(session, "tickets"))


@router.get("/tickets/{code}")
async def ticket(code: str, services: ServicesHere, session: SessionHere) -> HTMLResponse:
    """One ticket with its sender; that it was looked at is on the audit trail."""
    found = await services.tickets.find(code[:40])
    if found is None:
        return page("error.html", status=404, message=say("console.error.unknown_ticket"))
    await services.accounts.record(session.user.id, "ticket.viewed", found.id)
    timeline = await services.tickets.timeline(found)
    files = [file for file_id in found.attachments if (file := await services.media.find(file_id))]
    return page(
        "console/ticket.html", ticket=found, timeline=timeline, files=files, **_frame(session, "tickets")
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

    found = await services.desk.list_conversations(wanted, limit=100)
    return {"conversations": found, "show": show, "minutes_since": minutes_since, "open": opened}


async def _thread(
    services: Services, session: SessionInfo, detail: ConversationDetail, show: str
) -> dict[str, Any]:
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


def _frame(session: SessionInfo, section: str = "conversations") -> dict[str, Any]:
    return {"user": session.user, "csrf": session.csrf, "section": section, "text_limit": MAX_TEXT}
