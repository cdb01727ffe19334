"""What the desk's pages are told as it happens, and who looks at a conversation just now."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import StreamingResponse
from starlette.responses import JSONResponse, Response

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import COOKIE, ServicesHere, changing, seeing
from api.routers.console import opened
from api.services import Services
from conversations.desk.ownership import operator_topic
from conversations.events import DESK, Event

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CONVERSATIONS))]
Answering = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]


@router.get("/alive")
async def alive(_session: Seeing) -> Response:
    """Tell a page that has lost its stream whether the log-in still stands."""
    return Response(status_code=204)


@router.get("/events")
async def events(request: Request, services: ServicesHere, session: Seeing) -> StreamingResponse:
    """Tell the page which conversation has changed, and what concerns this person (Server-Sent Events).

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
    async with (
        services.events.subscribe(DESK) as of_all,
        services.events.subscribe(operator_topic(user_id)) as of_mine,
    ):
        yield b"retry: 2000\n\n"
        heartbeat = services.settings.event_heartbeat
        until = time.monotonic() + heartbeat
        async for kind, event in _either({"changed": of_all, "mine": of_mine}, heartbeat):
            # Also where so much happens that it is never silent.
            if event is None or time.monotonic() >= until:
                if await _is_over(services, user_id, token):
                    return
                until = time.monotonic() + heartbeat
            if event is None:
                # No comment: a page cannot see those, and must tell a dead line from a quiet one.
                yield b"event: alive\ndata: {}\n\n"
                continue
            name = "presence" if event.get("type") == "presence" else kind
            data = {key: event.get(key) for key in ("type", "conversation", "owner")}
            yield f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


async def _is_over(services: Services, user_id: str, token: str) -> bool:
    session = await services.accounts.find_session(token, is_used=False)
    return session is None or session.user.id != user_id or not may(session.user, Action.SEE_CONVERSATIONS)


async def _either(
    queues: dict[str, asyncio.Queue[Event]], heartbeat: float
) -> AsyncIterator[tuple[str, Event | None]]:
    """Yield what any of the queues brings, by name; None after a while of silence."""
    waiting: dict[asyncio.Task[Any], str] = {}
    try:
        while True:
            for name in queues.keys() - set(waiting.values()):
                waiting[asyncio.create_task(queues[name].get())] = name
            done, _ = await asyncio.wait(waiting, timeout=heartbeat, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                yield "", None
            for task in done:
                yield waiting.pop(task), task.result()
    finally:
        for task in waiting:
            task.cancel()
        for task in waiting:
            with contextlib.suppress(asyncio.CancelledError):
                await task
