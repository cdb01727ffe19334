"""What crosses the edge of the tickets domain: drafts, tickets, their timeline, what lists ask for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator

from tickets import codes

CONTENT_LIMIT = 4_000

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Content = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=CONTENT_LIMIT)]
NationalPhone = Annotated[str, StringConstraints(pattern=r"^0\d{8,10}$|^1022$")]

ConsentHow = Literal["chat", "call", "form", "paper"]


class TicketKind(StrEnum):
    """What a citizen sends in."""

    REPORT = "report"
    SUGGESTION = "suggestion"
    PRAISE = "praise"
    CONDUCT = "conduct"


class TicketState(StrEnum):
    """Where a ticket stands; `tickets.flows` says how it gets from one to the next."""

    NEW = "new"
    NEEDS_INFO = "needs_info"
    REFUSED = "refused"
    TRANSFERRED = "transferred"
    ANSWERED_BY_AGENCY = "answered_by_agency"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    CLOSED = "closed"
    MERGED = "merged"


class RefusalReason(StrEnum):
    """Why a request is not accepted; each has its guidance in the catalogue."""

    POLICE = "police"
    FIRE = "fire"
    MEDICAL = "medical"
    COMPLAINT_LETTER = "complaint_letter"
    NOT_VIETNAMESE = "not_vietnamese"
    UNCLEAR = "unclear"
    OUT_OF_SCOPE = "out_of_scope"


class Point(BaseModel):
    """A point on the map, WGS 84 degrees."""

    model_config = ConfigDict(frozen=True)

    latitude: float = Field(ge=-90, le=90, allow_inf_nan=False)
    longitude: float = Field(ge=-180, le=180, allow_inf_nan=False)


class _AnyDraft(BaseModel):
    """What every ticket may carry.

    `attachments` are the ids of stored files; `point` is where it is on the map (else it is looked for in
    `place`); `public` is the sender's agreement to publish content and answer without personal data; `drill`
    marks a role-play of the officials. `conversation_id` is empty for a ticket that nobody wrote.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: TicketKind
    content: Content
    place: Line | None = None
    point: Point | None = None
    channel: str
    conversation_id: str = ""
    dossier_code: Line | None = None
    attachments: tuple[str, ...] = Field(default=(), max_length=20)
    field: str | None = None
    urgent: bool = False
    public: bool = False
    drill: bool = False
    email: Line | None = None
    consent_how: ConsentHow = "chat"


class TicketDraft(_AnyDraft):
    """What is needed to open a ticket: the content, and name, address and phone of the sender.

    `consent` is the sender's agreement that the personal data is kept and used to handle the ticket; without
    it no ticket is opened. `consent_how` says in which way it was given.
    """

    name: Line
    phone: NationalPhone
    address: Line
    consent: bool


class RefusedDraft(_AnyDraft):
    """A request that is not accepted. Who sent it is kept only with their agreement, and may be unknown.

    `guidance` is what the sender is told to do instead; the catalogue's words where it is None.
    """

    reason: RefusalReason
    guidance: Content | None = None
    name: Line | None = None
    phone: NationalPhone | None = None
    address: Line | None = None
    consent: bool = False


class Ticket(BaseModel):
    """A stored ticket.

    Attributes:
        code: as it is shown, with its check digit.
        place_unit: the commune or ward of 2025, None where it is not known.
        name, phone, address: empty where the sender did not give them or did not agree that they are kept.
        version: the number of events on its timeline; a change names the version it was made on.
        resume: the state it returns to from `needs_info` or `merged`.
        disputes: how often the sender has disputed the answer.
        merged_into: id of the ticket that goes on in its place.
        call_due: a change has to be told by telephone.
    """

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: str
    code: str = Field(pattern=codes.CODE_PATTERN.pattern)
    kind: TicketKind
    state: TicketState
    content: str
    place: str | None
    place_unit: str | None
    place_code: str | None
    place_certainty: str | None
    latitude: float | None
    longitude: float | None
    name: str
    phone: str
    address: str
    email: str | None
    channel: str
    conversation_id: str
    dossier_code: str | None
    attachments: tuple[str, ...]
    field_group: int | None
    field: str | None
    urgent: bool
    public: bool
    drill: bool
    consented_at: datetime | None
    consent_by: str | None
    consent_how: str | None
    opened_at: datetime
    opened_by: str | None
    state_since: datetime
    version: int
    token: str | None = Field(repr=False)
    resume: TicketState | None
    agency: str | None
    refusal: RefusalReason | None
    disputes: int
    assigned_to: str | None
    merged_into: str | None
    call_due: bool

    @field_validator("code", mode="before")
    @classmethod
    def _with_check_digit(cls, value: str) -> str:
        return codes.shown(value) if codes.NUMBER_PATTERN.match(value) else value

    @property
    def point(self) -> Point | None:
        """Where it is on the map."""
        if self.latitude is None or self.longitude is None:
            return None
        return Point(latitude=self.latitude, longitude=self.longitude)


class TicketEvent(BaseModel):
    """One line of a ticket's timeline, never changed once written.

    `data` holds facts only; what somebody wrote is `text`, kept apart because personal data in it has to be
    erased when its owner asks for that.
    """

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: str
    sequence: int
    kind: str
    actor: str
    at: datetime
    data: dict[str, Any]
    text: str | None = None


@dataclass(frozen=True, slots=True)
class TicketFilter:
    """Which tickets a list shows; None means any.

    Attributes:
        words: searched for without marks in content, place, field and name; a code or a phone number finds
            exactly that.
        opened_from, opened_until: half-open interval.
    """

    state: TicketState | None = None
    kind: TicketKind | None = None
    field: str | None = None
    place_code: str | None = None
    urgent: bool = False
    call_due: bool = False
    assigned_to: str | None = None
    opened_from: datetime | None = None
    opened_until: datetime | None = None
    words: str = ""


@dataclass(frozen=True, slots=True)
class TicketPage:
    """Some tickets, newest first; `next` is where the following page begins, None on the last."""

    tickets: list[Ticket]
    next: str | None
