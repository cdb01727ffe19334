"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import (
    account,
    audit,
    calls,
    canned,
    conversations,
    events,
    knowledge,
    login,
    people,
    privacy,
    replies,
    reports,
    tickets,
    users,
)

ROUTERS = (
    login.router,
    conversations.router,
    replies.router,
    people.router,
    reports.router,
    calls.router,
    canned.router,
    knowledge.router,
    events.router,
    tickets.router,
    account.router,
    users.router,
    audit.router,
    privacy.router,
)
