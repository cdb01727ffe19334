"""What is kept for learning, and the index by which it is found."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.base import JsonColumn, UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_HANDLED = sa.text("direction = 'in' AND handled_at IS NOT NULL")


def upgrade() -> None:
    """Create the tables and the index."""
    op.create_table(
        "learning_progress",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=False),
        sa.Column("message_id", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_progress")),
    )
    op.create_table(
        "learning_samples",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(length=32), nullable=False),
        sa.Column("intent", sa.String(length=64), nullable=True),
        sa.Column("confidence", sa.Float(), nullable=True),
        sa.Column("ranking", JsonColumn, nullable=False),
        sa.Column("procedures", JsonColumn, nullable=False),
        sa.Column("hint", sa.String(length=64), nullable=True),
        sa.Column("model", sa.String(length=64), nullable=True),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("label", sa.String(length=64), nullable=True),
        sa.Column("names", JsonColumn, nullable=False),
        sa.Column("decision", sa.String(length=32), nullable=True),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("first_seen", UtcDateTime(), nullable=False),
        sa.Column("last_seen", UtcDateTime(), nullable=False),
        sa.CheckConstraint(
            "reason IN ('corrected', 'chosen_second', 'clarified_and_none_chosen', 'unclear', "
            "'nothing_found', 'asked_person')",
            name=op.f("ck_learning_samples_reason"),
        ),
        sa.CheckConstraint(
            "state IN ('open', 'phrase', 'evaluation', 'name', 'known', 'dropped')",
            name=op.f("ck_learning_samples_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_learning_samples")),
        sa.UniqueConstraint("key", name=op.f("uq_learning_samples_key")),
    )
    with op.batch_alter_table("learning_samples", schema=None) as batch_op:
        batch_op.create_index("ix_learning_samples_state_count", ["state", "count"], unique=False)
        batch_op.create_index(batch_op.f("ix_learning_samples_last_seen"), ["last_seen"], unique=False)
        batch_op.create_index(batch_op.f("ix_learning_samples_decision"), ["decision"], unique=False)
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.create_index(
            "ix_messages_handled",
            ["handled_at", "id"],
            unique=False,
            sqlite_where=_HANDLED,
            postgresql_where=_HANDLED,
        )


def downgrade() -> None:
    """Drop them again; what was kept is lost."""
    with op.batch_alter_table("messages", schema=None) as batch_op:
        batch_op.drop_index("ix_messages_handled")
    op.drop_table("learning_samples")
    op.drop_table("learning_progress")
