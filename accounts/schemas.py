"""What crosses the edge of the accounts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

Role = Literal[
    "operator",
    "supervisor",
    "contact_point",
    "handling_unit",
    "agency_head",
    "office",
    "leadership",
    "administrator",
    "auditor",
]
ROLES: tuple[Role, ...] = get_args(Role)
ROLES_OF_AGENCY: frozenset[str] = frozenset({"contact_point", "handling_unit", "agency_head"})
"""Roles somebody has inside one agency, which the account then names."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who can log in. `agency` is the id of the agency they work for, where that matters."""

    id: str
    login: str
    name: str
    roles: tuple[str, ...]
    active: bool
    has_password: bool
    agency: str | None = None
    has_totp: bool = False
    last_login_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """Where a log-in comes from.

    Attributes:
        address: the network address of the request.
        agent: what the browser says it is.
        device: the value of the browser's device cookie, None without one.
    """

    address: str
    agent: str = ""
    device: str | None = None


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A log-in: `token` and `device` go into cookies and are kept nowhere else."""

    token: str
    csrf: str
    user: User
    expires_at: datetime
    device: str


@dataclass(frozen=True, slots=True)
class CodeAsked:
    """The password was right; now the one-time code is asked for. `token` stands for the first step."""

    token: str


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """A log-in that was looked up; forms carry `csrf`.

    Attributes:
        key: names the session among its owner's; opens nothing.
        expires_at: when it ends if it is not used.
        proved_at: when password or code was given last in this session.
        must_enrol: the roles require a one-time code, and none is set up yet.
    """

    user: User
    csrf: str
    expires_at: datetime
    key: str = ""
    proved_at: datetime | None = None
    must_enrol: bool = False


@dataclass(frozen=True, slots=True)
class SessionLine:
    """One of somebody's log-ins, as they see it."""

    key: str
    agent: str
    address: str
    created_at: datetime
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One line of the audit trail."""

    id: int
    at: datetime
    actor: str
    action: str
    target: str
    detail: dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which lines of the trail are wanted; what is None does not matter.

    Attributes:
        since: the first instant.
        until: the instant before which a line must be.
    """

    actor: str | None = None
    action: str | None = None
    target: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditPlace:
    """A place in the trail: lines older than this one follow it."""

    at: datetime
    id: int


@dataclass(frozen=True, slots=True)
class AuditPage:
    """A part of the trail, newest first; `next` is where the following part begins, None at the end."""

    entries: tuple[AuditEntry, ...]
    next: AuditPlace | None
