"""What crosses the edge of the conversation core: messages, the bot's turn, views for people."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from conversations.reasons import in_words

MAX_TEXT = 4_000
"""Longest text a citizen may send, in characters after NFC."""

Owner = Literal["bot", "queue", "person"]
Author = Literal["citizen", "bot", "operator", "system"]
Kind = Literal["text", "postback", "location", "image", "file", "voice", "video", "sticker"]

_KEPT_CONTROLS = "\n\t"


def clean_text(text: str) -> str:
    """Return `text` as NFC without control characters (newline and tab stay) and without outer blanks.

    Raises:
        ValueError: the text holds lone surrogates, which no database can store.
    """
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError("the text is not valid Unicode") from error
    composed = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    return "".join(c for c in composed if c in _KEPT_CONTROLS or unicodedata.category(c) != "Cc").strip()


def _token(value: str) -> str:
    if not value.isprintable() or not value.strip():
        raise ValueError("an identifier is one printable word")
    return value


Text = Annotated[str, AfterValidator(clean_text), Field(max_length=MAX_TEXT)]
Identifier = Annotated[str, Field(min_length=1, max_length=200), AfterValidator(_token)]


class Button(BaseModel):
    """Something the citizen can tap; `payload` comes back as a postback."""

    model_config = ConfigDict(frozen=True)

    title: str = Field(min_length=1, max_length=200)
    payload: str = Field(min_length=1, max_length=1_000)


class Location(BaseModel):
    """A point on the map, WGS 84 degrees."""

    model_config = ConfigDict(frozen=True)

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


class Attachment(BaseModel):
    """A file the citizen sent: kept here (`file_id`), or at the provider, by address.

    Nothing is fetched when a message is received. `size` in bytes, `width` and `height` in pixels.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["image", "file", "voice", "video", "sticker"]
    url: str = Field(default="", max_length=2_000)
    name: str | None = Field(default=None, max_length=300)
    file_id: str | None = Field(default=None, max_length=32)
    content_type: str | None = Field(default=None, max_length=100)
    size: int | None = None
    width: int | None = None
    height: int | None = None


class InboundMessage(BaseModel):
    """One message of a citizen as a connector understood it.

    Attributes:
        provider_message_id: the provider's id; with the channel it is unique, a repeat changes nothing.
        postback: `text` is the payload of a tapped button.
        provider_timestamp: when the provider says it was sent; absent: the moment of receiving.
    """

    model_config = ConfigDict(frozen=True)

    channel: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{1,31}$")]
    external_user_id: Identifier
    provider_message_id: Annotated[str, Field(min_length=1, max_length=300), AfterValidator(_token)]
    text: Text = ""
    kind: Kind = "text"
    postback: bool = False
    attachments: tuple[Attachment, ...] = Field(default=(), max_length=10)
    location: Location | None = None
    provider_timestamp: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """What became of an inbound message; `sequence` is its place in the conversation."""

    message_id: str
    conversation_id: str
    sequence: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class OutboundFile:
    """A stored picture or file on its way to a citizen. `path` is the file on disk, `size` in bytes."""

    file_id: str
    kind: Literal["image", "file"]
    name: str
    content_type: str
    size: int
    path: Path


