"""Providers' windows: until when something may be sent to somebody who last wrote then.

The rule is one for all channels, its lengths are each channel's (`Capabilities`). It is asked before a
provider is: a refusal by the provider counts against our account.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from conversations.reasons import OUTSIDE_WINDOW, UNFOLLOWED, in_words
from conversations.repository import Row
from conversations.schemas import Capabilities, ConversationView, Sending


def length(able: Capabilities, *, by_person: bool) -> timedelta | None:
    """Return how long after the citizen's last word something may be sent; None: always."""
    return able.person_window if by_person and able.person_window is not None else able.window


def refusal(conversation: Row, author: str, able: Capabilities, now: datetime) -> str | None:
    """Return the code of why nothing may be sent now, None when it may.

    Args:
        conversation: its row.
        author: who wrote the message; the longer window is for what a person wrote.
        able: what the channel can do.
        now: the time of sending.
    """
    if conversation["unfollowed_at"] is not None:
        return UNFOLLOWED
    window = length(able, by_person=author == "operator")
    if window is None:
        return None
    heard: datetime | None = conversation["last_heard_at"]
    return None if heard is not None and now - heard <= window else OUTSIDE_WINDOW


def sending(conversation: ConversationView, able: Capabilities, now: datetime) -> Sending:
    """Return what may be sent in a conversation, for the operators' page."""
    if conversation.unfollowed_at is not None:
        return Sending(bot=False, person=False, reason=in_words(UNFOLLOWED))
    heard = conversation.last_heard_at

    def until(window: timedelta | None) -> datetime | None:
        return None if window is None else (heard + window if heard else conversation.created_at)

    bot_until = until(length(able, by_person=False))
    person_until = until(length(able, by_person=True))
    may_person = person_until is None or now <= person_until
    return Sending(
        bot=bot_until is None or now <= bot_until,
        person=may_person,
        until=person_until,
        reason=None if may_person else in_words(OUTSIDE_WINDOW),
    )
