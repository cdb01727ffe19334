"""Who keeps what about people: the contract by which each domain says it, shows it, and erases it.

Each domain that has a table with words, names or numbers of people registers a `Holder`. Export, erasure on
request and retention by rule are then the same walk over all holders (`api.privacy`), and a test fails when a
table's column is with no holder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, Protocol

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base

Kind = Literal["conversation", "ticket"]


@dataclass(frozen=True, slots=True)
class ConversationKey:
    """A conversation, with the channel's name for whoever speaks in it."""

    id: str
    channel: str
    external_user_id: str


@dataclass(frozen=True, slots=True)
class TicketKey:
    """A ticket; `attachments` are the ids of its stored files."""

    id: str
    code: str
    attachments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Person:
    """The records of one person that a request, or a rule, is about."""

    conversations: tuple[ConversationKey, ...] = ()
    tickets: tuple[TicketKey, ...] = ()


@dataclass(frozen=True, slots=True)
class Found:
    """A record that belongs to a person, as whoever answers the request sees it.

    Attributes:
        title: how people know it: a ticket's code, or the beginning of a conversation's id.
        facts: what else tells it apart, by a name the catalogue has.
        kept: why it may not be erased now (a key of the catalogue), None where it may.
    """

    kind: Kind
    id: str
    title: str
    at: datetime
    facts: Mapping[str, Any]
    kept: str | None


@dataclass(frozen=True, slots=True)
class Exported:
    """What a holder keeps about a person: rows in plain words, and files by the name they get."""

    rows: list[dict[str, Any]]
    files: Mapping[str, Path] = field(default_factory=dict)


class Holder(Protocol):
    """A part that keeps data of people.

    Attributes:
        name: what it is called in an export.
        erased: by table, the columns that may tell about a person; erasing replaces or deletes all of them.
        kept: by table, the columns that tell nothing about anybody and stay.
    """

    name: str
    erased: Mapping[str, frozenset[str]]
    kept: Mapping[str, frozenset[str]]

    async def export(self, person: Person) -> Exported:
        """Return everything that is kept of a person's records."""
        ...

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Erase a part; return how many rows, less than `limit` when nothing is left.

        Args:
            person: whose records; what is erased already is not touched again.
            before: only what was said before this instant (retention); None: everything.
            limit: about how many rows at once, so that others need not wait.
        """
        ...


class ErasureRow(Base):
    """What the retention rules have come to: of a record nothing from before `kept_from` is left."""

    __tablename__ = "erasures"

    kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    record_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    kept_from: Mapped[datetime]
