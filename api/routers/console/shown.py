"""What the desk's templates show of conversations: lines of the list, and the head over an open one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from accounts.access import Action, may
from accounts.schemas import User
from conversations.desk.schemas import Handoff, InboxCounts, InboxPage, Thread
from conversations.desk.words import words_of
from conversations.schemas import ConversationFilter, ConversationView
from database.clock import local
from vntext.catalogue import lookup, say
from vntext.normalise import strip_marks

PARTS = ("waiting", "mine", "all")
NARROWED = ("urgent", "unread", "closing", "failed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which list is asked for: its part, and what narrows it; empty: any."""

    show: str = "waiting"
    channel: str = ""
    only: str = ""
    q: str = ""

    @property
    def query(self) -> str:
        """The same as the end of an address."""
        given = {"show": self.show, "channel": self.channel, "only": self.only, "q": self.q}
        return urlencode({name: value for name, value in given.items() if value})

    def as_filter(self, user: User) -> ConversationFilter:
        """Return the filter of this list for whoever asks. A search looks through everything."""
        text = self.q.strip()
        show = "all" if text else self.show
        return ConversationFilter(
            owner={"waiting": "queue", "mine": "person"}.get(show),  # type: ignore[arg-type]
            assigned_to=user.id if show == "mine" else None,
            channel=self.channel or None,
            urgent=True if self.only == "urgent" else None,
            unread=True if self.only == "unread" else None,
            window_closing=True if self.only == "closing" else None,
            has_failed=True if self.only == "failed" else None,
            text=text,
        )


@dataclass(frozen=True, slots=True)
class Item:
    """One conversation in the list.

    Attributes:
        hit: where the words looked for were found, in pieces: text, and whether it is what was looked for.
        window_until: until when the channel takes what we write; None: always.
    """

    id: str
    title: str
    channel: str
    preview: str
    said_by: str
    unread: int
    urgent: bool
    is_waiting: bool
    state: str
    state_class: str
    waiting_since: datetime | None
    window_until: datetime | None
    last_at: datetime
    hit: tuple[tuple[str, bool], ...] = ()

    @property
    def waiting_order(self) -> int:
        """Its place in the queue's order among those of its rank, in microseconds."""
        return _microseconds(self.waiting_since or self.last_at)

    @property
    def activity_order(self) -> int:
        """Its place in the order of activity, in microseconds."""
        return _microseconds(self.last_at)


@dataclass(frozen=True, slots=True)
class ListPage:
    """A page of the list; `next` is where the page behind it begins."""

    items: list[Item]
    counts: InboxCounts
    next: str | None


@dataclass(frozen=True, slots=True)
class Head:
    """What stands over an open conversation, and what whoever looks at it may do.

    Attributes:
        mine: they hold it.
        why_not: why the channel takes nothing from a person now, as a sentence.
        actions: the buttons, the most likely first.
        intent: what the bot had recognised when it handed over, in words.
    """

    title: str
    channel: str
    state: str
    state_class: str
    mine: bool
    unread: int
    urgent: bool
    waiting_since: datetime | None
    window_until: datetime | None
    why_not: str
    actions: tuple[str, ...]
    handoff: Handoff | None
    intent: str


def list_page(
    page: InboxPage,
    counts: InboxCounts,
    user: User,
    names: Mapping[str, str],
    people: Mapping[str, str],
    asked: str,
) -> ListPage:
    """Return a page of the inbox as it is shown.

    Args:
        page: the conversations.
        counts: the numbers beside the parts.
        user: who looks at it.
        names: of colleagues, by user id.
        people: of citizens, by conversation id, where they are known.
        asked: what was looked for.
    """
    items = []
    for one in page.conversations:
        hit = page.hits.get(one.id)
        found = pieces(hit.snippet, asked) if hit else ()
        items.append(item_of(one, user.id, names, people, found, is_abandoned=one.id in page.abandoned))
    return ListPage(items, counts, page.next)


def item_of(
    conversation: ConversationView,
    viewer: str,
    names: Mapping[str, str],
    people: Mapping[str, str],
    hit: tuple[tuple[str, bool], ...] = (),
    *,
    is_abandoned: bool,
) -> Item:
    """Return a conversation as a line of the list; the holder's own differs from everybody else's.

    Args:
        conversation: which one.
        viewer: the id of whoever looks; empty: somebody who does not hold it.
        names, people: as for `list_page`.
        hit: as in `Item`.
        is_abandoned: as in `InboxPage.abandoned`.
    """
    state, state_class = state_of(conversation, viewer, names, is_abandoned=is_abandoned)
    said_by: dict[str, str] = lookup("console.said_by")
    return Item(
        id=conversation.id,
        title=title_of(conversation, people),
        channel=conversation.channel,
        preview=" ".join(conversation.last_message.split()) or say("console.list.no_text"),
        said_by=said_by.get(conversation.last_author, ""),
        unread=conversation.unread,
        urgent=conversation.urgent,
        is_waiting=conversation.waiting_since is not None,
        state=state,
        state_class=state_class,
        waiting_since=conversation.waiting_since,
        window_until=_window(conversation),
        last_at=conversation.last_activity_at,
        hit=hit,
    )


