"""The desk: who waits, one conversation opened, taken, put back, given to the assistant, ended."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Query
from fastapi.responses import FileResponse, JSONResponse
from starlette.responses import HTMLResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.errors import Problem, problem
from api.files import file_response
from api.routers.console import opened
from api.routers.console.shown import NARROWED, PARTS, Wanted
from api.services import Services
from api.templating import page
from conversations.errors import HeldByOtherError
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]
TakingOver = Annotated[SessionInfo, Depends(changing(Action.TAKE_OVER))]
First = Annotated[int, Query(alias="from", ge=0)]
Reason = Annotated[str, Form(max_length=500)]

_MOST_LISTED = 200


def _wanted(
    show: Annotated[str, Query(pattern=f"^({'|'.join(PARTS)})$")] = "waiting",
    channel: Annotated[str, Query(pattern="^[a-z0-9_]{0,32}$")] = "",
    only: Annotated[str, Query(pattern=f"^({'|'.join(NARROWED)})?$")] = "",
    q: Annotated[str, Query(max_length=200)] = "",
) -> Wanted:
    return Wanted(show, channel, only, q)


WantedHere = Annotated[Wanted, Depends(_wanted)]


@router.get("")
async def desk(services: ServicesHere, session: Seeing, wanted: WantedHere) -> HTMLResponse:
    """The list, nothing opened."""
    context = await opened.list_context(services, session, wanted)
    return console_page(
        "desk.html", session, "conversations", **opened.frame_context(services, session), **context
    )


@router.get("/list")
async def conversations(
    services: ServicesHere,
    session: Seeing,
    wanted: WantedHere,
    after: Annotated[str | None, Query(max_length=300)] = None,
    count: Annotated[int, Query(ge=0)] = 0,
) -> HTMLResponse:
    """A page of the list alone: the first one anew, or the one behind what is shown."""
    found = await opened.list_context(services, session, wanted, after=after, count=min(count, _MOST_LISTED))
    return page("console/_list.html", **found)


@router.get("/conversations/{conversation_id}")
async def conversation(
    conversation_id: str, services: ServicesHere, session: Seeing, wanted: WantedHere
) -> HTMLResponse:
    """The list and one conversation."""
    panel = await _opened(services, session, conversation_id)
    listed = await opened.list_context(services, session, wanted, opened=conversation_id)
    frame = opened.frame_context(services, session)
    return console_page("desk.html", session, "conversations", **{**panel, **listed, **frame})


@router.get("/conversations/{conversation_id}/panel")
async def panel(conversation_id: str, services: ServicesHere, session: Seeing) -> HTMLResponse:
    """One conversation alone, opened."""
    return page("console/_panel.html", **await _opened(services, session, conversation_id))


@router.get("/conversations/{conversation_id}/thread")
async def thread(conversation_id: str, services: ServicesHere, session: Seeing, first: First = 0) -> Response:
    """What was said alone, for refreshing."""
    return await opened.thread_part(services, session, conversation_id, first=first)


@router.get("/conversations/{conversation_id}/older")
async def older(
    conversation_id: str,
    services: ServicesHere,
    session: Seeing,
    before: Annotated[int, Query(ge=1)],
) -> HTMLResponse:
    """What was said before the first message shown."""
    context = await opened.older_context(services, session, conversation_id, before)
    return page("console/_said.html", **context)


@router.post("/conversations/{conversation_id}/seen")
async def seen(conversation_id: str, services: ServicesHere, session: Answering) -> Response:
    """Note that whoever holds the conversation has read it."""
    await services.desk.mark_read(conversation_id, session.user.id)
    return Response(status_code=204)


@router.post("/next")
async def take_next(services: ServicesHere, session: Answering) -> Response:
    """Take the conversation whose turn it is; 204 when nobody waits."""
    taken = await services.desk.claim_next(session.user.id)
    if taken is None:
        return Response(status_code=204)
    await services.accounts.record(session.user.id, "conversation.claim", taken.id)
    return JSONResponse({"conversation": taken.id})


@router.post("/conversations/{conversation_id}/take-over")
async def take_over(
    conversation_id: str,
    services: ServicesHere,
    session: TakingOver,
    first: First = 0,
    reason: Reason = "",
) -> Response:
    """Take a conversation that somebody else holds."""
    done = services.desk.claim(conversation_id, session.user.id, take_over=True, reason=reason)
    return await changed(services, session, conversation_id, first, "take_over", done)


def _change(name: str, of: Callable[[Services], Callable[..., Awaitable[Any]]], **more: Any) -> None:
    """Add the route of one change of a conversation."""

    async def change(
        conversation_id: str,
        services: ServicesHere,
        session: Answering,
        first: First = 0,
        reason: Reason = "",
    ) -> Response:
        done = of(services)(conversation_id, session.user.id, reason=reason, **more)
        return await changed(services, session, conversation_id, first, name.replace("-", "_"), done)

    router.add_api_route(f"/conversations/{{conversation_id}}/{name}", change, methods=["POST"], name=name)


_change("claim", lambda services: services.desk.claim)
_change("release", lambda services: services.desk.release)
_change("hand-back", lambda services: services.desk.hand_back)
_change("close", lambda services: services.desk.close)
_change("urgent", lambda services: services.desk.mark_urgent, urgent=True)
_change("not-urgent", lambda services: services.desk.mark_urgent, urgent=False)


@router.get("/files/{file_id}")
async def file(file_id: str, services: ServicesHere, _session: Seeing, small: bool = False) -> FileResponse:
    """A picture or a file somebody sent."""
    found = await services.media.find(file_id[:64])
    if found is None:
        raise Problem(404, "file_gone")
    return file_response(services.media, found, small=small)


async def _opened(services: Services, session: SessionInfo, conversation_id: str) -> dict[str, Any]:
    context = await opened.panel_context(services, session, conversation_id)
    # What people say is personal: who looked at it is on the trail.
    await services.accounts.record(session.user.id, "conversation.viewed", conversation_id)
    return {**context, "opened": conversation_id}


async def changed(
    services: Services,
    session: SessionInfo,
    conversation_id: str,
    first: int,
    what: str,
    done: Awaitable[Any],
) -> Response:
    """Do it, put `what` was done on the audit trail, answer with the conversation as it is then."""
    try:
        await done
    except HeldByOtherError as held:
        return await held_by_other(services, held)
    await services.accounts.record(session.user.id, f"conversation.{what}", conversation_id)
    return await opened.thread_part(services, session, conversation_id, first=first)


async def held_by_other(services: Services, held: HeldByOtherError) -> Response:
    """Answer who was first."""
    names = await opened.names_of(services, [held.held_by])
    name = names.get(held.held_by or "", say("console.thread.operator"))
    return problem(409, held.code, say("console.error.taken", name=name))
