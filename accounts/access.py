"""Who may do what: one table of actions and roles, asked by every page and every command.

An access decision is never made anywhere else. Where it depends on the record (an agency's own slips, one's
own conversation), the service that knows the record asks the functions below with what it knows.
"""

from __future__ import annotations

from enum import StrEnum

from accounts.schemas import ROLES, ROLES_OF_AGENCY, User


class Action(StrEnum):
    """What somebody who is logged in can want to do."""

    OWN_ACCOUNT = "account.own"
    SEE_CONVERSATIONS = "conversations.see"
    ANSWER = "conversations.answer"
    TAKE_OVER = "conversations.take_over"
    SHARE_ANSWERS = "answers.share"
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


_EVERYBODY = frozenset(ROLES)
_DESK = frozenset({"operator", "supervisor", "administrator"})
_IN_CHARGE = frozenset({"supervisor", "administrator"})
_ADMINISTRATOR = frozenset({"administrator"})

ALLOWED: dict[Action, frozenset[str]] = {
    Action.OWN_ACCOUNT: _EVERYBODY,
    Action.SEE_CONVERSATIONS: _DESK,
    Action.ANSWER: _DESK,
    Action.TAKE_OVER: _IN_CHARGE,
    Action.SHARE_ANSWERS: _IN_CHARGE,
    Action.MERGE_PEOPLE: _DESK,
    Action.SEE_TICKETS: _DESK,
    Action.CHANGE_TICKETS: _DESK,
    Action.REOPEN_TICKETS: _IN_CHARGE,
    Action.SEE_SENDER: _DESK,
    Action.SEE_CHANNELS: _IN_CHARGE,
    Action.CONNECT_CHANNELS: _ADMINISTRATOR,
    Action.MANAGE_USERS: _ADMINISTRATOR,
    Action.SEE_AUDIT: frozenset({"auditor", "administrator"}),
    Action.EXPORT_PERSON: _ADMINISTRATOR,
    Action.ERASE_PERSON: _ADMINISTRATOR,
}
"""Roles that may do an action; whoever has one of them may."""

DANGEROUS = frozenset(
    {Action.CONNECT_CHANNELS, Action.MANAGE_USERS, Action.EXPORT_PERSON, Action.ERASE_PERSON}
)
"""Actions that ask again for the password or a code, unless that was given a moment ago."""

_OF_THE_PROVINCE = frozenset({"operator", "supervisor", "office", "leadership", "administrator"})
"""Roles that see what every agency has; the roles of an agency see what is its own."""


def may(user: User, action: Action) -> bool:
    """Tell whether somebody's roles allow an action."""
    return user.active and not ALLOWED[action].isdisjoint(user.roles)


def sees_agency(user: User, agency: str | None) -> bool:
    """Tell whether somebody may see records of an agency: all of the province's, or their own agency's.

    Args:
        user: who asks; an action of the table is asked for besides.
        agency: whose record it is; None: nobody's yet, for the province's roles only.
    """
    if not user.active:
        return False
    if not _OF_THE_PROVINCE.isdisjoint(user.roles):
        return True
    is_agencys = not ROLES_OF_AGENCY.isdisjoint(user.roles)
    return is_agencys and agency is not None and user.agency == agency


def may_write_in(user: User, holder: str | None) -> bool:
    """Tell whether somebody may answer in a conversation: it is theirs; nobody answers in another's.

    Args:
        user: who wants to write.
        holder: the id of the person who has the conversation, None for nobody.
    """
    return may(user, Action.ANSWER) and holder == user.id


def may_take_from(user: User, holder: str | None) -> bool:
    """Tell whether somebody may take a conversation: a free one, or as a supervisor another's."""
    if holder is None or holder == user.id:
        return may(user, Action.ANSWER)
    return may(user, Action.TAKE_OVER)


def is_own(user: User, owner: str) -> bool:
    """Tell whether a record that is nobody else's business (a draft, a log-in) belongs to this user."""
    return user.active and owner == user.id
