"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import channels, connect_messenger, connect_zalo, conversations, login, tickets

ROUTERS = (
    login.router,
    channels.router,
    conversations.router,
    tickets.router,
    connect_messenger.router,
    connect_zalo.router,
)
