"""Opens tickets and finds them again."""

from __future__ import annotations

import re

from database.clock import Clock, local
from database.engine import Database
from tickets import fields, places, repository
from tickets.models import TicketRow
from tickets.schemas import Ticket, TicketDraft, TicketEvent, TicketState

_LOOSE_CODE = re.compile(r"^\s*GL[\s\-–—._/]*(\d{4})[\s\-–—._/]*(\d{1,6})\s*$", re.IGNORECASE)


class ConsentMissingError(ValueError):
    """A ticket holds personal data, so that none is opened without the sender's agreement."""


def normal_code(text: str) -> str | None:
    """Return a ticket's code in its one form ("gl 2026 123" → "GL-2026-000123"), None for no code."""
    match = _LOOSE_CODE.match(text)
    return f"GL-{match[1]}-{int(match[2]):06d}" if match else None


class TicketService:
    """The rules of opening and finding tickets.

    Args:
        database: where tickets are kept.
        clock: the source of the time of opening, and of the year in the code (local time).
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def open(self, draft: TicketDraft, *, origin_key: str) -> Ticket:
        """Open a ticket, or return the one that `origin_key` opened before.

        Raises:
            ConsentMissingError: the draft carries no agreement.
        """
        if not draft.consent:
            raise ConsentMissingError("no ticket is opened without the sender's agreement")
        place = places.resolve(draft.place) if draft.place else None
        field = fields.guess(draft.content)
        now = self._clock.now()
        year = local(now).year
        async with self._database.write() as session:
            # The counter's lock comes first: of two of one origin the second finds what the first opened.
            counter = await repository.lock_counter(session, year=year)
            known = await repository.find_by_origin(session, origin_key)
            if known is not None:
                return Ticket.model_validate(known)
            counter.last += 1
            row = TicketRow(
                code=f"GL-{year}-{counter.last:06d}",
                origin_key=origin_key,
                kind=draft.kind.value,
                state=TicketState.NEW.value,
                content=draft.content,
                place=draft.place,
                place_unit=place.unit if place else None,
                place_code=place.code if place else None,
                place_certainty=place.certainty if place else None,
                name=draft.name,
                phone=draft.phone,
                address=draft.address,
                channel=draft.channel,
                conversation_id=draft.conversation_id,
                dossier_code=draft.dossier_code,
                attachments=list(draft.attachments),
                field_group=field.group if field else None,
                field=field.field if field else None,
                consented_at=now,
                opened_at=now,
                state_since=now,
            )
            repository.add(session, row)
            await session.flush()
            await repository.append_event(
                session,
                ticket_id=row.id,
                kind="opened",
                actor="citizen",
                at=now,
                data={"state": TicketState.NEW.value, "channel": draft.channel},
            )
            await session.flush()
            return Ticket.model_validate(row)

    async def find(self, code: str) -> Ticket | None:
        """Return the ticket with this code, however it is written ("gl 2026 123"), or None."""
        wanted = normal_code(code)
        if wanted is None:
            return None
        async with self._database.read() as session:
            row = await repository.find_by_code(session, wanted)
        return Ticket.model_validate(row) if row else None

    async def find_by_phone(self, phone: str, *, conversation_id: str, limit: int = 5) -> list[Ticket]:
        """Return the tickets with this phone number, opened from this very conversation, newest first.

        A phone number is no secret, so that it never opens what somebody sent in elsewhere.
        """
        return await self._of_conversation(conversation_id, phone, limit)

    async def of_conversation(self, conversation_id: str, *, limit: int = 5) -> list[Ticket]:
        """Return the tickets opened from a conversation, newest first."""
        return await self._of_conversation(conversation_id, None, limit)

    async def latest(self, *, limit: int = 100) -> list[Ticket]:
        """Return the newest tickets, newest first."""
        async with self._database.read() as session:
            rows = await repository.latest(session, limit)
        return [Ticket.model_validate(row) for row in rows]

    async def timeline(self, ticket: Ticket) -> list[TicketEvent]:
        """Return all events of a ticket in order."""
        async with self._database.read() as session:
            return [TicketEvent.model_validate(row) for row in await repository.events(session, ticket.id)]

    async def _of_conversation(self, conversation_id: str, phone: str | None, limit: int) -> list[Ticket]:
        async with self._database.read() as session:
            rows = await repository.find_of_conversation(
                session, conversation_id=conversation_id, phone=phone, limit=limit
            )
        return [Ticket.model_validate(row) for row in rows]
