"""What the channels need."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.base import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    _credentials()
    _uploads()


def downgrade() -> None:
    """Drop them again; the channels have to be connected anew."""
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
