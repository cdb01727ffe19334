"""Opens tickets and finds them again."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from database.base import new_id
from database.clock import Clock, local
from database.engine import Database
from tickets import codes, fields, flows, listing, places, repository
from tickets.errors import ConsentMissingError
from tickets.models import TicketEventRow, TicketRow
from tickets.notices import Notices
from tickets.points import find_point
from tickets.schemas import (
    RefusedDraft,
    Ticket,
    TicketDraft,
    TicketEvent,
    TicketFilter,
    TicketPage,
    TicketState,
)
from tickets.timeline import BrokenTimelineError, EventKind, recompute
from tickets.writing import (
    CITIZEN,
    TicketWriter,
    Written,
    call_or_not,
    keep_words,
    new_token,
    standing,
)

__all__ = ["ConsentMissingError", "TicketService"]

_MOST_ON_A_PAGE = 200
_CHECKED_AT_ONCE = 500


class TicketService:
    """The rules of opening and finding tickets.

    Args:
        database: where tickets are kept.
        clock: the source of the time of opening, and of the year in the code (local time).
        notices: tells senders on the channel they used.
        address: what the sender's link begins with, without a slash at its end.
    """

    def __init__(
        self, database: Database, clock: Clock, notices: Notices | None = None, *, address: str = ""
    ) -> None:
        self._database = database
        self._clock = clock
        self._writer = TicketWriter(clock, notices, address)

    @property
    def writer(self) -> TicketWriter:
        """Writes what happens to tickets, for the desk and the senders' page."""
        return self._writer

    def link(self, ticket: Ticket) -> str:
        """Return the sender's own link to a ticket, empty where the service has no address."""
        return self._writer.link(ticket)

    async def open(
        self, draft: TicketDraft, *, origin_key: str, actor: str = CITIZEN, tell: bool = False
    ) -> Ticket:
        """Open a ticket, or return the one that `origin_key` opened before.

        Args:
            draft: what was sent in.
            origin_key: the same for every repetition of the same wish.
            actor: who opens it: the sender, or the id of somebody at the desk.
            tell: the sender is sent code and link; where the answer of the bot says them, it is not needed.

        Raises:
            ConsentMissingError: the draft carries no agreement.
        """
        if not draft.consent:
            raise ConsentMissingError
        return await self._open(draft, origin_key, actor, tell=tell)

    async def open_refused(self, draft: RefusedDraft, *, origin_key: str, actor: str) -> Ticket:
        """Keep a request that is not accepted as a ticket, and tell its sender why and what to do instead.

        Without the sender's agreement name, phone, address and e-mail are not kept.
        """
        return await self._open(draft, origin_key, actor, tell=False)

    async def find(self, code: str) -> Ticket | None:
        """Return the ticket with this code, however it is written ("gl 2026 123 8"), or None.

        A code with a wrong check digit finds nothing; `tickets.codes.read` tells that it is mistyped.
        """
        typed = codes.read(code)
        if typed is None or not typed.is_right:
            return None
        async with self._database.read() as session:
            row = await repository.find_by_code(session, typed.number)
        return Ticket.model_validate(row) if row else None

    async def find_by_phone(self, phone: str, *, conversation_id: str, limit: int = 5) -> list[Ticket]:
        """Return the tickets with this phone number, opened from this very conversation, newest first.

        A phone number is no secret, so that it never opens what somebody sent in elsewhere.
        """
        return await self._of_conversation(conversation_id, phone, limit)

    async def of_conversation(self, conversation_id: str, *, limit: int = 5) -> list[Ticket]:
        """Return the tickets opened from a conversation, newest first."""
        return await self._of_conversation(conversation_id, None, limit)

    async def page(self, wanted: TicketFilter, *, before: str | None = None, limit: int = 50) -> TicketPage:
        """Return tickets, newest first.

        Args:
            wanted: which ones.
            before: `next` of the page before.
            limit: at most so many, 200 at the most.
        """
        limit = max(1, min(limit, _MOST_ON_A_PAGE))
        if before is not None and not codes.NUMBER_PATTERN.match(before):
            before = None
        async with self._database.read() as session:
            rows = await listing.page(session, wanted, before=before, limit=limit + 1)
        following = rows[limit - 1].code if len(rows) > limit else None
        return TicketPage([Ticket.model_validate(row) for row in rows[:limit]], following)

    async def timeline(self, ticket: Ticket) -> list[TicketEvent]:
        """Return all events of a ticket in order."""
        async with self._database.read() as session:
            return await repository.events(session, ticket.id)

    async def broken(self) -> list[str]:
        """Return the codes of tickets that do not stand where their timeline says."""
        found: list[str] = []
        after = ""
        while True:
            async with self._database.read() as session:
                rows, timelines = await repository.events_of_many(session, after, _CHECKED_AT_ONCE)
            if not rows:
                return found
            found += [codes.shown(row.code) for row in rows if not _agrees(row, timelines[row.id])]
            after = rows[-1].code

    async def _open(
        self, draft: TicketDraft | RefusedDraft, origin_key: str, actor: str, *, tell: bool
    ) -> Ticket:
        now = self._clock.now()
        year = local(now).year
        written = [Written()]
        async with self._database.write() as session:
            # The counter's lock comes first: of two of one origin the second finds what the first opened.
            counter = await repository.lock_counter(session, year=year)
            known = await repository.find_by_origin(session, origin_key)
            if known is not None:
                return Ticket.model_validate(known)
            counter.last += 1
            row = TicketRow(
                code=codes.number(year, counter.last),
                origin_key=origin_key,
                state=TicketState.NEW.value,
                opened_at=now,
                opened_by=actor,
                state_since=now,
                version=1,
                token=new_token(),
                assigned_to=None if actor == CITIZEN else actor,
                disputes=0,
                call_due=False,
                **_content(draft),
                **_sender(draft, now, actor),
            )
            repository.add(session, row)
            await session.flush()
            await self._write_opening(session, row, actor, written[0] if tell else None)
            if isinstance(draft, RefusedDraft):
                given = {"reason": draft.reason.value, "text": draft.guidance or ""}
                change = flows.refuse(standing(row), given)
                written.append(
                    await self._writer.carry_on(session, row, change, actor=actor, key=f"refuse:{origin_key}")
                )
            await keep_words(session, row)
            await session.flush()
            ticket = Ticket.model_validate(row)
        await self._writer.send(written)
        return ticket

    async def _write_opening(
        self, session: AsyncSession, row: TicketRow, actor: str, told: Written | None
    ) -> None:
        data: dict[str, Any] = {"state": row.state, "channel": row.channel}
        if row.assigned_to is not None:
            data["assigned_to"] = row.assigned_to
        if row.public:
            data["public"] = True
        event_id = new_id()
        if told is not None:
            data["told"] = "opened"
            change = flows.Change(EventKind.OPENED, told="opened")
            if not await self._writer.tell(session, row, change, event_id, told):
                data[call_or_not(row)] = True
                row.call_due = bool(row.phone)
        opening = TicketEventRow(
            id=event_id,
            ticket_id=row.id,
            sequence=1,
            kind=EventKind.OPENED.value,
            actor=actor,
            at=row.opened_at,
            data=data,
        )
        await repository.add_event(session, opening, None)

    async def _of_conversation(self, conversation_id: str, phone: str | None, limit: int) -> list[Ticket]:
        async with self._database.read() as session:
            rows = await repository.find_of_conversation(
                session, conversation_id=conversation_id, phone=phone, limit=limit
            )
        return [Ticket.model_validate(row) for row in rows]


