"""The lifecycle of a ticket: one function a transition, with its guard and its effects.

    new ──► transferred ──► answered_by_agency ──► answered ──► closed
     │          ▲    ▲              │  ▲              │           │
     │          │    └──────────────┘  │              ▼           │
     ├──────────┴───────────────────── disputed ◄─────────────────┘   (once)
     ├──► answered            the knowledge base or the operator has the answer
     ├──► refused             with a named reason and what to do instead
     ├──► needs_info          and back to where it was
     └──► merged              and back to where it was, when the merging was a mistake

A function gets where the ticket stands and what was filled in, and returns the event to be written: it reads
and writes nothing. `TRANSITIONS` says from where each may start, who may do it, and what its form asks for.
Which role may do what is decided in `accounts.access`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from accounts.access import Action
from tickets.errors import DisputeUsedError, InvalidChangeError, NotPossibleNowError
from tickets.schemas import CONTENT_LIMIT, RefusalReason, TicketState
from tickets.timeline import EventKind, Standing
from vntext.catalogue import say

S = TicketState

_LONGEST_LINE = 200
_AT_THE_DESK = frozenset({S.NEW, S.DISPUTED})
_UNDER_WAY = _AT_THE_DESK | {S.TRANSFERRED, S.ANSWERED_BY_AGENCY}
_OPEN = _UNDER_WAY | {S.NEEDS_INFO}
_NOT_MERGED = frozenset(S) - {S.MERGED}

MOST_DISPUTES = 1

BY_LINK = "link"
"""How a sender agreed who did it on the page of their own link."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a transition does: the event, what was written with it, and what the sender is told.

    Attributes:
        state: the new state; None leaves it.
        data: further facts of the event.
        text: what somebody wrote.
        told: key under `tickets.told` of what the sender is told; None: they are not.
        words: variables of that sentence.
    """

    kind: EventKind
    state: TicketState | None = None
    data: dict[str, Any] = field(default_factory=dict)
    text: str | None = None
    told: str | None = None
    words: dict[str, str] = field(default_factory=dict)


Given = Mapping[str, str]


def _text(given: Given, name: str = "text", *, limit: int = CONTENT_LIMIT, required: bool = True) -> str:
    value = given.get(name, "").strip()
    if (required and not value) or len(value) > limit:
        raise InvalidChangeError(field=say(f"tickets.fields.{name}"), limit=limit)
    return value


def guidance(reason: RefusalReason) -> str:
    """Return what the sender of a request that is not accepted is told to do instead."""
    return say(f"tickets.refusal.{reason.value}.guidance")


def take(_standing: Standing, _given: Given) -> Change:
    """Somebody at the desk makes the ticket their own."""
    return Change(EventKind.TAKEN)


def ask_info(standing: Standing, given: Given) -> Change:
    """The sender is asked for what is missing."""
    question = _text(given)
    return Change(
        EventKind.INFO_ASKED,
        S.NEEDS_INFO,
        {"resume": standing.state.value},
        question,
        "info_asked",
        {"text": question},
    )


def give_info(standing: Standing, given: Given) -> Change:
    """What was missing is there: it goes on where it was."""
    return Change(EventKind.INFO_GIVEN, standing.resume or S.NEW, {}, _text(given), "info_given")


def refuse(_standing: Standing, given: Given) -> Change:
    """Not accepted, with a named reason and what to do instead."""
    try:
        reason = RefusalReason(given.get("reason", ""))
    except ValueError as error:
        raise InvalidChangeError(field=say("tickets.fields.reason"), limit=_LONGEST_LINE) from error
    instead = _text(given, required=False) or guidance(reason)
    return Change(
        EventKind.REFUSED,
        S.REFUSED,
        {"reason": reason.value},
        instead,
        "refused",
        {"reason": say(f"tickets.refusal.{reason.value}.reason"), "text": instead},
    )


def transfer(standing: Standing, given: Given) -> Change:
    """To the agency in charge. Sent on from one to another, the sender reads why and to whom."""
    agency = _text(given, "agency", limit=_LONGEST_LINE)
    is_on = standing.state in (S.TRANSFERRED, S.ANSWERED_BY_AGENCY)
    why = _text(given, required=is_on)
    data = {"agency": agency}
    if not is_on:
        return Change(
            EventKind.TRANSFERRED, S.TRANSFERRED, data, why or None, "transferred", {"agency": agency}
        )
    data["from_agency"] = standing.agency or ""
    words = {"agency": agency, "before": standing.agency or "", "text": why}
    return Change(EventKind.TRANSFERRED, S.TRANSFERRED, data, why, "sent_on", words)


def agency_answer(standing: Standing, given: Given) -> Change:
    """The agency has answered; the sender is told with the answer, when somebody has read it."""
    return Change(
        EventKind.AGENCY_ANSWERED,
        S.ANSWERED_BY_AGENCY,
        {"agency": standing.agency or ""},
        _text(given),
    )


def answer(standing: Standing, given: Given) -> Change:
    """The sender gets the answer."""
    text = _text(given)
    data = {"agency": standing.agency} if standing.agency else {}
    by = standing.agency or say("tickets.service")
    return Change(EventKind.ANSWERED, S.ANSWERED, data, text, "answered", {"text": text, "agency": by})


def dispute(standing: Standing, given: Given) -> Change:
    """The sender says that it is not settled: once, and it is open again."""
    if standing.disputes >= MOST_DISPUTES:
        raise DisputeUsedError
    return Change(EventKind.DISPUTED, S.DISPUTED, {}, _text(given), "disputed")


def close(_standing: Standing, _given: Given) -> Change:
    """Settled."""
    return Change(EventKind.CLOSED, S.CLOSED, {}, None, "closed")


def reopen(_standing: Standing, given: Given) -> Change:
    """Taken up again by the service itself, because refusing or closing it was a mistake."""
    return Change(EventKind.REOPENED, S.NEW, {}, _text(given), "reopened")


def note(_standing: Standing, given: Given) -> Change:
    """A note for those who work on it."""
    return Change(EventKind.NOTED, text=_text(given))


def publish(_standing: Standing, given: Given) -> Change:
    """The sender agrees that content and answer are published, without personal data."""
    how = given.get("how", "").strip()[:_LONGEST_LINE]
    if how == BY_LINK:
        return Change(EventKind.PUBLISHED, data={"how": how})
    # What somebody typed may be personal, and stays out of what can never be erased.
    return Change(EventKind.PUBLISHED, text=how or None)


def unpublish(_standing: Standing, _given: Given) -> Change:
    """The sender no longer agrees."""
    return Change(EventKind.UNPUBLISHED)


def called(_standing: Standing, given: Given) -> Change:
    """The sender was told by telephone what no message could tell them."""
    return Change(EventKind.CALLED, text=_text(given, required=False) or None)


def merge(standing: Standing, given: Given) -> Change:
    """The same matter as another ticket, which goes on for both."""
    resume = standing.resume if standing.state is S.NEEDS_INFO and standing.resume else standing.state
    data = {"into": given["into"], "code": given["code"], "resume": resume.value}
    return Change(EventKind.MERGED, S.MERGED, data, None, "merged", {"other": given["code"]})


def unmerge(standing: Standing, _given: Given) -> Change:
    """It was another matter after all: it goes on by itself, where it was."""
    return Change(EventKind.UNMERGED, standing.resume or S.NEW, {}, None, "unmerged")


@dataclass(frozen=True, slots=True)
class Transition:
    """One way from state to state.

    Attributes:
        name: key of its words in the catalogue.
        make: guard of what was filled in, and effects.
        starts: the states it may start from.
        action: what somebody at the desk needs to be allowed to.
        fields: what its form asks for.
        by_sender: the sender may do it too, by their own link.
        in_menu: it has a form of its own on the ticket's page.
    """

    name: str
    make: Callable[[Standing, Given], Change]
    starts: frozenset[TicketState]
    action: Action = Action.CHANGE_TICKETS
    fields: tuple[str, ...] = ()
    by_sender: bool = False
    in_menu: bool = True

    def check(self, standing: Standing) -> None:
        """Raise where the transition cannot start.

        Raises:
            NotPossibleNowError: from this state.
        """
        if standing.state not in self.starts:
            raise NotPossibleNowError(
                action=say(f"tickets.actions.{self.name}"), state=say(f"tickets.states.{standing.state}")
            )
        if self.name == "called" and not standing.call_due:
            raise NotPossibleNowError(
                action=say("tickets.actions.called"), state=say(f"tickets.states.{standing.state}")
            )


_ALL = (
    Transition("take", take, _OPEN),
    Transition("transfer", transfer, _UNDER_WAY, fields=("agency", "text")),
    Transition("agency_answer", agency_answer, frozenset({S.TRANSFERRED}), fields=("text",)),
    Transition("answer", answer, _UNDER_WAY, fields=("text",)),
    Transition("ask_info", ask_info, _UNDER_WAY, fields=("text",)),
    Transition("give_info", give_info, frozenset({S.NEEDS_INFO}), fields=("text",), by_sender=True),
    Transition("refuse", refuse, _AT_THE_DESK | {S.NEEDS_INFO}, fields=("reason", "text")),
    Transition("dispute", dispute, frozenset({S.ANSWERED, S.CLOSED}), fields=("text",), by_sender=True),
    Transition("close", close, frozenset({S.ANSWERED})),
    Transition("reopen", reopen, frozenset({S.REFUSED, S.CLOSED}), Action.REOPEN_TICKETS, ("text",)),
    Transition("publish", publish, _NOT_MERGED - {S.REFUSED}, fields=("how",), by_sender=True),
    Transition("unpublish", unpublish, _NOT_MERGED, by_sender=True),
    Transition("called", called, frozenset(S), fields=("text",)),
    Transition("note", note, _NOT_MERGED, fields=("text",)),
    Transition("merge", merge, _OPEN | {S.ANSWERED}, in_menu=False),
    Transition("unmerge", unmerge, frozenset({S.MERGED})),
)
TRANSITIONS: dict[str, Transition] = {transition.name: transition for transition in _ALL}


def possible(standing: Standing) -> list[Transition]:
    """Return the transitions that may start where a ticket stands, in the order of the page."""
    return [transition for transition in _ALL if _can_start(transition, standing)]


def _can_start(transition: Transition, standing: Standing) -> bool:
    if standing.state not in transition.starts:
        return False
    match transition.name:
        case "dispute":
            return standing.disputes < MOST_DISPUTES
        case "called":
            return standing.call_due
        case "publish" | "unpublish":
            return standing.public == (transition.name == "unpublish")
        case _:
            return True
