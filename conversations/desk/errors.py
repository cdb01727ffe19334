"""Typed errors of the desk; `sentence` is what the operator reads.

ConversationError
├── InvalidReasonError     a reason is too long, or missing where it is needed
├── InvalidNoteError       a note is empty or too long
├── InvalidCannedError     a canned answer cannot be kept; `problem` says what is wrong
├── CannedNotFoundError    there is no such canned answer, or it is somebody else's
├── MergeRefusedError      these conversations cannot be put together, or apart, as asked; `problem` says why
├── InvalidNumberError     this is no telephone number
└── BadPlaceError          a page's address is none of ours
"""

from __future__ import annotations

from conversations.errors import ConversationError
from vntext.catalogue import say


class DeskError(ConversationError):
    """Base of the desk's own errors."""

    @property
    def sentence(self) -> str:
        """The sentence for the operator."""
        return say(f"desk.errors.{self.code}")


class InvalidReasonError(DeskError):
    """A reason is too long, or missing where it is needed."""

    code = "invalid_reason"


class InvalidNoteError(DeskError):
    """A note is empty or too long, or its key is."""

    code = "invalid_note"


class InvalidCannedError(DeskError):
    """A canned answer cannot be kept.

    Attributes:
        problem: `empty`, `too_long`, `title_taken`, `unknown_variable` or `broken`.
        variable: the variable that is not known, where there is one.
    """

    code = "invalid_canned"

    def __init__(self, problem: str, variable: str = "") -> None:
        super().__init__(problem)
        self.problem = problem
        self.variable = variable

    @property
    def sentence(self) -> str:
        """The sentence for the operator, naming the variable."""
        return say(f"desk.errors.canned.{self.problem}", variable=self.variable)


class CannedNotFoundError(DeskError):
    """There is no such canned answer, or it is somebody else's."""

    code = "canned_not_found"


class MergeRefusedError(DeskError):
    """Conversations cannot be put together, or apart, as asked.

    Attributes:
        problem: `too_few`, `same_person`, `undone` or `superseded`.
    """

    code = "merge_refused"

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem

    @property
    def sentence(self) -> str:
        """The sentence for the operator."""
        return say(f"desk.errors.merge.{self.problem}")


class InvalidNumberError(DeskError):
    """This is no telephone number."""

    code = "invalid_number"


class BadPlaceError(DeskError):
    """A page's address is none of ours."""

    code = "bad_place"