def head_of(thread: Thread, user: User, names: Mapping[str, str], people: Mapping[str, str]) -> Head:
    """Return what stands over an open conversation for whoever looks at it."""
    conversation = thread.conversation
    mine = conversation.owner == "person" and conversation.assigned_to == user.id
    state, state_class = state_of(conversation, user.id, names, is_abandoned=thread.is_abandoned)
    why_not = (conversation.sending.reason if conversation.sending else None) or ""
    return Head(
        title=title_of(conversation, people),
        channel=conversation.channel,
        state=state,
        state_class=state_class,
        mine=mine,
        unread=conversation.unread,
        urgent=conversation.urgent,
        waiting_since=conversation.waiting_since,
        window_until=_window(conversation),
        why_not=why_not,
        actions=_actions(thread, user, mine=mine),
        handoff=thread.handoff,
        intent=_intent(thread.handoff),
    )


def _window(conversation: ConversationView) -> datetime | None:
    """Return until when a person may write, where the channel sets an end and somebody has to."""
    if conversation.sending is None or conversation.owner == "bot":
        return None
    return conversation.sending.until


def _actions(thread: Thread, user: User, *, mine: bool) -> tuple[str, ...]:
    conversation = thread.conversation
    rank = "not-urgent" if conversation.urgent else "urgent"
    if not may(user, Action.ANSWER):
        return ()
    if mine:
        return ("hand-back", "close", "release", rank)
    if conversation.owner != "person" or thread.is_abandoned:
        return ("claim", rank) if conversation.owner == "queue" else ("claim",)
    return ("take-over",) if may(user, Action.TAKE_OVER) else ()


def _intent(handoff: Handoff | None) -> str:
    if handoff is None or not handoff.intent:
        return ""
    known: dict[str, str] = lookup("console.intents")
    intent = known.get(handoff.intent, known["other"])
    if handoff.confidence is None:
        return say("console.handoff.intent", intent=intent)
    return say("console.handoff.intent_sure", intent=intent, percent=round(100 * handoff.confidence))


def title_of(conversation: ConversationView, people: Mapping[str, str]) -> str:
    """Return what a conversation is called: the person's name where it is known, else a short sign."""
    return people.get(conversation.id) or say("console.list.unnamed", sign=conversation.id[:6])


def state_of(
    conversation: ConversationView, viewer: str, names: Mapping[str, str], *, is_abandoned: bool
) -> tuple[str, str]:
    """Return who has a conversation, in words, and how that is coloured."""
    if conversation.closed_at is not None:
        return say("console.owner.closed"), ""
    if conversation.owner == "queue":
        return say("console.owner.queue"), ""
    if conversation.owner == "bot":
        return say("console.owner.bot"), ""
    if conversation.assigned_to == viewer:
        return say("console.owner.mine"), "good"
    holder = names.get(conversation.assigned_to or "", say("console.thread.operator"))
    return say("console.owner.abandoned" if is_abandoned else "console.owner.held", name=holder), ""


def pieces(text: str, asked: str) -> tuple[tuple[str, bool], ...]:
    """Return a text in pieces, and of each whether it was looked for, with marks or without."""
    # Of a longer word the beginning is enough, as it is for the search.
    words = [re.escape(word) + (r"\w*" if len(word) > 2 else "") for word in words_of(asked)]
    plain = strip_marks(text).lower()
    if not words or len(plain) != len(text):
        return ((text, False),)
    found = []
    end = 0
    for match in re.finditer(rf"\b(?:{'|'.join(words)})\b", plain):
        if match.start() > end:
            found.append((text[end : match.start()], False))
        found.append((text[match.start() : match.end()], True))
        end = match.end()
    return (*found, (text[end:], False)) if end < len(text) else tuple(found)


def _microseconds(instant: datetime) -> int:
    return (instant - _EPOCH) // timedelta(microseconds=1)


def short_time(instant: datetime, now: datetime) -> str:
    """Return an instant as a list shows it: of today the time, of another day the date."""
    there, today = local(instant), local(now)
    if there.date() == today.date():
        return there.strftime("%H:%M")
    return there.strftime("%d/%m" if there.year == today.year else "%d/%m/%Y")


def clock_time(instant: datetime) -> str:
    """Return the time of day, as it stands beside a message."""
    return local(instant).strftime("%H:%M")
