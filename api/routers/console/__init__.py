"""The operators' console, one module a part of it."""

from __future__ import annotations

from api.routers.console import calls, conversations, events, knowledge, login, people, replies, tickets

ROUTERS = (
    login.router,
    conversations.router,
    replies.router,
    people.router,
    calls.router,
    knowledge.router,
    events.router,
    tickets.router,
)
