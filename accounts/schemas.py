"""What crosses the edge of the accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

Role = Literal["operator", "supervisor", "administrator", "auditor"]
ROLES: tuple[Role, ...] = ("operator", "supervisor", "administrator", "auditor")


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in."""

    id: str
    login: str
    name: str
    roles: tuple[str, ...]
    active: bool
    has_password: bool


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A log-in: `token` goes into the cookie and is kept nowhere else."""

    token: str
    csrf: str
    user: User
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A log-in that was looked up; forms carry `csrf`."""

    user: User
    csrf: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]
