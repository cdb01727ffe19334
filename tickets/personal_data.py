"""Personal data of tickets: who sent them in, and what they wrote."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from database.clock import Clock
from database.engine import Database
from database.personal_data import ErasureRow, Exported, Found, Person, TicketKey
from tickets import repository
from tickets.models import TicketEventRow, TicketRow, TicketTextRow
from tickets.writing import keep_words
from vntext.catalogue import say
from vntext.masking import remove_identifiers

FINISHED = frozenset({"closed", "refused", "merged"})
"""States after which nothing more is done about a ticket; before, its contact data is needed."""

_MOST_FOUND = 200


class TicketHolder:
    """The personal data of tickets.

    Args:
        database: where tickets are kept.
        clock: the time of erasing.
    """

    name = "tickets"
    erased: Mapping[str, frozenset[str]] = {
        "tickets": frozenset(
            {
                "content", "place", "latitude", "longitude", "name", "phone", "address", "email",
                "conversation_id", "dossier_code", "attachments", "token",
            }
        ),
        "ticket_event_texts": frozenset({"text"}),
        "ticket_search": frozenset({"words", "words_fts"}),
        # SQLite's index of the words, which it keeps up by itself, as PostgreSQL does `words_fts`.
        "ticket_search_fts": frozenset({"words"}),
    }  # fmt: skip
    kept: Mapping[str, frozenset[str]] = {
        "tickets": frozenset(
            {
                "id", "code", "origin_key", "kind", "state", "place_unit", "place_code", "place_certainty",
                "channel", "field_group", "field", "agency", "assigned_to", "consent_by", "consent_how",
                "merged_into", "opened_by", "refusal", "resume",
            }
        ),
        # Kinds, states and times; what people wrote is beside the timeline.
        "ticket_events": frozenset({"id", "ticket_id", "sequence", "kind", "actor", "data", "key"}),
        "ticket_event_texts": frozenset({"event_id"}),
        "ticket_links": frozenset({"first", "second", "actor"}),
        "ticket_search": frozenset({"ticket_id"}),
    }  # fmt: skip

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(
        self,
        *,
        phone: str | None = None,
        code: str | None = None,
        conversations: Collection[str] = (),
        ids: Collection[str] = (),
    ) -> list[tuple[Found, TicketKey, str]]:
        """Return tickets by phone, by code, by conversation or by id, with the conversation of each."""
        wanted: list[ColumnElement[bool]] = []
        if phone is not None:
            wanted.append(TicketRow.phone == phone)
        if code is not None:
            wanted.append(TicketRow.code == code)
        if conversations:
            wanted.append(TicketRow.conversation_id.in_(conversations))
        if ids:
            wanted.append(TicketRow.id.in_(ids))
        if not wanted:
            return []
        query = select(TicketRow).where(or_(*wanted)).order_by(TicketRow.opened_at.desc()).limit(_MOST_FOUND)
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
            erased = await _erased(session, [row.id for row in rows])
        return [(_found(row, row.id in erased), _key(row), row.conversation_id) for row in rows]

    async def open_of(self, conversations: Collection[str]) -> set[str]:
        """Return those of the conversations to which a ticket that is not finished is answered."""
        query = select(TicketRow.conversation_id).where(
            TicketRow.conversation_id.in_(conversations), TicketRow.state.not_in(FINISHED)
        )
        async with self._database.read() as session:
            return set(await session.scalars(query))

    async def attachments_of(self, conversations: Collection[str], *, but: Collection[str]) -> set[str]:
        """Return the files that tickets from these conversations still have, but for some of the tickets."""
        query = select(TicketRow.attachments).where(
            TicketRow.conversation_id.in_(conversations), TicketRow.id.not_in(but)
        )
        async with self._database.read() as session:
            return {file_id for attachments in await session.scalars(query) for file_id in attachments}

    async def due(self, cutoff: datetime, after: str, limit: int) -> list[TicketKey]:
        """Return tickets finished before `cutoff` whose contact data is still there, in the order of ids."""
        is_erased = exists().where(ErasureRow.kind == "ticket", ErasureRow.record_id == TicketRow.id)
        query = (
            select(TicketRow)
            .where(
                TicketRow.id > after,
                TicketRow.state.in_(FINISHED),
                TicketRow.state_since < cutoff,
                ~is_erased,
            )
            .order_by(TicketRow.id)
            .limit(limit)
        )
        async with self._database.read() as session:
            return [_key(row) for row in await session.scalars(query)]

    async def export(self, person: Person) -> Exported:
        """Return the tickets with their timelines."""
        ids = [ticket.id for ticket in person.tickets]
        async with self._database.read() as session:
            tickets = list(
                await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids)).order_by(TicketRow.code))
            )
            timelines = {row.id: await repository.events(session, row.id) for row in tickets}
        shown = sorted((self.erased["tickets"] | self.kept["tickets"]) - {"id", "origin_key", "token"})
        times = ("consented_at", "opened_at", "state_since")
        return Exported(
            [
                {
                    **{name: getattr(row, name) for name in (*shown, *times)},
                    "timeline": [
                        {"at": event.at, "kind": event.kind, "data": event.data, "text": event.text}
                        for event in timelines[row.id]
                    ],
                }
                for row in tickets
            ]
        )

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Replace contact data and texts of finished tickets; code, field, place's unit and states stay."""
        ids = [ticket.id for ticket in person.tickets]
        if not ids:
            return 0
        now = self._clock.now()
        marker = say("privacy.erased")
        is_erased = exists().where(ErasureRow.kind == "ticket", ErasureRow.record_id == TicketRow.id)
        wanted = and_(TicketRow.id.in_(ids), TicketRow.state.in_(FINISHED), ~is_erased)
        async with self._database.write() as session:
            rows = list(await session.scalars(select(TicketRow).where(wanted).with_for_update().limit(limit)))
            for row in rows:
                for name, value in _blank(row, marker).items():
                    setattr(row, name, value)
                await session.flush()
                steps = select(TicketEventRow.id).where(TicketEventRow.ticket_id == row.id)
                await session.execute(
                    update(TicketTextRow).where(TicketTextRow.event_id.in_(steps)).values(text=marker)
                )
                # Else whoever knows the name would still find it.
                await keep_words(session, row)
                session.add(ErasureRow(kind="ticket", record_id=row.id, kept_from=now))
        return len(rows)


def _blank(row: TicketRow, marker: str) -> dict[str, Any]:
    content = remove_identifiers(row.content)
    for words in filter(None, (row.name, row.address, row.place)):
        content = re.sub(rf"(?<!\w){re.escape(words)}(?!\w)", marker, content, flags=re.IGNORECASE)
    return {
        "content": content,
        "place": None,
        "latitude": None,
        "longitude": None,
        "name": marker,
        "phone": "",
        "address": marker,
        "email": None,
        "conversation_id": "",
        "dossier_code": None,
        "attachments": [],
        "token": None,
    }


def _found(row: TicketRow, is_erased: bool) -> Found:
    kept = "erased" if is_erased else None if row.state in FINISHED else "open_ticket"
    facts = {"name": row.name, "phone": row.phone, "address": row.address, "state": row.state}
    return Found("ticket", row.id, row.code, row.opened_at, facts, kept)


def _key(row: TicketRow) -> TicketKey:
    return TicketKey(row.id, row.code, tuple(str(file_id) for file_id in row.attachments))


async def _erased(session: AsyncSession, ids: list[str]) -> set[str]:
    query = select(ErasureRow.record_id).where(ErasureRow.kind == "ticket", ErasureRow.record_id.in_(ids))
    return set(await session.scalars(query))
