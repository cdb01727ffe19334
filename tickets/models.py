"""Tables of tickets: the ticket, its append-only timeline, and the counter its code is taken from."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import DDL, Connection, ForeignKey, Table, UniqueConstraint, event
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from database.base import Base, new_id


class TimelineIsAppendOnlyError(RuntimeError):
    """Something tried to change or delete an event of a ticket's timeline."""


class TicketCounter(Base):
    """The last number given out in a year; its row is the lock under which codes are given."""

    __tablename__ = "ticket_counters"

    year: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    last: Mapped[int] = mapped_column(default=0)


class TicketRow(Base):
    """A ticket as it stands now; how it came to be so is in its events."""

    __tablename__ = "tickets"

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
    name: Mapped[str]
    phone: Mapped[str] = mapped_column(index=True)
    address: Mapped[str]
    channel: Mapped[str]
    conversation_id: Mapped[str] = mapped_column(index=True)
    dossier_code: Mapped[str | None]
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    field_group: Mapped[int | None]
    field: Mapped[str | None]
    consented_at: Mapped[datetime]
    opened_at: Mapped[datetime] = mapped_column(index=True)
    state_since: Mapped[datetime]


class TicketEventRow(Base):
    """One step of a ticket: who did what, and when."""

    __tablename__ = "ticket_events"
    __table_args__ = (UniqueConstraint("ticket_id", "sequence"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    ticket_id: Mapped[str] = mapped_column(ForeignKey("tickets.id"))
    sequence: Mapped[int]
    kind: Mapped[str]
    actor: Mapped[str]
    at: Mapped[datetime]
    data: Mapped[dict[str, Any]]


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

_events_table = TicketEventRow.__table__
assert isinstance(_events_table, Table)
for _dialect, _statements in (("sqlite", APPEND_ONLY_SQLITE), ("postgresql", APPEND_ONLY_POSTGRESQL)):
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        event.listen(_events_table, "after_create", _ddl.execute_if(dialect=_dialect))


@event.listens_for(TicketEventRow, "before_update")
@event.listens_for(TicketEventRow, "before_delete")
def _refuse_change(_mapper: Mapper[TicketEventRow], _connection: Connection, _target: TicketEventRow) -> None:
    raise TimelineIsAppendOnlyError("a ticket's timeline is only added to")
