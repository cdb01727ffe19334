"""What the channels need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.base import JsonColumn, UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_COLUMNS = {
    "conversations": ("last_heard_at", "unfollowed_at"),
    "messages": ("delivered_at", "read_at", "withdrawn_at"),
}


def upgrade() -> None:
    """Create the tables and columns."""
    _credentials()
    _conversations()
    _events()
    _fetches()
    _health()
    _uploads()


def downgrade() -> None:
    """Drop them again; the channels have to be connected anew."""
    for table in ("channel_hours", "channel_health", "media_fetches", "channel_events", "early_signs"):
        op.drop_table(table)
    for table, columns in _COLUMNS.items():
        with op.batch_alter_table(table, schema=None) as batch_op:
            for column in columns:
                batch_op.drop_column(column)
    op.drop_table("channel_uploads")
    op.drop_table("channel_credentials")


def _credentials() -> None:
    op.create_table(
        "channel_credentials",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("refreshed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("state_since", UtcDateTime(), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_credentials")),
    )


def _conversations() -> None:
    # Without a default and nullable: nothing is rewritten, and the version before goes on writing rows.
    for table, columns in _COLUMNS.items():
        for column in columns:
            op.add_column(table, sa.Column(column, UtcDateTime(), nullable=True))


def _events() -> None:
    op.create_table(
        "early_signs",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("provider_message_id", sa.String(length=300), nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.CheckConstraint("kind IN ('delivered', 'read', 'withdrawn')", name=op.f("ck_early_signs_kind")),
        sa.PrimaryKeyConstraint("channel", "provider_message_id", "kind", name=op.f("pk_early_signs")),
    )
    op.create_index("ix_early_signs_received_at", "early_signs", ["received_at"])
    op.create_table(
        "channel_events",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.Column("payload", JsonColumn, nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_events")),
    )
    op.create_index("ix_channel_events_received_at", "channel_events", ["received_at"])
    op.create_index("ix_channel_events_channel_name", "channel_events", ["channel", "name"])


def _fetches() -> None:
    op.create_table(
        "media_fetches",
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("lease", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("fk_media_fetches_message_id_messages")
        ),
        sa.PrimaryKeyConstraint("message_id", "number", name=op.f("pk_media_fetches")),
    )
    op.create_index(op.f("ix_media_fetches_due_at"), "media_fetches", ["due_at"])


def _health() -> None:
    op.create_table(
        "channel_health",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("last_event_at", UtcDateTime(), nullable=True),
        sa.Column("last_success_at", UtcDateTime(), nullable=True),
        sa.Column("last_error_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("state_since", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_channel_health")),
    )
    op.create_table(
        "channel_hours",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("errors", JsonColumn, nullable=False),
        sa.PrimaryKeyConstraint("channel", "hour", name=op.f("pk_channel_hours")),
    )


def _uploads() -> None:
    op.create_table(
        "channel_uploads",
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("file_id", sa.String(length=32), nullable=False),
        sa.Column("token", sa.String(length=500), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "file_id", name=op.f("pk_channel_uploads")),
    )
    with op.batch_alter_table("channel_uploads", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_channel_uploads_expires_at"), ["expires_at"], unique=False)
