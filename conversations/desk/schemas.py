"""What crosses the edge of the desk: hand-overs, history, notes, canned answers, people, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from conversations.schemas import ConversationView, MessageView

LONGEST_REASON = 500
"""Characters of a reason that somebody gives."""

EventKind = Literal[
    "handed_over",
    "left_queue",
    "claimed",
    "taken_over",
    "released",
    "returned",
    "handed_back",
    "closed",
    "reopened",
    "new_session",
    "urgent",
    "not_urgent",
    "call_started",
    "merged",
    "unmerged",
    "answered_elsewhere",
]
"""What can happen to a conversation besides messages.

handed_over: the bot gave it to the queue. left_queue: the citizen went back to the bot. claimed: an operator
took it (from the queue, the bot, or a holder who kept the citizen waiting: `data.held_by`). taken_over: a
supervisor took it from its holder. released: the holder put it back into the queue. returned: the holder kept
the citizen waiting too long, it went back by itself. handed_back: given to the bot. closed: ended. reopened:
an operator took it up again after closing. new_session: the citizen wrote after closing, or after a day of
silence; the bot answers. urgent, not_urgent: its rank in the queue. call_started: the citizen called.
merged, unmerged: it counts as of a person, or no longer. answered_elsewhere: somebody answered in the
provider's own tool; the bot steps aside.
"""

Source = Literal["call", "contact", "operator", "ticket"]
"""From where a telephone number is known: a call, a contact the citizen shared, an operator, a ticket."""


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry of the knowledge base the bot was thinking of."""

    code: str
    title: str


@dataclass(frozen=True, slots=True)
class Handoff:
    """Why a conversation was handed over.

    Attributes:
        reason: one line for the operators.
        code: its code, where the bot gave one.
        intent: what the bot recognised; `confidence` 0 to 1.
        entries: what it was thinking of, the nearest first.
        message_id: the citizen's message that led to it.
    """

    reason: str
    code: str | None
    intent: str | None
    confidence: float | None
    entries: tuple[Entry, ...]
    message_id: str | None
    at: datetime


@dataclass(frozen=True, slots=True)
class DeskEvent:
    """One line of a conversation's history; see `EventKind`. It stands after the message `after_sequence`."""

    id: int
    conversation_id: str
    after_sequence: int
    at: datetime
    kind: EventKind
    actor: str
    reason: str
    data: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Note:
    """An internal note; `mentions` are the ids of colleagues it is meant for."""

    id: str
    conversation_id: str
    after_sequence: int
    author_id: str
    text: str
    mentions: tuple[str, ...]
    at: datetime


@dataclass(frozen=True, slots=True)
class CannedAnswer:
    """An answer written beforehand; `owner_id` is None where all may use it."""

    id: str
    owner_id: str | None
    title: str
    text: str
    changed_by: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Watcher:
    """A colleague who has the conversation open now."""

    operator_id: str
    typing: bool


@dataclass(frozen=True, slots=True)
class Hit:
    """Where the words looked for were found; `sequence` is the message's place, 0 for what is no message."""

    kind: Literal["message", "ticket", "contact"]
    ref: str
    snippet: str
    sequence: int


@dataclass(frozen=True, slots=True)
class InboxPage:
    """A page of the inbox.

    Attributes:
        next: what `Desk.inbox` takes as `after` for the page behind it; None: this is the last one.
        hits: with a text looked for, where it was found, by conversation id.
        abandoned: those whose holder has kept the citizen waiting so long that others may take them.
    """

    conversations: list[ConversationView]
    next: str | None
    hits: dict[str, Hit] = field(default_factory=dict)
    abandoned: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class InboxCounts:
    """How many conversations stand in each part of the inbox; `mine` and `mine_unread` are the asker's."""

    queue: int
    urgent: int
    person: int
    mine: int
    mine_unread: int
    failed: int


@dataclass(frozen=True, slots=True)
class Listed:
    """A page of the inbox as one operator sees it; `names` are those citizens have given, by conversation."""

    page: InboxPage
    counts: InboxCounts
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class DeskCounts:
    """The same numbers for everybody at once.

    Attributes:
        queue: how many wait.
        held: by operator, how many conversations they hold, and in how many of them something is unread.
    """

    queue: int
    held: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class DeskChange:
    """Conversations as they are after something has happened, with what an inbox asks of them.

    Attributes:
        conversations: those asked for; one that is no longer there is missing.
        abandoned: as in `InboxPage`.
        failed: those with a message that was not sent.
        closing: from when to when the channel's window counts as closing, for those somebody waits in.
        names: that citizens have given, by conversation.
    """

    conversations: list[ConversationView]
    abandoned: frozenset[str]
    failed: frozenset[str]
    closing: Mapping[str, tuple[datetime, datetime]]
    counts: DeskCounts
    names: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Thread:
    """An opened conversation with everything a page shows beside the messages.

    Attributes:
        messages: the newest ones, oldest first.
        events, notes: those that stand among or after the messages.
        position: its place in the queue while it waits.
        handoff: the record of the hand-over it waits for or was taken after.
        is_abandoned: its holder keeps the citizen waiting; others may take it.
        last_held_by: who had it before, shown when the citizen comes back.
    """

    conversation: ConversationView
    messages: list[MessageView]
    events: list[DeskEvent]
    notes: list[Note]
    position: int | None
    handoff: Handoff | None
    is_abandoned: bool


@dataclass(frozen=True, slots=True)
class Contact:
    """A telephone number known for a conversation; national form without blanks ("0905123456")."""

    conversation_id: str
    phone: str
    name: str
    source: Source
    seen_at: datetime


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A conversation that may be of the same person: it shares telephone numbers. Never merged by itself."""

    conversation: ConversationView
    phones: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Merge:
    """A decision that conversations are of one person."""

    id: str
    person_id: str
    conversations: tuple[str, ...]
    by: str
    at: datetime
    reason: str
    undone_by: str | None
    undone_at: datetime | None
    undone_reason: str | None


@dataclass(frozen=True, slots=True)
class PersonView:
    """Somebody with all conversations that count as theirs, newest first, and how that came about."""

    id: str
    name: str
    conversations: list[ConversationView]
    merges: list[Merge]


@dataclass(frozen=True, slots=True)
class Contacted:
    """What is known of a telephone number: conversations, newest first, names given, codes of reports."""

    phone: str
    names: tuple[str, ...]
    conversations: list[ConversationView]
    tickets: tuple[str, ...]