def _content(draft: TicketDraft | RefusedDraft) -> dict[str, Any]:
    place = places.resolve(draft.place) if draft.place else None
    point = draft.point or find_point(draft.place or "")
    guess = fields.guess(draft.content)
    group, field = (guess.group, guess.field) if guess else (None, None)
    if draft.field is not None:
        group, field = fields.group_of(draft.field), draft.field
    return {
        "kind": draft.kind.value,
        "content": draft.content,
        "place": draft.place,
        "place_unit": place.unit if place else None,
        "place_code": place.code if place else None,
        "place_certainty": place.certainty if place else None,
        "latitude": point.latitude if point else None,
        "longitude": point.longitude if point else None,
        "channel": draft.channel,
        "conversation_id": draft.conversation_id,
        "dossier_code": draft.dossier_code,
        "attachments": list(draft.attachments),
        "field_group": group,
        "field": field,
        "urgent": draft.urgent,
        "public": draft.public,
        "drill": draft.drill,
    }


def _sender(draft: TicketDraft | RefusedDraft, now: Any, actor: str) -> dict[str, Any]:
    if not draft.consent:
        return {"name": "", "phone": "", "address": ""}
    return {
        "name": draft.name or "",
        "phone": draft.phone or "",
        "address": draft.address or "",
        "email": draft.email,
        "consented_at": now,
        "consent_by": actor,
        "consent_how": draft.consent_how,
    }


def _agrees(row: TicketRow, events: list[TicketEvent]) -> bool:
    try:
        return recompute(events) == standing(row)
    except BrokenTimelineError:
        return False
