"""Files people send, and the pictures of a ticket."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.base import JsonColumn, UtcDateTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the table of stored files and the tickets' list of them; what is stored is not touched."""
    op.create_table(
        "stored_files",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("channel", sa.String(length=32), nullable=False),
        sa.Column("external_user_id", sa.String(length=200), nullable=False),
        sa.Column("client_id", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("content_type", sa.String(length=100), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("width", sa.Integer(), nullable=True),
        sa.Column("height", sa.Integer(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("attached_at", UtcDateTime(), nullable=True),
        sa.CheckConstraint("kind IN ('image', 'file')", name=op.f("ck_stored_files_kind")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_stored_files")),
        sa.UniqueConstraint(
            "channel",
            "external_user_id",
            "client_id",
            name=op.f("uq_stored_files_channel_external_user_id_client_id"),
        ),
    )
    unused = sa.text("attached_at IS NULL")
    op.create_index(
        "ix_stored_files_unused",
        "stored_files",
        ["created_at"],
        sqlite_where=unused,
        postgresql_where=unused,
    )
    op.add_column(
        "tickets", sa.Column("attachments", JsonColumn, nullable=False, server_default=sa.text("'[]'"))
    )


def downgrade() -> None:
    """Files that are kept would lose their owners."""
    raise NotImplementedError
