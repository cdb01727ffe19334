"""What the accounts need: agencies of users, one-time codes, more about sessions, what was erased."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from database.base import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add tables and columns; the version before goes on working, it writes none of them."""
    op.add_column("users", sa.Column("agency", sa.String(length=100), nullable=True))
    op.add_column("users", sa.Column("totp_secret", sa.String(length=300), nullable=True))
    op.add_column("users", sa.Column("totp_pending", sa.String(length=300), nullable=True))
    op.add_column("users", sa.Column("totp_step", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("users", sa.Column("last_login_at", UtcDateTime(), nullable=True))

    op.add_column(
        "login_sessions", sa.Column("agent", sa.String(length=300), nullable=False, server_default="")
    )
    op.add_column(
        "login_sessions", sa.Column("address", sa.String(length=64), nullable=False, server_default="")
    )
    op.add_column("login_sessions", sa.Column("proved_at", UtcDateTime(), nullable=True))

    op.create_table(
        "login_challenges",
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_login_challenges_user_id_users")),
        sa.PrimaryKeyConstraint("token_hash", name=op.f("pk_login_challenges")),
    )
    op.create_index(op.f("ix_login_challenges_user_id"), "login_challenges", ["user_id"])
    op.create_table(
        "recovery_codes",
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.String(length=32), nullable=False),
        sa.Column("used_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name=op.f("fk_recovery_codes_user_id_users")),
        sa.PrimaryKeyConstraint("code_hash", name=op.f("pk_recovery_codes")),
    )
    op.create_index(op.f("ix_recovery_codes_user_id"), "recovery_codes", ["user_id"])
    op.create_table(
        "erasures",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("record_id", sa.String(length=32), nullable=False),
        sa.Column("kept_from", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "record_id", name=op.f("pk_erasures")),
    )
    op.create_index("ix_audit_log_action_at", "audit_log", ["action", "at"])
    op.create_index("ix_audit_log_at", "audit_log", ["at", "id"])


def downgrade() -> None:
    """Take them away again; one-time codes are then switched off."""
    op.drop_index("ix_audit_log_at", table_name="audit_log")
    op.drop_index("ix_audit_log_action_at", table_name="audit_log")
    op.drop_table("erasures")
    op.drop_table("recovery_codes")
    op.drop_table("login_challenges")
    for table, columns in (
        ("login_sessions", ("proved_at", "address", "agent")),
        ("users", ("last_login_at", "totp_step", "totp_pending", "totp_secret", "agency")),
    ):
        for column in columns:
            op.drop_column(table, column)
