"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import (
    account,
    audit,
    channels,
    connect_messenger,
    connect_zalo,
    conversations,
    login,
    privacy,
    tickets,
    users,
)

ROUTERS = (
    login.router,
    channels.router,
    conversations.router,
    tickets.router,
    connect_messenger.router,
    connect_zalo.router,
    account.router,
    users.router,
    audit.router,
    privacy.router,
)
