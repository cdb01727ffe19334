"""A ticket's timeline read as what it says: events in, the standing of the ticket out.

The same function carries the stored ticket on by one event and recomputes it from all of them, so that the
timeline alone is the truth. Deadlines are to be computed the same way: from when a ticket was transferred,
and to whom.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from tickets.schemas import RefusalReason, TicketState


class EventKind(StrEnum):
    """What can happen to a ticket."""

    OPENED = "opened"
    INFO_ASKED = "info_asked"
    INFO_GIVEN = "info_given"
    REFUSED = "refused"
    TRANSFERRED = "transferred"
    AGENCY_ANSWERED = "agency_answered"
    ANSWERED = "answered"
    DISPUTED = "disputed"
    CLOSED = "closed"
    REOPENED = "reopened"
    MERGED = "merged"
    UNMERGED = "unmerged"
    ABSORBED = "absorbed"
    RELEASED = "released"
    LINKED = "linked"
    UNLINKED = "unlinked"
    NOTED = "noted"
    TAKEN = "taken"
    CORRECTED = "corrected"
    PUBLISHED = "published"
    UNPUBLISHED = "unpublished"
    CALLED = "called"


class Happened(Protocol):
    """What is read of an event."""

    @property
    def sequence(self) -> int:
        """Its place on the timeline, from 1."""

    @property
    def kind(self) -> str:
        """One of `EventKind`."""

    @property
    def actor(self) -> str:
        """Who did it."""

    @property
    def at(self) -> datetime:
        """When."""

    @property
    def data(self) -> dict[str, Any]:
        """Its facts."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a ticket stands, as its timeline says; the fields are those of `tickets.schemas.Ticket`."""

    state: TicketState
    state_since: datetime
    version: int = 1
    resume: TicketState | None = None
    agency: str | None = None
    refusal: RefusalReason | None = None
    disputes: int = 0
    assigned_to: str | None = None
    merged_into: str | None = None
    call_due: bool = False
    public: bool = False


class BrokenTimelineError(ValueError):
    """A timeline that cannot have come about."""


def recompute(events: Iterable[Happened]) -> Standing:
    """Return where a ticket stands from all its events in order.

    Raises:
        BrokenTimelineError: it does not begin with the opening, or has gaps.
    """
    standing: Standing | None = None
    for event in events:
        standing = _opened(event) if standing is None else carry_on(standing, event)
    if standing is None:
        raise BrokenTimelineError("a timeline has at least one event")
    return standing


def _opened(event: Happened) -> Standing:
    if event.kind != EventKind.OPENED or event.sequence != 1:
        raise BrokenTimelineError("a timeline begins with the opening")
    return Standing(
        state=TicketState(event.data["state"]),
        state_since=event.at,
        assigned_to=event.data.get("assigned_to"),
        public=bool(event.data.get("public")),
        call_due=bool(event.data.get("call")),
    )


def carry_on(standing: Standing, event: Happened) -> Standing:
    """Return where a ticket stands after one more event.

    Raises:
        BrokenTimelineError: it is not the next one.
    """
    if event.sequence != standing.version + 1:
        raise BrokenTimelineError(f"event {event.sequence} after {standing.version}")
    data = event.data
    changes: dict[str, Any] = {"version": event.sequence}
    if "state" in data:
        changes |= {"state": TicketState(data["state"]), "state_since": event.at, "resume": None}
    if data.get("call"):
        changes["call_due"] = True
    match EventKind(event.kind):
        case EventKind.INFO_ASKED:
            changes["resume"] = TicketState(data["resume"])
        case EventKind.MERGED:
            changes |= {"resume": TicketState(data["resume"]), "merged_into": data["into"]}
        case EventKind.UNMERGED:
            changes |= {"merged_into": None, "resume": _state(data.get("resume"))}
        case EventKind.REFUSED:
            changes["refusal"] = RefusalReason(data["reason"])
        case EventKind.REOPENED:
            changes["refusal"] = None
        case EventKind.TRANSFERRED:
            changes["agency"] = data["agency"]
        case EventKind.DISPUTED:
            changes["disputes"] = standing.disputes + 1
        case EventKind.TAKEN:
            changes["assigned_to"] = event.actor
        case EventKind.PUBLISHED | EventKind.UNPUBLISHED:
            changes["public"] = event.kind == EventKind.PUBLISHED
        case EventKind.CALLED:
            changes["call_due"] = False
        case _:
            pass
    return replace(standing, **changes)


def _state(name: str | None) -> TicketState | None:
    return None if name is None else TicketState(name)
