"""Tables of the accounts: users, their sessions, links and codes, failed attempts, the audit trail."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Connection, ForeignKey, Index, Integer, String, event
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, JsonColumn, UtcDateTime


class UserRow(Base):
    """Somebody who can log in. `login` is stored case-folded.

    `totp_secret` and `totp_pending` (not yet confirmed) are encrypted; `totp_step` is the last time step of
    which a code was accepted: none is accepted twice.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    login: Mapped[str] = mapped_column(String(100), unique=True)
    name: Mapped[str] = mapped_column(String(200))
    password_hash: Mapped[str | None] = mapped_column(String(300))
    roles: Mapped[list[Any]] = mapped_column(JsonColumn)
    active: Mapped[bool] = mapped_column(Boolean, default=True)
    agency: Mapped[str | None] = mapped_column(String(100))
    totp_secret: Mapped[str | None] = mapped_column(String(300))
    totp_pending: Mapped[str | None] = mapped_column(String(300))
    totp_step: Mapped[int] = mapped_column(Integer, default=0, server_default="0")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_login_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class SessionRow(Base):
    """A log-in on one browser. Only its token's hash is kept: a copy of this table opens nothing."""

    __tablename__ = "login_sessions"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    csrf: Mapped[str] = mapped_column(String(64))
    agent: Mapped[str] = mapped_column(String(300), default="", server_default="")
    address: Mapped[str] = mapped_column(String(64), default="", server_default="")
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    proved_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class ChallengeRow(Base):
    """The first step of a log-in, the right password, waiting for the one-time code."""

    __tablename__ = "login_challenges"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())


class RecoveryCodeRow(Base):
    """A code for one log-in without the telephone; only its keyed hash is kept."""

    __tablename__ = "recovery_codes"

    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class PasswordLinkRow(Base):
    """A one-time link to set a password; only its hash is kept."""

    __tablename__ = "password_links"

    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime())
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


class AttemptRow(Base):
    """An attempt to log in, by login, address or device; a successful one is taken back.

    Names are keyed hashes: a password that somebody typed as the login is not kept either.
    """

    __tablename__ = "login_attempts"
    __table_args__ = (Index("ix_login_attempts_who_at", "who", "at"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    who: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime())


class AuditRow(Base):
    """Who did what to which record. Rows are only ever added; the database refuses the rest."""

    __tablename__ = "audit_log"
    __table_args__ = (
        Index("ix_audit_log_target_at", "target", "at"),
        Index("ix_audit_log_actor_at", "actor", "at"),
        Index("ix_audit_log_action_at", "action", "at"),
        Index("ix_audit_log_at", "at", "id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    actor: Mapped[str] = mapped_column(String(64))
    action: Mapped[str] = mapped_column(String(64))
    target: Mapped[str] = mapped_column(String(120))
    detail: Mapped[dict[str, Any]] = mapped_column(JsonColumn)


_GUARDS = {
    "sqlite": [
        f"CREATE TRIGGER audit_log_no_{operation.lower()} BEFORE {operation} ON audit_log "
        "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"
        for operation in ("UPDATE", "DELETE")
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION audit_log_append_only() RETURNS trigger AS $$ "
        "BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER audit_log_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_log_append_only()",
    ],
}
"""What makes the audit trail append-only, by kind of database; migrations run the same statements."""


@event.listens_for(AuditRow.__table__, "after_create")
def _install_guards(_table: Any, connection: Connection, **_options: Any) -> None:
    for statement in audit_guards(connection.dialect.name):
        connection.exec_driver_sql(statement)


def audit_guards(dialect: str) -> list[str]:
    """Return the statements that make the audit trail append-only in a kind of database."""
    return _GUARDS.get(dialect, [])
