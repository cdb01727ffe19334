"""What the tickets need: where they stand, links, texts apart from the timeline, words to search in."""

from __future__ import annotations

import secrets
from typing import Any

import sqlalchemy as sa
from alembic import op

from database.base import UtcDateTime
from tickets.codes import serial
from tickets.listing import search_words
from tickets.models import SEARCH_POSTGRESQL, SEARCH_SQLITE

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BATCH = 1_000
_URGENT = sa.text("urgent")
_CALL_DUE = sa.text("call_due")
_INDEXES = {
    "ix_tickets_state_code": ["state", "code"],
    "ix_tickets_kind_code": ["kind", "code"],
    "ix_tickets_field_code": ["field", "code"],
    "ix_tickets_place_code_code": ["place_code", "code"],
    "ix_tickets_assigned_to_code": ["assigned_to", "code"],
    "ix_tickets_longitude_latitude": ["longitude", "latitude"],
    "ix_tickets_merged_into": ["merged_into"],
}


def _new_columns() -> tuple[sa.Column[Any], ...]:
    """Return what the version before does not know: each may be empty or has a value of its own."""
    return (
        sa.Column("latitude", sa.Double()),
        sa.Column("longitude", sa.Double()),
        sa.Column("email", sa.String()),
        sa.Column("urgent", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("public", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("drill", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("consent_by", sa.String()),
        sa.Column("consent_how", sa.String()),
        sa.Column("opened_by", sa.String()),
        sa.Column("version", sa.Integer(), nullable=False, server_default="1"),
        sa.Column("token", sa.String()),
        sa.Column("resume", sa.String()),
        sa.Column("agency", sa.String()),
        sa.Column("refusal", sa.String()),
        sa.Column("disputes", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("assigned_to", sa.String()),
        sa.Column("merged_into", sa.String()),
        sa.Column("call_due", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


_TICKETS = sa.table(
    "tickets",
    *(
        sa.column(name, sa.String())
        for name in (
            "id", "code", "content", "place", "place_unit", "field", "name", "agency", "dossier_code",
            "token",
        )
    ),
)  # fmt: skip


def upgrade() -> None:
    """Change the tables."""
    with op.batch_alter_table("tickets") as table:
        for column in _new_columns():
            table.add_column(column)
        # Somebody whose request is not accepted may not have agreed to anything.
        table.alter_column("consented_at", existing_type=UtcDateTime(), nullable=True)
    for name, columns in _INDEXES.items():
        op.create_index(name, "tickets", columns)
    op.create_index("ix_tickets_token", "tickets", ["token"], unique=True)
    for name, condition in (("ix_tickets_urgent", _URGENT), ("ix_tickets_call_due", _CALL_DUE)):
        op.create_index(name, "tickets", ["code"], sqlite_where=condition, postgresql_where=condition)
    # Added in place: the guards of the timeline stay where they are.
    op.add_column("ticket_events", sa.Column("key", sa.String()))
    op.create_index("ix_ticket_events_ticket_id_key", "ticket_events", ["ticket_id", "key"], unique=True)
    op.create_table(
        "ticket_event_texts",
        sa.Column("event_id", sa.String(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"], ["ticket_events.id"], name=op.f("fk_ticket_event_texts_event_id_ticket_events")
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_ticket_event_texts")),
    )
    op.create_table(
        "ticket_links",
        sa.Column("first", sa.String(), nullable=False),
        sa.Column("second", sa.String(), nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["first"], ["tickets.id"], name=op.f("fk_ticket_links_first_tickets")),
        sa.ForeignKeyConstraint(["second"], ["tickets.id"], name=op.f("fk_ticket_links_second_tickets")),
        sa.PrimaryKeyConstraint("first", "second", name=op.f("pk_ticket_links")),
    )
    op.create_index(op.f("ix_ticket_links_second"), "ticket_links", ["second"])
    op.create_table(
        "ticket_search",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("ticket_id", sa.String(), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["ticket_id"], ["tickets.id"], name=op.f("fk_ticket_search_ticket_id_tickets")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_ticket_search")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_ticket_search_ticket_id")),
    )
    for statement in SEARCH_SQLITE if op.get_bind().dialect.name == "sqlite" else SEARCH_POSTGRESQL:
        op.execute(statement)
    _fill()


def _fill() -> None:
    """Give the tickets that are there their links and their words."""
    connection = op.get_bind()
    search = sa.table("ticket_search", sa.column("id"), sa.column("ticket_id"), sa.column("words"))
    after = ""
    while True:
        rows = connection.execute(
            sa.select(_TICKETS).where(_TICKETS.c.code > after).order_by(_TICKETS.c.code).limit(_BATCH)
        ).all()
        if not rows:
            return
        words = [{"id": serial(row.code), "ticket_id": row.id, "words": search_words(row)} for row in rows]
        connection.execute(sa.insert(search), words)
        for row in rows:
            token = secrets.token_urlsafe(24)
            connection.execute(sa.update(_TICKETS).where(_TICKETS.c.id == row.id).values(token=token))
        after = rows[-1].code


def downgrade() -> None:
    """Change them back; states the version before does not know, links, texts and agreements are lost."""
    sqlite = op.get_bind().dialect.name == "sqlite"
    if sqlite:
        op.execute("DROP TABLE ticket_search_fts")
    for table in ("ticket_search", "ticket_links", "ticket_event_texts"):
        op.drop_table(table)
    op.drop_index("ix_ticket_events_ticket_id_key", "ticket_events")
    op.drop_column("ticket_events", "key")
    for name in (*_INDEXES, "ix_tickets_token", "ix_tickets_urgent", "ix_tickets_call_due"):
        op.drop_index(name, "tickets")
    op.execute("UPDATE tickets SET consented_at = opened_at WHERE consented_at IS NULL")
    op.execute(
        "UPDATE tickets SET state = CASE WHEN state IN ('needs_info', 'disputed') THEN 'new' "
        "WHEN state = 'answered_by_agency' THEN 'transferred' ELSE 'closed' END "
        "WHERE state NOT IN ('new', 'transferred', 'answered', 'closed')"
    )
    with op.batch_alter_table("tickets") as changed:
        for column in _new_columns():
            changed.drop_column(column.name)
        changed.alter_column("consented_at", existing_type=UtcDateTime(), nullable=False)
