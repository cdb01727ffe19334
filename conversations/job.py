"""One piece of work: the next message of a conversation, or the pieces read as one, claimed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from conversations.repository import Row

LEASE = timedelta(seconds=25)
"""How long a conversation is claimed: longer than the bot's time limit and its second try together."""


@dataclass(slots=True)
class Job:
    """Messages of one conversation that this process has claimed.

    Attributes:
        conversation: its row when it was claimed.
        group: the messages, oldest first; `attempts` as it was before this one.
        previous: the turn record of the citizen's message before them, if there is one.
        claim: the work claim; whoever finishes checks that it is still there.
    """

    conversation: Row
    group: list[Row]
    previous: dict[str, Any] | None
    claim: str

    @property
    def head(self) -> Row:
        """The message that names the turn."""
        return self.group[0]
