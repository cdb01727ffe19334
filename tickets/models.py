"""Tables of tickets: the ticket, its append-only timeline, links, words to search in, the codes given."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    Connection,
    ForeignKey,
    Index,
    Table,
    Text,
    UniqueConstraint,
    event,
    false,
    text,
)
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from database.base import Base, new_id


class TimelineIsAppendOnlyError(RuntimeError):
    """Something tried to change or delete an event of a ticket's timeline."""


class TicketCounter(Base):
    """The last number given out in a year; its row is the lock under which codes are given."""

    __tablename__ = "ticket_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(default=0)


# The newest of few among many: without these a list of what is urgent would read through all tickets.
_URGENT = text("urgent")
_CALL_DUE = text("call_due")


class TicketRow(Base):
    """A ticket as it stands now; how it came to be so is in its events.

    `code` is without check digit; it grows with time, so that lists are ordered and paged by it.
    """

    __tablename__ = "tickets"
    __table_args__ = (
        Index("ix_tickets_state_code", "state", "code"),
        Index("ix_tickets_kind_code", "kind", "code"),
        Index("ix_tickets_field_code", "field", "code"),
        Index("ix_tickets_place_code_code", "place_code", "code"),
        Index("ix_tickets_assigned_to_code", "assigned_to", "code"),
        Index("ix_tickets_longitude_latitude", "longitude", "latitude"),
        Index("ix_tickets_urgent", "code", sqlite_where=_URGENT, postgresql_where=_URGENT),
        Index("ix_tickets_call_due", "code", sqlite_where=_CALL_DUE, postgresql_where=_CALL_DUE),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    code: Mapped[str] = mapped_column(unique=True)
    origin_key: Mapped[str] = mapped_column(unique=True)
    kind: Mapped[str]
    state: Mapped[str]
    content: Mapped[str]
    place: Mapped[str | None]
    place_unit: Mapped[str | None]
    place_code: Mapped[str | None]
    place_certainty: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    email: Mapped[str | None]
    channel: Mapped[str]
    conversation_id: Mapped[str] = mapped_column(index=True)
    dossier_code: Mapped[str | None]
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    field_group: Mapped[int | None]
    field: Mapped[str | None]
    urgent: Mapped[bool] = mapped_column(default=False, server_default=false())
    public: Mapped[bool] = mapped_column(default=False, server_default=false())
    drill: Mapped[bool] = mapped_column(default=False, server_default=false())
    consented_at: Mapped[datetime | None]
    consent_by: Mapped[str | None]
    consent_how: Mapped[str | None]
    opened_at: Mapped[datetime] = mapped_column(index=True)
    opened_by: Mapped[str | None]
    state_since: Mapped[datetime]
    version: Mapped[int] = mapped_column(default=1, server_default="1")
    token: Mapped[str | None] = mapped_column(index=True, unique=True)
    resume: Mapped[str | None]
    agency: Mapped[str | None]
    refusal: Mapped[str | None]
    disputes: Mapped[int] = mapped_column(default=0, server_default="0")
    assigned_to: Mapped[str | None]
    merged_into: Mapped[str | None] = mapped_column(index=True)
    call_due: Mapped[bool] = mapped_column(default=False, server_default=false())


class TicketEventRow(Base):
    """One step of a ticket: who did what, and when. `key` makes a repeated click find its first one."""

    __tablename__ = "ticket_events"
    __table_args__ = (
        UniqueConstraint("ticket_id", "sequence"),
        Index("ix_ticket_events_ticket_id_key", "ticket_id", "key", unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]
    key: Mapped[str | None]


class TicketTextRow(Base):
    """What somebody wrote at one step. Apart from the timeline: it may have to be erased."""

    __tablename__ = "ticket_event_texts"

    event_id: Mapped[str] = mapped_column(ForeignKey("ticket_events.id"), primary_key=True)
    text: Mapped[str] = mapped_column(Text)


class TicketLinkRow(Base):
    """Two tickets of the same matter, both going on; `first` is the smaller id."""

    __tablename__ = "ticket_links"

    first: Mapped[str] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    second: Mapped[str] = mapped_column(ForeignKey("tickets.id"), primary_key=True, index=True)
    actor: Mapped[str]
    at: Mapped[datetime]


class TicketSearchRow(Base):
    """The words of a ticket without marks, lower case; `id` grows with the code."""

    __tablename__ = "ticket_search"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"), unique=True)
    words: Mapped[str] = mapped_column(Text)


# Held by the database too, because a statement can go round the mapper.
APPEND_ONLY_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS ticket_events_no_{verb.lower()} BEFORE {verb} ON ticket_events "
    "BEGIN SELECT RAISE(ABORT, 'ticket_events is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
APPEND_ONLY_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION ticket_events_append_only() RETURNS trigger AS $$ "
    "BEGIN RAISE EXCEPTION 'ticket_events is append-only'; END $$ LANGUAGE plpgsql",
    "CREATE OR REPLACE TRIGGER ticket_events_append_only BEFORE UPDATE OR DELETE ON ticket_events "
    "FOR EACH ROW EXECUTE FUNCTION ticket_events_append_only()",
)

# Each database searches with its own means, kept up by itself. PostgreSQL's trigram extension is not part of
# every installation; its text search is.
SEARCH_SQLITE = (
    "CREATE VIRTUAL TABLE ticket_search_fts USING fts5("
    "words, content='ticket_search', content_rowid='id', tokenize='ascii', prefix='2 3')",
    "CREATE TRIGGER ticket_search_added AFTER INSERT ON ticket_search BEGIN "
    "INSERT INTO ticket_search_fts (rowid, words) VALUES (new.id, new.words); END",
    "CREATE TRIGGER ticket_search_removed AFTER DELETE ON ticket_search BEGIN "
    "INSERT INTO ticket_search_fts (ticket_search_fts, rowid, words) "
    "VALUES ('delete', old.id, old.words); END",
    "CREATE TRIGGER ticket_search_changed AFTER UPDATE ON ticket_search BEGIN "
    "INSERT INTO ticket_search_fts (ticket_search_fts, rowid, words) "
    "VALUES ('delete', old.id, old.words); "
    "INSERT INTO ticket_search_fts (rowid, words) VALUES (new.id, new.words); END",
)
SEARCH_POSTGRESQL = (
    "ALTER TABLE ticket_search ADD COLUMN words_fts tsvector "
    "GENERATED ALWAYS AS (to_tsvector('simple', words)) STORED",
    "CREATE INDEX ix_ticket_search_fts ON ticket_search USING gin (words_fts)",
)


def _run_after_create(table: object, dialect: str, statements: tuple[str, ...]) -> None:
    assert isinstance(table, Table)
    for statement in statements:
        ddl = DDL(statement)  # type: ignore[no-untyped-call]
        event.listen(table, "after_create", ddl.execute_if(dialect=dialect))


_run_after_create(TicketEventRow.__table__, "sqlite", APPEND_ONLY_SQLITE)
_run_after_create(TicketEventRow.__table__, "postgresql", APPEND_ONLY_POSTGRESQL)
_run_after_create(TicketSearchRow.__table__, "sqlite", SEARCH_SQLITE)
_run_after_create(TicketSearchRow.__table__, "postgresql", SEARCH_POSTGRESQL)


@event.listens_for(TicketEventRow, "before_update")
@event.listens_for(TicketEventRow, "before_delete")
def _refuse_change(_mapper: Mapper[TicketEventRow], _connection: Connection, _target: TicketEventRow) -> None:
    raise TimelineIsAppendOnlyError("a ticket's timeline is only added to")
