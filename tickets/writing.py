"""Writes what happens to a ticket: the event, the ticket as it is then, and the notice to its sender.

All in the caller's unit of work: either everything is there or nothing is.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from database.base import new_id
from database.clock import Clock
from tickets import codes, listing, repository
from tickets.flows import Change
from tickets.models import TicketEventRow, TicketRow
from tickets.notices import Notice, Notices
from tickets.schemas import RefusalReason, Ticket, TicketState
from tickets.timeline import Standing, carry_on
from vntext.catalogue import say

CITIZEN = "citizen"
"""The actor of what the sender does; somebody at the desk is named by their id."""


@dataclass(slots=True)
class Written:
    """What a unit of work has written: the conversations to send to when it is done."""

    conversations: list[str] = field(default_factory=list)


class TicketWriter:
    """Carries tickets on.

    Args:
        clock: when something happens.
        notices: tells senders; None: nobody is told, and somebody has to call.
        address: what the sender's link begins with ("https://1022.gialai.gov.vn"); empty: no link.
    """

    def __init__(self, clock: Clock, notices: Notices | None, address: str) -> None:
        self._clock = clock
        self._notices = notices
        self._address = address

    def link(self, row: TicketRow | Ticket) -> str:
        """Return the sender's own link to a ticket, empty where there is none."""
        return f"{self._address}/p/{row.token}" if self._address and row.token else ""

    async def carry_on(
        self, session: AsyncSession, row: TicketRow, change: Change, *, actor: str, key: str | None
    ) -> Written:
        """Write one event of a locked ticket with all that follows from it."""
        row.token = row.token or new_token()
        event_id = new_id()
        written = Written()
        data = dict(change.data)
        if change.state is not None:
            data["state"] = change.state.value
        if change.told is not None:
            data["told"] = change.told
            if not await self.tell(session, row, change, event_id, written):
                data[call_or_not(row)] = True
        event = TicketEventRow(
            id=event_id,
            ticket_id=row.id,
            sequence=row.version + 1,
            kind=change.kind.value,
            actor=actor,
            at=self._clock.now(),
            data=data,
            key=key,
        )
        apply(row, carry_on(standing(row), event))
        await repository.add_event(session, event, change.text)
        return written

    async def send(self, written: Iterable[Written]) -> None:
        """Send the notices of a unit of work that is done."""
        conversations = [each for part in written for each in part.conversations]
        if self._notices is not None and conversations:
            await self._notices.send(dict.fromkeys(conversations))

    async def tell(
        self, session: AsyncSession, row: TicketRow, change: Change, event_id: str, written: Written
    ) -> bool:
        """Tell the sender and those whose tickets were merged into this one; False: somebody has to call."""
        followers = await repository.absorbed(session, row.id)
        everybody = True
        # In the order of conversations: who tells many holds a lock on each.
        for told in sorted([row, *followers], key=lambda each: (each.conversation_id, each.code)):
            notice = Notice(told.conversation_id, self._words(told, change), _key(event_id, told, row))
            if self._notices is None or not told.conversation_id:
                everybody = False
            elif await self._notices.write(session, notice):
                written.conversations.append(told.conversation_id)
            else:
                everybody = False
        return everybody

    def _words(self, told: TicketRow, change: Change) -> str:
        sentence = say(
            f"tickets.told.{change.told}",
            code=codes.shown(told.code),
            kind=say(f"tickets.kinds.{told.kind}").lower(),
            **change.words,
        )
        link = self.link(told)
        return f"{sentence}\n{say('tickets.told.link', link=link)}" if link else sentence


def _key(event_id: str, told: TicketRow, row: TicketRow) -> str:
    return event_id if told is row else f"{event_id}:{told.id}"


def call_or_not(row: TicketRow) -> str:
    """Return what is noted where no message reaches the sender: to be called, or out of reach."""
    return "call" if row.phone else "unreachable"


def new_token() -> str:
    """Return the token of a link that nobody can guess: 192 random bits."""
    return secrets.token_urlsafe(24)


def standing(row: TicketRow) -> Standing:
    """Return where a stored ticket stands."""
    return Standing(
        state=TicketState(row.state),
        state_since=row.state_since,
        version=row.version,
        resume=None if row.resume is None else TicketState(row.resume),
        agency=row.agency,
        refusal=None if row.refusal is None else RefusalReason(row.refusal),
        disputes=row.disputes,
        assigned_to=row.assigned_to,
        merged_into=row.merged_into,
        call_due=row.call_due,
        public=row.public,
    )


def apply(row: TicketRow, now: Standing) -> None:
    """Set a ticket's columns to where it stands."""
    values: dict[str, Any] = {
        "state": now.state.value,
        "state_since": now.state_since,
        "version": now.version,
        "resume": now.resume and now.resume.value,
        "agency": now.agency,
        "refusal": now.refusal and now.refusal.value,
        "disputes": now.disputes,
        "assigned_to": now.assigned_to,
        "merged_into": now.merged_into,
        "call_due": now.call_due,
        "public": now.public,
    }
    for name, value in values.items():
        if getattr(row, name) != value:
            setattr(row, name, value)


async def keep_words(session: AsyncSession, row: TicketRow) -> None:
    """Keep what a ticket is found by, after it was opened or corrected."""
    await repository.put_words(session, codes.serial(row.code), row.id, listing.search_words(row))
