"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import account, audit, conversations, login, privacy, tickets, users

ROUTERS = (
    login.router,
    conversations.router,
    tickets.router,
    account.router,
    users.router,
    audit.router,
    privacy.router,
)
