"""The web chat's HTTP interface, for a widget on any site: open, say, read, listen."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import PROBLEMS, Problem
from api.services import Services, get_services
from api.sse import visitor_events
from connectors.webchat.connector import CHANNEL, visible
from connectors.webchat.limits import Limit
from conversations.schemas import MAX_TEXT, Button, InboundMessage, Location, Owner, clean_text
from conversations.service import greeting

router = APIRouter(prefix="/chat", tags=["chat"], responses=PROBLEMS)

_LONGEST_TYPED = 4 * MAX_TEXT
"""What is looked at before composing; decomposed Vietnamese takes up to three code points a letter."""

ServicesHere = Annotated[Services, Depends(get_services)]


class OpenChat(BaseModel):
    """Who comes: with the token of an earlier visit, or without."""

    model_config = ConfigDict(extra="ignore")

    token: str | None = Field(default=None, max_length=400)


class GreetingBody(BaseModel):
    """Shown before the first message."""

    text: str
    buttons: list[Button]


class ChatMessage(BaseModel):
    """A message as the widget shows it. `text` is plain: newlines, "- " lists; nothing in it is HTML."""

    id: str
    sequence: int
    author: Literal["citizen", "bot", "operator", "system"]
    text: str
    buttons: list[Button]
    created_at: datetime
    route: str | None = None


class OpenedChat(BaseModel):
    """An opened chat; `token` is kept by the widget and sent with everything."""

    token: str
    conversation_id: str | None
    greeting: GreetingBody
    messages: list[ChatMessage]
    owner: Owner
    position: int | None = None


class NewMessage(BaseModel):
    """Something said. `client_id` is made by the widget: sent again, the message is still there once."""

    model_config = ConfigDict(extra="ignore")

    client_id: UUID
    text: str = ""
    postback: bool = Field(default=False, description="`text` is the payload of a button that was offered")
    location: Location | None = None


class TakenMessage(BaseModel):
    """The message is stored and will be answered."""

    message_id: str
    sequence: int
    duplicate: bool


class NewerMessages(BaseModel):
    """What was said after a sequence."""

    messages: list[ChatMessage]
    owner: Owner
    position: int | None = None


async def _visitor(services: ServicesHere, authorization: Annotated[str, Header()] = "") -> str:
    scheme, _, token = authorization.partition(" ")
    visitor = services.visitors.read(token.strip()) if scheme.lower() == "bearer" else None
    if visitor is None:
        raise Problem(401, "bad_token")
    return visitor


VisitorHere = Annotated[str, Depends(_visitor)]


def _address(request: Request) -> str:
    return request.client.host if request.client else "unknown"


@router.post("/session", summary="Open a chat, new or again")
async def open_chat(body: OpenChat, request: Request, services: ServicesHere) -> OpenedChat:
    """Return a token, the greeting, and what was said before.

    A token that is not valid (any more) opens a new chat instead of failing: the visitor can do nothing about
    it.
    """
    settings = services.settings
    limit = Limit("sessions", settings.address_sessions_per_minute, 60)
    if await services.limits.allow((limit, _address(request))) is not None:
        raise _slow_down("too_many_addresses")
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
        messages=[ChatMessage(**visible(message)) for message in state.messages],
        owner=state.conversation.owner,
        position=state.position,
    )


@router.post("/messages", status_code=202, summary="Say something")
async def say_something(
    body: NewMessage, visitor: VisitorHere, request: Request, services: ServicesHere
) -> TakenMessage:
    """Store a message; when this answers 202 it is on disk. The answer comes by the events or by reading."""
    message = _inbound(body, visitor)
    settings = services.settings
    exceeded = await services.limits.allow(
        (Limit("visitor", settings.visitor_messages_per_minute, 60), visitor),
        (Limit("address", settings.address_messages_per_minute, 60), _address(request)),
    )
    if exceeded is not None:
        raise _slow_down("too_many_messages" if exceeded.name == "visitor" else "too_many_addresses")
    received = await services.inbox.receive(message)
    return TakenMessage(
        message_id=received.message_id, sequence=received.sequence, duplicate=received.duplicate
    )


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
        messages=[ChatMessage(**visible(message)) for message in state.messages],
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
    stream = visitor_events(
        services.inbox,
        services.events,
        CHANNEL,
        visitor,
        after=max(after, min(heard, 2**31 - 1)),
        heartbeat=services.settings.event_heartbeat,
    )
    return StreamingResponse(
        stream,
        media_type="text/event-stream",
        # A proxy that buffers would hold the events back.
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


def _inbound(body: NewMessage, visitor: str) -> InboundMessage:
    if len(body.text) > _LONGEST_TYPED:
        raise Problem(422, "message_too_long")
    try:
        text = clean_text(body.text)
    except ValueError as error:
        raise Problem(422, "bad_text") from error
    if len(text) > MAX_TEXT:
        raise Problem(422, "message_too_long")
    if not text and body.location is None:
        raise Problem(422, "empty_message")
    if _is_binary(text):
        raise Problem(422, "bad_text")
    content: dict[str, Any] = {"text": text, "postback": body.postback, "location": body.location}
    try:
        return InboundMessage(
            channel=CHANNEL,
            external_user_id=visitor,
            # Somebody else's client_id must not collide with, or hide, this visitor's message.
            provider_message_id=f"{visitor}:{body.client_id}",
            **content,
        )
    except ValidationError as error:
        raise Problem(422, "invalid") from error


def _is_binary(text: str) -> bool:
    """Tell whether somebody pasted a file: what a decoder could not read is more than a tenth of the text."""
    return text.count("\ufffd") * 10 > len(text)


def _slow_down(code: str) -> Problem:
    return Problem(429, code, headers={"Retry-After": "60"})
