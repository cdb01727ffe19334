"""What crosses the edge of the tickets domain: drafts, tickets, kinds and states."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

CODE_PATTERN = re.compile(r"^GL-(\d{4})-(\d{6})$")
CONTENT_LIMIT = 4_000

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]
Content = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=CONTENT_LIMIT)]
NationalPhone = Annotated[str, StringConstraints(pattern=r"^0\d{8,10}$|^1022$")]


class TicketKind(StrEnum):
    """What a citizen sends in."""

    REPORT = "report"
    SUGGESTION = "suggestion"
    PRAISE = "praise"
    CONDUCT = "conduct"


class TicketState(StrEnum):
    """Where a ticket stands; a ticket begins as `new`."""

    NEW = "new"
    TRANSFERRED = "transferred"
    ANSWERED = "answered"
    CLOSED = "closed"


class TicketDraft(BaseModel):
    """What is needed to open a ticket: the content, and name, address and phone of the sender.

    `consent` is the sender's agreement that the personal data is kept and used to handle the ticket; without
    it no ticket is opened. `attachments` are the ids of stored files that belong to it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: TicketKind
    content: Content
    place: Line | None = None
    name: Line
    phone: NationalPhone
    address: Line
    consent: bool
    channel: str
    conversation_id: str
    dossier_code: Line | None = None
    attachments: tuple[str, ...] = Field(default=(), max_length=20)


class Ticket(BaseModel):
    """A stored ticket. `place_unit` is the commune or ward of 2025, None where it is not known."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    id: str
    code: str = Field(pattern=CODE_PATTERN.pattern)
    kind: TicketKind
    state: TicketState
    content: str
    place: str | None
    place_unit: str | None
    place_code: str | None
    place_certainty: str | None
    name: str
    phone: str
    address: str
    channel: str
    conversation_id: str
    dossier_code: str | None
    attachments: tuple[str, ...]
    field_group: int | None
    field: str | None
    consented_at: datetime
    opened_at: datetime
    state_since: datetime


class TicketEvent(BaseModel):
    """One line of a ticket's timeline, never changed once written."""

    model_config = ConfigDict(from_attributes=True, frozen=True)

    sequence: int
    kind: str
    actor: str
    at: datetime
    data: dict[str, object]
