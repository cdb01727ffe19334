"""What can go wrong with a ticket, each with the sentence that whoever asked reads.

TicketError
├── ConsentMissingError
├── TicketNotFoundError
├── InvalidChangeError
├── NotPossibleNowError
│   ├── DisputeUsedError
│   └── AlreadyMergedError
├── NotYoursError
└── ChangedMeanwhileError
"""

from __future__ import annotations

from vntext.catalogue import say


class TicketError(Exception):
    """Something about a ticket was refused; nothing has changed."""

    code = "refused"

    def __init__(self, **words: object) -> None:
        self.sentence = say(f"tickets.errors.{self.code}", **words)
        super().__init__(self.sentence)


class ConsentMissingError(TicketError, ValueError):
    """A ticket holds personal data, so that none is opened without the sender's agreement."""

    code = "no_consent"


class TicketNotFoundError(TicketError):
    """There is no such ticket."""

    code = "unknown"


class InvalidChangeError(TicketError, ValueError):
    """What was filled in is missing, too long or unknown."""

    code = "invalid"


class NotPossibleNowError(TicketError):
    """The state the ticket is in does not allow it."""

    code = "not_now"


class DisputeUsedError(NotPossibleNowError):
    """The sender has disputed the answer once already."""

    code = "dispute_used"


class AlreadyMergedError(NotPossibleNowError):
    """One of the two is merged already: `code` goes on in its place."""

    code = "already_merged"


class NotYoursError(TicketError):
    """The roles of whoever asks do not allow it."""

    code = "not_yours"


class ChangedMeanwhileError(TicketError):
    """Somebody else has changed the ticket since it was looked at."""

    code = "changed_meanwhile"
