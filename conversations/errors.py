"""Typed errors of the conversation core; `sentence` is what a person reads.

ConversationError
├── StorageUnavailableError   the database does not answer; carries the emergency reply if one is due
├── ConversationNotFoundError
├── HeldByOtherError          another operator holds the conversation
├── NotHeldError              the operator does not hold it, so may not write in it
└── InvalidReplyError         an operator's reply is empty or too long
BotError                      the bot gave no usable answer (never shown; the conversation goes to a person)
"""

from __future__ import annotations

from vntext.catalogue import say


class ConversationError(Exception):
    """Base of the errors a person can be told about."""

    code = "conversation_error"

    @property
    def sentence(self) -> str:
        """The sentence for the person who asked."""
        return say(f"conversation.errors.{self.code}")


class StorageUnavailableError(ConversationError):
    """The message could not be stored.

    Attributes:
        emergency_reply: what an emergency has to be answered all the same, or None.
    """

    code = "storage_unavailable"

    def __init__(self, emergency_reply: str | None = None) -> None:
        super().__init__(self.code)
        self.emergency_reply = emergency_reply

    @property
    def sentence(self) -> str:
        """The emergency reply where one is due, else that it did not work and what to do."""
        return self.emergency_reply or super().sentence


class ConversationNotFoundError(ConversationError):
    """There is no such conversation."""

    code = "not_found"


class HeldByOtherError(ConversationError):
    """Somebody else holds the conversation; `held_by` is their user id."""

    code = "held_by_other"

    def __init__(self, held_by: str | None) -> None:
        super().__init__(self.code)
        self.held_by = held_by


class NotHeldError(ConversationError):
    """Only who holds a conversation may write in it."""

    code = "not_held"


class InvalidReplyError(ConversationError):
    """An operator's reply is empty or longer than allowed."""

    code = "invalid_reply"


class BotError(Exception):
    """The bot gave no usable answer; `reason` is a short code for the record."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
