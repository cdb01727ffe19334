"""What the desk needs: history of owners, notes, canned answers, people, and the search index.

The search index itself is filled by the workers afterwards, in small batches.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from conversations.desk.models import (
    APPEND_ONLY_POSTGRESQL,
    APPEND_ONLY_SQLITE,
    SEARCH_POSTGRESQL,
    SEARCH_SQLITE,
)
from database.base import JsonColumn, UtcDateTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_SILENT = sa.text("silent_since IS NOT NULL")
_UNSENT = sa.text("direction = 'out' AND state = 'failed'")
_IS_MEMBER = sa.text("ended_at IS NULL")
_TABLES = (
    "search_progress",
    "search_conversations",
    "search_documents",
    "conversation_contacts",
    "person_members",
    "person_merges",
    "people",
    "canned_answers",
    "conversation_notes",
    "conversation_event_texts",
    "conversation_events",
)


def upgrade() -> None:
    """Create the tables, widen the conversations."""
    _widen_conversations()
    _create_history()
    _create_people()
    _create_search()
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    statements = (
        (*APPEND_ONLY_SQLITE, *SEARCH_SQLITE) if is_sqlite else (*APPEND_ONLY_POSTGRESQL, *SEARCH_POSTGRESQL)
    )
    for statement in statements:
        op.execute(statement)


def downgrade() -> None:
    """Drop them again; what was kept is lost."""
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for trigger, table in (
        ("messages_text_changed", "messages"),
        ("messages_deleted", "messages"),
        ("tickets_sender_changed", "tickets"),
    ):
        op.execute(f"DROP TRIGGER IF EXISTS {trigger}" + ("" if is_sqlite else f" ON {table}"))
    if is_sqlite:
        op.execute("DROP TABLE search_words")
    for table in _TABLES:
        op.drop_table(table)
    if not is_sqlite:
        op.execute("DROP FUNCTION messages_forget_words()")
        op.execute("DROP FUNCTION tickets_forget_words()")
        op.execute("DROP FUNCTION conversation_events_append_only()")
    op.drop_index("ix_messages_failed", table_name="messages")
    for index in ("person_id", "silent", "owner_activity"):
        op.drop_index(f"ix_conversations_{index}", table_name="conversations")
    for column in ("person_id", "last_held_by", "handoff", "urgent", "silent_since"):
        op.drop_column("conversations", column)


def _widen_conversations() -> None:
    # Added one by one: on SQLite too none of this copies the table, which keeps its triggers.
    op.add_column("conversations", sa.Column("silent_since", UtcDateTime(), nullable=True))
    op.add_column(
        "conversations", sa.Column("urgent", sa.Boolean(), server_default=sa.false(), nullable=False)
    )
    op.add_column("conversations", sa.Column("handoff", JsonColumn, nullable=True))
    op.add_column("conversations", sa.Column("last_held_by", sa.String(length=32), nullable=True))
    op.add_column("conversations", sa.Column("person_id", sa.String(length=32), nullable=True))
    op.create_index("ix_conversations_owner_activity", "conversations", ["owner", "last_activity_at"])
    op.create_index(
        "ix_conversations_silent",
        "conversations",
        ["silent_since"],
        sqlite_where=_SILENT,
        postgresql_where=_SILENT,
    )
    op.create_index("ix_conversations_person_id", "conversations", ["person_id"])
    op.create_index(
        "ix_messages_failed",
        "messages",
        ["conversation_id"],
        sqlite_where=_UNSENT,
        postgresql_where=_UNSENT,
    )


def _create_history() -> None:
    op.create_table(
        "conversation_events",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("after_sequence", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(length=24), nullable=False),
        sa.Column("actor", sa.String(length=32), nullable=False),
        sa.Column("data", JsonColumn, nullable=False),
        _conversation("conversation_events"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_events")),
    )
    op.create_index(
        "ix_conversation_events_conversation_id", "conversation_events", ["conversation_id", "id"]
    )
    op.create_index("ix_conversation_events_kind_at", "conversation_events", ["kind", "at"])
    op.create_table(
        "conversation_event_texts",
        sa.Column("event_id", _NUMBER, nullable=False),
        sa.Column("text", sa.String(length=500), nullable=False),
        sa.ForeignKeyConstraint(
            ["event_id"],
            ["conversation_events.id"],
            name=op.f("fk_conversation_event_texts_event_id_conversation_events"),
        ),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_conversation_event_texts")),
    )
    op.create_table(
        "conversation_notes",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("after_sequence", sa.Integer(), nullable=False),
        sa.Column("author_id", sa.String(length=32), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("mentions", JsonColumn, nullable=False),
        sa.Column("idempotency_key", sa.String(length=120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        _conversation("conversation_notes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_notes")),
        sa.UniqueConstraint(
            "conversation_id",
            "idempotency_key",
            name=op.f("uq_conversation_notes_conversation_id_idempotency_key"),
        ),
    )
    op.create_table(
        "canned_answers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("owner_id", sa.String(length=32), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("plain", sa.Text(), nullable=False),
        sa.Column("changed_by", sa.String(length=32), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_canned_answers")),
        sa.UniqueConstraint("owner_id", "title", name=op.f("uq_canned_answers_owner_id_title")),
    )


def _create_people() -> None:
    op.create_table(
        "people",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_people")),
    )
    op.create_table(
        "person_merges",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=32), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("undone_by", sa.String(length=32), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        sa.Column("undone_reason", sa.String(length=500), nullable=True),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f("fk_person_merges_person_id_people")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_merges")),
    )
    op.create_table(
        "person_members",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("person_id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("merge_id", sa.String(length=32), nullable=False),
        sa.Column("former_id", sa.String(length=32), nullable=True),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        _conversation("person_members"),
        sa.ForeignKeyConstraint(
            ["merge_id"], ["person_merges.id"], name=op.f("fk_person_members_merge_id_person_merges")
        ),
        sa.ForeignKeyConstraint(
            ["person_id"], ["people.id"], name=op.f("fk_person_members_person_id_people")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_person_members")),
    )
    op.create_index(
        "ix_person_members_current",
        "person_members",
        ["conversation_id"],
        unique=True,
        sqlite_where=_IS_MEMBER,
        postgresql_where=_IS_MEMBER,
    )
    op.create_index(op.f("ix_person_members_merge_id"), "person_members", ["merge_id"])
    op.create_index(op.f("ix_person_members_person_id"), "person_members", ["person_id"])
    op.create_table(
        "conversation_contacts",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("phone", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=12), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "source IN ('call', 'contact', 'operator', 'ticket')",
            name=op.f("ck_conversation_contacts_source"),
        ),
        _conversation("conversation_contacts"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_conversation_contacts")),
        sa.UniqueConstraint(
            "conversation_id", "phone", name=op.f("uq_conversation_contacts_conversation_id_phone")
        ),
    )
    op.create_index(op.f("ix_conversation_contacts_phone"), "conversation_contacts", ["phone"])


def _create_search() -> None:
    op.create_table(
        "search_documents",
        sa.Column("id", _NUMBER, autoincrement=True, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("ref", sa.String(length=32), nullable=False),
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("words", sa.Text().with_variant(postgresql.TSVECTOR(), "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_search_documents")),
        sa.UniqueConstraint("ref", "kind", name=op.f("uq_search_documents_ref_kind")),
    )
    op.create_index(op.f("ix_search_documents_conversation_id"), "search_documents", ["conversation_id"])
    op.create_table(
        "search_conversations",
        sa.Column("conversation_id", sa.String(length=32), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("pk_search_conversations")),
    )
    op.create_table(
        "search_progress",
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("source", name=op.f("pk_search_progress")),
    )


def _conversation(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["conversation_id"],
        ["conversations.id"],
        name=op.f(f"fk_{table}_conversation_id_conversations"),
    )
