"""What the web chat's entrances share, HTTP and WebSocket: the shapes, and how one message is taken."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from api.errors import Problem
from api.services import Services
from connectors.webchat.connector import CHANNEL, provider_id
from connectors.webchat.limits import Limit
from conversations.media.service import Person
from conversations.schemas import MAX_TEXT, Button, InboundMessage, Location, Owner, clean_text

LONGEST_TYPED = 4 * MAX_TEXT
"""What is looked at before composing; decomposed Vietnamese takes up to three code points a letter."""

MOST_ATTACHMENTS = 10
"""Files one message may carry."""

FileId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]


class FileBody(BaseModel):
    """A stored file. `url` is relative to this server and works for about an hour; `size` in bytes."""

    id: str
    url: str
    kind: Literal["image", "file"]
    name: str
    size: int
    width: int | None = None
    height: int | None = None


class ChatMessage(BaseModel):
    """A message as the widget shows it. `text` is plain: newlines, "- " lists; nothing in it is HTML.

    `client_id` is the one the widget that sent it had made.
    """

    id: str
    sequence: int
    author: Literal["citizen", "bot", "operator", "system"]
    text: str
    buttons: list[Button]
    created_at: datetime
    route: str | None = None
    client_id: str | None = None
    location: Location | None = None
    attachments: list[FileBody] = []


class NewMessage(BaseModel):
    """Something said. `client_id` is made by the widget: sent again, the message is still there once."""

    model_config = ConfigDict(extra="ignore")

    client_id: UUID
    text: str = ""
    postback: bool = Field(default=False, description="`text` is the payload of a button that was offered")
    location: Location | None = None
    attachments: list[FileId] = Field(default=[], max_length=50, description="Ids of files stored before")


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


async def take(services: Services, visitor: str, address: str, body: NewMessage) -> TakenMessage:
    """Store a visitor's message; when this returns it is on disk.

    Raises:
        Problem: it is not taken; the code says why.
        ConversationError: it could not be stored, or a file it carries is not there.
    """
    message = _inbound(body, visitor)
    settings = services.settings
    exceeded = services.limits.allow(
        (Limit("visitor", settings.visitor_messages_per_minute, 60), visitor),
        (Limit("address", settings.address_messages_per_minute, 60), address),
    )
    if exceeded is not None:
        raise slow_down("too_many_messages" if exceeded.name == "visitor" else "too_many_addresses")
    files = await services.media.attach(Person(CHANNEL, visitor), list(dict.fromkeys(body.attachments)))
    if files:
        message = message.model_copy(
            update={"attachments": files, "kind": files[0].kind if not message.text else "text"}
        )
    received = await services.inbox.receive(message)
    return TakenMessage(
        message_id=received.message_id, sequence=received.sequence, duplicate=received.duplicate
    )


def slow_down(code: str, seconds: int = 60) -> Problem:
    """Return that somebody sends too much, and when to come again."""
    return Problem(429, code, headers={"Retry-After": str(seconds)})


def _inbound(body: NewMessage, visitor: str) -> InboundMessage:
    if len(body.text) > LONGEST_TYPED:
        raise Problem(422, "message_too_long")
    try:
        text = clean_text(body.text)
    except ValueError as error:
        raise Problem(422, "bad_text") from error
    if len(text) > MAX_TEXT:
        raise Problem(422, "message_too_long")
    if not text and body.location is None and not body.attachments:
        raise Problem(422, "empty_message")
    if len(body.attachments) > MOST_ATTACHMENTS:
        raise Problem(422, "too_many_attachments")
    if _is_binary(text):
        raise Problem(422, "bad_text")
    content: dict[str, Any] = {"text": text, "postback": body.postback, "location": body.location}
    try:
        return InboundMessage(
            channel=CHANNEL,
            external_user_id=visitor,
            provider_message_id=provider_id(visitor, body.client_id),
            **content,
        )
    except ValidationError as error:
        raise Problem(422, "invalid") from error


def _is_binary(text: str) -> bool:
    """Tell whether somebody pasted a file: what a decoder could not read is more than a tenth of the text."""
    return text.count("\ufffd") * 10 > len(text)
