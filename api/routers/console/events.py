"""What the desk's pages are told as it happens, and who looks at a conversation just now."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import StreamingResponse
from starlette.responses import JSONResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import COOKIE, ServicesHere, changing, seeing
from api.routers.console import opened
from api.routers.console.feed import READY, feed_of
from api.services import Services

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]


@router.get("/alive")
async def alive(_session: Seeing) -> Response:
    """Tell a page that has lost its stream whether the log-in still stands."""
    return Response(status_code=204)


@router.get("/events")
async def events(request: Request, services: ServicesHere, session: Seeing) -> StreamingResponse:
    """Tell the page what has changed, and what concerns this person (Server-Sent Events).

    It ends when the session has.
    """
    return StreamingResponse(
        _notes(services, session.user.id, request.cookies.get(COOKIE, "")),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.get("/conversations/{conversation_id}/presence")
async def others(conversation_id: str, services: ServicesHere, session: Seeing) -> JSONResponse:
    """Who else has the conversation open, and who of them is writing."""
    return await _others(services, session, conversation_id)


@router.post("/conversations/{conversation_id}/presence")
async def here(
    conversation_id: str,
    services: ServicesHere,
    session: Answering,
    doing: Annotated[Literal["viewing", "typing", "left"], Form()],
) -> JSONResponse:
    """Take a sign of life of this person, answer with those of the others."""
    me = session.user.id
    if doing == "left":
        await services.core.presence.left(conversation_id, me)
    else:
        await services.core.presence.seen(conversation_id, me, typing=doing == "typing")
        if doing == "typing":
            await services.desk.keep(conversation_id, me)
    return await _others(services, session, conversation_id)


async def _others(services: Services, session: SessionInfo, conversation_id: str) -> JSONResponse:
    there = [
        one for one in await services.core.presence.of(conversation_id) if one.operator_id != session.user.id
    ]
    names = await opened.names_of(services, (one.operator_id for one in there))
    return JSONResponse(
        [{"name": names[one.operator_id], "typing": one.typing} for one in there if one.operator_id in names]
    )


async def _notes(services: Services, user_id: str, token: str) -> AsyncIterator[bytes]:
    async with feed_of(services).watch(user_id, token) as screen:
        yield READY
        while (note := await screen.next()) is not None:
            yield note
