"""Who may do what: one table of actions and roles, asked by every page and every command.

An access decision is never made anywhere else. Where it depends on the record (an agency's own slips, one's
own conversation), the service that knows the record asks `may` with what it knows.
"""

from __future__ import annotations

from enum import StrEnum

from accounts.schemas import User


class Action(StrEnum):
    """What somebody who is logged in can want to do."""

    SEE_CONVERSATIONS = "conversations.see"
    ANSWER = "conversations.answer"
    TAKE_OVER = "conversations.take_over"
    MERGE_PEOPLE = "people.merge"
    SEE_TICKETS = "tickets.see"
    CHANGE_TICKETS = "tickets.change"
    REOPEN_TICKETS = "tickets.reopen"
    SEE_SENDER = "tickets.see_sender"
    SEE_CHANNELS = "channels.see"
    CONNECT_CHANNELS = "channels.connect"
    MANAGE_USERS = "users.manage"
    SEE_AUDIT = "audit.see"
    EXPORT_PERSON = "person.export"
    ERASE_PERSON = "person.erase"


ALLOWED: dict[Action, frozenset[str]] = {
    Action.SEE_CONVERSATIONS: frozenset({"operator", "supervisor", "administrator"}),
    Action.ANSWER: frozenset({"operator", "supervisor", "administrator"}),
    Action.TAKE_OVER: frozenset({"supervisor", "administrator"}),
    Action.MERGE_PEOPLE: frozenset({"operator", "supervisor", "administrator"}),
    Action.SEE_TICKETS: frozenset({"operator", "supervisor", "administrator"}),
    Action.CHANGE_TICKETS: frozenset({"operator", "supervisor", "administrator"}),
    Action.REOPEN_TICKETS: frozenset({"supervisor", "administrator"}),
    Action.SEE_SENDER: frozenset({"operator", "supervisor", "administrator"}),
    Action.SEE_CHANNELS: frozenset({"supervisor", "administrator"}),
    Action.CONNECT_CHANNELS: frozenset({"administrator"}),
    Action.MANAGE_USERS: frozenset({"administrator"}),
    Action.SEE_AUDIT: frozenset({"auditor", "administrator"}),
    Action.EXPORT_PERSON: frozenset({"administrator"}),
    Action.ERASE_PERSON: frozenset({"administrator"}),
}
"""Roles that may do an action; whoever has one of them may."""


def may(user: User, action: Action) -> bool:
    """Tell whether somebody's roles allow an action."""
    return user.active and not ALLOWED[action].isdisjoint(user.roles)