@dataclass(frozen=True, slots=True)
class OutboundMessage:
    """One message on its way to a citizen. `id` is the same at every try.

    Attributes:
        files: pictures and files that go with it; the channel's capabilities say what it takes.
        last_heard_at: when the citizen last said something on this channel: providers' windows count from it.
    """

    id: str
    conversation_id: str
    channel: str
    external_user_id: str
    sequence: int
    text: str
    buttons: tuple[Button, ...]
    author: Author
    attempt: int
    created_at: datetime
    route: str | None = None
    files: tuple[OutboundFile, ...] = ()
    last_heard_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a channel can show.

    Attributes:
        max_text: longest text of one message, in characters; longer replies become several messages.
        buttons: False: choices are written under the text as a numbered list.
        images, files: it takes pictures, files.
        repeatable: sending the same message twice shows it once, so that a batch may be recorded at once.
        most_buttons: further ones are written as a numbered list with all of them.
        longest_title: characters of one button.
        window: how long after the citizen's last word anything may be sent; None: always.
        person_window: the same for what a person wrote, where the provider allows longer; None: as `window`.
        typing: it can show that an answer is being written.
        asks_contact: it can ask the citizen for name and telephone number with one tap.
        reorders: its provider may deliver a later message before an earlier one, so each is given a moment
            before it is worked on.
        echoes: its provider tells us what was sent from our account: after a crash that decides whether a
            message has gone out.
    """

    max_text: int
    buttons: bool
    images: bool = False
    repeatable: bool = False
    files: bool = False
    most_buttons: int = 13
    longest_title: int = 200
    window: timedelta | None = None
    person_window: timedelta | None = None
    typing: bool = False
    asks_contact: bool = False
    reorders: bool = False
    echoes: bool = False


@dataclass(frozen=True, slots=True)
class SendResult:
    """What a provider said to one message.

    `accepted` means that the provider took it; `transient` is tried again later (`retry_after` seconds, where
    the provider says so); `auth` waits, with everything behind it, until the channel's credentials work
    again; `permanent` is shown to the operators. `error` is a short code of ours or the provider's.
    """

    status: Literal["accepted", "transient", "auth", "permanent"]
    provider_id: str | None = None
    error: str | None = None
    retry_after: float | None = None

    @classmethod
    def accepted(cls, provider_id: str | None = None) -> SendResult:
        """The provider took the message."""
        return cls("accepted", provider_id)

    @classmethod
    def transient(cls, error: str, *, retry_after: float | None = None) -> SendResult:
        """Not now; the same message is worth another try."""
        return cls("transient", None, error, retry_after)

    @classmethod
    def auth(cls, error: str) -> SendResult:
        """The provider does not accept our credentials; nothing is wrong with the message."""
        return cls("auth", None, error)

    @classmethod
    def permanent(cls, error: str) -> SendResult:
        """Never; another try would be refused alike."""
        return cls("permanent", None, error)


class BotMessage(BaseModel):
    """One message to a citizen; `turn` is the turn record of the action that said it, where the bot did."""

    text: str = Field(default="", max_length=20_000)
    buttons: tuple[Button, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    turn: dict[str, Any] | None = None


class BotIntent(BaseModel):
    """An intent and how sure the classifier is, 0 to 1."""

    name: str | None = None
    confidence: float = 0.0


class BotTurn(BaseModel):
    """The gateway's answer to one message; `model` says which trained model read it."""

    message_id: str
    replayed: bool = False
    model: str | None = None
    intent: BotIntent = BotIntent()
    ranking: list[BotIntent] = []
    entities: list[dict[str, Any]] = []
    messages: list[BotMessage]


@dataclass(frozen=True, slots=True)
class MessageView:
    """A message as people read it. `state` and `error` tell operators whether it has arrived."""

    id: str
    conversation_id: str
    sequence: int
    session: int
    direction: str
    author: str
    author_id: str | None
    kind: str
    text: str
    buttons: tuple[Button, ...]
    payload: dict[str, Any]
    turn: dict[str, Any] | None
    state: str
    error: str | None
    created_at: datetime
    provider_message_id: str | None = None
    channel: str = ""
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    withdrawn_at: datetime | None = None

    @property
    def reason(self) -> str | None:
        """Why it was not delivered, in words; None where nothing is wrong."""
        return in_words(self.error, self.channel) if self.direction == "out" and self.error else None

    @property
    def route(self) -> str | None:
        """The evaluation route of the turn, where there is one."""
        return (self.turn or {}).get("route")


@dataclass(frozen=True, slots=True)
class Sending:
    """What may be sent in a conversation now.

    Attributes:
        bot: the assistant may send.
        person: a person may send.
        until: when a person may not any more unless the citizen writes again; None: always.
        reason: why a person may not, as a sentence.
    """

    bot: bool
    person: bool
    until: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationView:
    """A conversation as the operators' list shows it; `models.ConversationRow` says what the fields mean.

    `sending` is known where the desk made the view.
    """

    id: str
    channel: str
    external_user_id: str
    owner: Owner
    assigned_to: str | None
    session: int
    last_activity_at: datetime
    last_message: str
    last_author: str
    unread: int
    waiting_since: datetime | None
    handoff_reason: str | None
    queue_told_at: datetime | None
    closed_at: datetime | None
    next_sequence: int
    created_at: datetime
    last_heard_at: datetime | None = None
    unfollowed_at: datetime | None = None
    sending: Sending | None = None
    silent_since: datetime | None = None
    urgent: bool = False
    handoff: dict[str, Any] | None = None
    last_held_by: str | None = None
    person_id: str | None = None


@dataclass(frozen=True, slots=True)
class ConversationFilter:
    """Which conversations the operators' list shows; None means any.

    Attributes:
        assigned_to: held by this operator.
        has_failed: something an operator or the bot said never arrived.
        unread: the citizen said something that the holder, or anybody, has not read.
        window_closing: the provider soon takes nothing more from us, and the citizen waits.
        text: words that were said, names, telephone numbers, codes of tickets; marks do not matter.
    """

    owner: Owner | None = None
    assigned_to: str | None = None
    channel: str | None = None
    has_failed: bool | None = None
    urgent: bool | None = None
    unread: bool | None = None
    window_closing: bool | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class ConversationDetail:
    """A conversation opened: who it is and what was said, oldest first."""

    conversation: ConversationView
    messages: list[MessageView]
    position: int | None = None
