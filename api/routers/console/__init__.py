"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import (
    account,
    audit,
    calls,
    canned,
    channels,
    connect_messenger,
    connect_zalo,
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
    channels.router,
    conversations.router,
    replies.router,
    people.router,
    reports.router,
    calls.router,
    canned.router,
    knowledge.router,
    events.router,
    tickets.router,
    connect_messenger.router,
    connect_zalo.router,
    account.router,
    users.router,
    audit.router,
    privacy.router,
)
