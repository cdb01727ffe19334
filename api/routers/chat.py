"""The web chat's interface, for a widget on any site: open, say, read, listen; by HTTP and by WebSocket."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Query, Request, WebSocket
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from api.chat_messages import ChatMessage, NewerMessages, NewMessage, TakenMessage, slow_down, take
from api.chat_socket import ChatSocket
from api.errors import PROBLEMS, Problem
from api.open_sockets import Close
from api.services import Services, get_services
from api.sse import visitor_events
from connectors.webchat.connector import CHANNEL, visible
from connectors.webchat.limits import Limit
from conversations.schemas import Button, Owner
from conversations.service import greeting

router = APIRouter(prefix="/chat", tags=["chat"], responses=PROBLEMS)

ServicesHere = Annotated[Services, Depends(get_services)]


class OpenChat(BaseModel):
    """Who comes: with the token of an earlier visit, or without."""

    model_config = ConfigDict(extra="ignore")

    token: str | None = Field(default=None, max_length=400)


class GreetingBody(BaseModel):
    """Shown before the first message."""

    text: str
    buttons: list[Button]


class OpenedChat(BaseModel):
    """An opened chat; `token` is kept by the widget and sent with everything."""

    token: str
    conversation_id: str | None
    greeting: GreetingBody
    messages: list[ChatMessage]
    owner: Owner
    position: int | None = None


async def visitor_of(services: ServicesHere, authorization: Annotated[str, Header()] = "") -> str:
    """Return the visitor whose token came with a request."""
    scheme, _, token = authorization.partition(" ")
    visitor = services.visitors.read(token.strip()) if scheme.lower() == "bearer" else None
    if visitor is None:
        raise Problem(401, "bad_token")
    return visitor


VisitorHere = Annotated[str, Depends(visitor_of)]


def address_of(request: Request) -> str:
    """Return the network address a request came from."""
    return request.client.host if request.client else "unknown"


@router.post("/session", summary="Open a chat, new or again")
async def open_chat(body: OpenChat, request: Request, services: ServicesHere) -> OpenedChat:
    """Return a token, the greeting, and what was said before.

    A token that is not valid (any more) opens a new chat instead of failing: the visitor can do nothing about
    it.
    """
    settings = services.settings
    limit = Limit("sessions", settings.address_sessions_per_minute, 60)
    if services.limits.allow((limit, address_of(request))) is not None:
        raise slow_down("too_many_addresses")
    visitor = services.visitors.read(body.token) if body.token else None
    hello = greeting(f"{settings.resolved_public_url()}/privacy")
    shown = GreetingBody(text=hello.text, buttons=list(hello.buttons))
    if visitor is None:
        _new, token = services.visitors.new()
        return OpenedChat(token=token, conversation_id=None, greeting=shown, messages=[], owner="bot")
    token = services.visitors.token(visitor)
    state = await services.inbox.state(CHANNEL, visitor, limit=50)
    if state is None:
        return OpenedChat(token=token, conversation_id=None, greeting=shown, messages=[], owner="bot")
    return OpenedChat(
        token=token,
        conversation_id=state.conversation.id,
        greeting=shown,
        messages=[ChatMessage(**visible(message, services.links)) for message in state.messages],
        owner=state.conversation.owner,
        position=state.position,
    )


@router.post("/messages", status_code=202, summary="Say something")
async def say_something(
    body: NewMessage, visitor: VisitorHere, request: Request, services: ServicesHere
) -> TakenMessage:
    """Store a message; when this answers 202 it is on disk. The answer comes by the events or by reading."""
    return await take(services, visitor, address_of(request), body)


@router.get("/messages", summary="Read what was said after a sequence")
async def read_messages(
    visitor: VisitorHere,
    services: ServicesHere,
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
) -> NewerMessages:
    """Return up to 200 messages, oldest first; ask again after the last one for more."""
    state = await services.inbox.state(CHANNEL, visitor, after=after)
    if state is None:
        return NewerMessages(messages=[], owner="bot")
    return NewerMessages(
        messages=[ChatMessage(**visible(message, services.links)) for message in state.messages],
        owner=state.conversation.owner,
        position=state.position,
    )


@router.get(
    "/events",
    summary="Listen to what is new (Server-Sent Events)",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def listen(
    services: ServicesHere,
    token: Annotated[str, Query(max_length=400)] = "",
    after: Annotated[int, Query(ge=0, le=2**31 - 1)] = 0,
    last_event_id: Annotated[str, Header()] = "",
) -> StreamingResponse:
    """Stream `message` (id: sequence), `typing` and `owner`; goes on after `Last-Event-ID` or `after`."""
    visitor = services.visitors.read(token)
    if visitor is None:
        raise Problem(401, "bad_token")
    heard = int(last_event_id) if last_event_id.isascii() and last_event_id.isdigit() else 0
    feed = services.feed(visitor, after=max(after, min(heard, 2**31 - 1)))
    return StreamingResponse(
        visitor_events(feed),
        media_type="text/event-stream",
        # A proxy that buffers would hold the events back.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


@router.websocket("/ws")
async def converse(websocket: WebSocket) -> None:
    """Say and listen on one connection; `api.chat_socket` describes the frames."""
    services: Services = websocket.app.state.services
    if not _is_open_to(websocket, services.settings.chat_origins):
        await websocket.close(Close.FOREIGN_SITE)
        return
    if services.sockets.is_full:
        await websocket.close(Close.TRY_LATER)
        return
    await ChatSocket(websocket, services, services.sockets).serve()


def _is_open_to(websocket: WebSocket, origins: list[str]) -> bool:
    """Tell whether a page of this origin may show the chat; what is no browser names none."""
    origin = websocket.headers.get("origin")
    if origin is None or "*" in origins or origin in origins:
        return True
    return origin.partition("://")[2] == websocket.headers.get("host")
