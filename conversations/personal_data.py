"""Personal data of conversations: what was said, the files that were sent, who is behind a channel's id.

Erased messages keep their place, time, author and what became of them, for the figures; their words do not
stay. A conversation of which nothing is left also loses the channel's id of its person: should they write
again, they are new.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import ContactRow
from conversations.media.models import StoredFileRow
from conversations.media.service import Media
from conversations.models import IS_OPEN, ConversationRow, MessageRow
from database.clock import Clock
from database.engine import Database
from database.personal_data import ConversationKey, ErasureRow, Exported, Found, Person
from tickets.personal_data import TicketHolder
from vntext.catalogue import say

_MOST_FOUND = 200
_KEPT_OF_TURN = ("route", "intent", "confidence", "aspect", "aspects", "procedures", "article", "read_with")


class FileHolder:
    """The files people sent.

    Args:
        database: where their rows are.
        media: where their bytes are.
        tickets: whose attachments stay while the ticket does.
    """

    name = "files"
    erased: Mapping[str, frozenset[str]] = {
        "stored_files": frozenset(
            {
                "id", "channel", "external_user_id", "client_id", "kind", "content_type", "name", "size",
                "digest", "width", "height",
            }
        )
    }  # fmt: skip
    kept: Mapping[str, frozenset[str]] = {}

    def __init__(self, database: Database, media: Media, tickets: TicketHolder) -> None:
        self._database = database
        self._media = media
        self._tickets = tickets

    async def export(self, person: Person) -> Exported:
        """Return what is known of the files, and the files themselves."""
        async with self._database.read() as session:
            rows = list(await session.scalars(_files_of(person, None, frozenset())))
        described, files = [], {}
        for row in rows:
            stored = await self._media.find(row.id)
            if stored is None:
                continue
            name = f"tep/{row.id[:8]}-{row.name}"
            files[name] = self._media.path(stored)
            described.append(
                {"file": name, "type": row.content_type, "bytes": row.size, "sent_at": row.created_at}
            )
        return Exported(described, files)

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Delete files, the bytes first: what a crash leaves is found again by its row."""
        conversations = [key.id for key in person.conversations]
        chosen = [ticket.id for ticket in person.tickets]
        needed = await self._tickets.attachments_of(conversations, but=chosen) if conversations else set()
        async with self._database.read() as session:
            query = _files_of(person, before, frozenset(needed)).limit(limit)
            rows = list(await session.scalars(query))
        for row in rows:
            stored = await self._media.find(row.id)
            if stored is not None:
                for small in (False, True):
                    path = self._media.path(stored, small=small)
                    await asyncio.to_thread(path.unlink, missing_ok=True)
        async with self._database.write() as session:
            await session.execute(delete(StoredFileRow).where(StoredFileRow.id.in_([row.id for row in rows])))
        return len(rows)


class ConversationHolder:
    """What was said.

    Args:
        database: where it is kept.
        clock: the time of erasing.
        tickets: while one is open, its conversation stays.
    """

    name = "conversations"
    erased: Mapping[str, frozenset[str]] = {
        "conversations": frozenset({"external_user_id", "last_message", "handoff_reason", "handoff"}),
        "messages": frozenset({"text", "payload", "turn", "provider_message_id", "error"}),
    }
    kept: Mapping[str, frozenset[str]] = {
        "conversations": frozenset(
            {
                "id", "channel", "owner", "assigned_to", "last_held_by", "last_author", "work_claim",
                "send_claim",
            }
        ),
        "messages": frozenset(
            {
                "id", "conversation_id", "direction", "author", "author_id", "channel", "idempotency_key",
                "kind", "state", "read_with",
            }
        ),
    }  # fmt: skip

    def __init__(self, database: Database, clock: Clock, tickets: TicketHolder) -> None:
        self._database = database
        self._clock = clock
        self._tickets = tickets

    async def find(
        self, *, ids: Collection[str] = (), users: Collection[str] = (), phone: str | None = None
    ) -> list[tuple[Found, ConversationKey]]:
        """Return conversations by id, by the channel's id of who speaks, or by a number they gave."""
        if not ids and not users and phone is None:
            return []
        wanted = or_(ConversationRow.id.in_(ids), ConversationRow.external_user_id.in_(users))
        if phone is not None:
            given = select(ContactRow.conversation_id).where(ContactRow.phone == phone)
            wanted = or_(wanted, ConversationRow.id.in_(given))
        query = (
            select(ConversationRow)
            .where(wanted)
            .order_by(ConversationRow.last_activity_at.desc())
            .limit(_MOST_FOUND)
        )
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
            counts = await _counts(session, [row.id for row in rows])
            busy = await _busy(session, [row.id for row in rows])
            files = await _file_counts(session, rows)
        waiting = await self._tickets.open_of([row.id for row in rows])
        return [
            (
                Found(
                    "conversation",
                    row.id,
                    row.id[:6],
                    row.created_at,
                    {
                        "channel": row.channel,
                        "messages": counts.get(row.id, 0),
                        "files": files.get((row.channel, row.external_user_id), 0),
                    },
                    _kept(row, row.id in busy, row.id in waiting),
                ),
                ConversationKey(row.id, row.channel, row.external_user_id),
            )
            for row in rows
        ]

    async def due(self, cutoff: datetime, after: str, limit: int) -> list[ConversationKey]:
        """Return conversations in which something from before `cutoff` may be left, in the order of ids."""
        marks = and_(ErasureRow.kind == "conversation", ErasureRow.record_id == ConversationRow.id)
        query = (
            select(ConversationRow)
            .outerjoin(ErasureRow, marks)
            .where(
                ConversationRow.id > after,
                ConversationRow.created_at < cutoff,
                func.coalesce(ErasureRow.kept_from, ConversationRow.created_at) < cutoff,
            )
            .order_by(ConversationRow.id)
            .limit(limit)
        )
        async with self._database.read() as session:
            rows = list(await session.scalars(query))
        keys = [ConversationKey(row.id, row.channel, row.external_user_id) for row in rows]
        return keys

    async def refused(self, ids: Collection[str]) -> set[str]:
        """Return those conversations that may not be erased now."""
        return {found.id for found, _ in await self.find(ids=ids) if found.kept not in (None, "erased")}

    async def mark_erased(self, conversation_id: str, cutoff: datetime) -> None:
        """Note that nothing from before `cutoff` is left, so that it is not looked at again every day."""
        async with self._database.write() as session:
            oldest = await session.scalar(
                select(func.min(MessageRow.created_at)).where(
                    MessageRow.conversation_id == conversation_id, MessageRow.created_at >= cutoff
                )
            )
            # With nothing left, whatever comes is from now on.
            kept_from = oldest or self._clock.now()
            insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
            row = {"kind": "conversation", "record_id": conversation_id, "kept_from": kept_from}
            await session.execute(
                insert(ErasureRow)
                .values(**row)
                .on_conflict_do_update(index_elements=["kind", "record_id"], set_={"kept_from": kept_from})
            )

    async def export(self, person: Person) -> Exported:
        """Return the conversations with all messages."""
        rows: list[dict[str, Any]] = []
        for key in person.conversations:
            async with self._database.read() as session:
                messages = await session.scalars(
                    select(MessageRow)
                    .where(MessageRow.conversation_id == key.id)
                    .order_by(MessageRow.sequence)
                )
                said = [
                    {
                        "at": message.created_at,
                        "author": message.author,
                        "kind": message.kind,
                        "text": message.text,
                        "more": message.payload,
                        "understood": message.turn,
                    }
                    for message in messages
                ]
            rows.append(
                {
                    "id": key.id,
                    "channel": key.channel,
                    "user_on_channel": key.external_user_id,
                    "messages": said,
                }
            )
        return Exported(rows)

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Replace words, files' names and places of messages; of an old conversation also who it was."""
        left = limit
        for key in person.conversations:
            async with self._database.write() as session:
                left -= await self._erase_messages(session, key.id, before, left)
                if left <= 0:
                    return limit
                left -= await self._erase_conversation(session, key.id, before)
        return limit - left

    async def _erase_messages(
        self, session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
    ) -> int:
        marker = say("privacy.erased")
        wanted: list[ColumnElement[bool]] = [
            MessageRow.conversation_id == conversation_id,
            MessageRow.text != marker,
            ~IS_OPEN,
        ]
        if before is not None:
            wanted.append(MessageRow.created_at < before)
        query = (
            select(MessageRow.id, MessageRow.turn).where(*wanted).order_by(MessageRow.sequence).limit(limit)
        )
        rows = (await session.execute(query)).all()
        for message_id, turn in rows:
            values = {
                "text": marker,
                "payload": {},
                "turn": _figures_of(turn),
                "provider_message_id": None,
                "error": None,
            }
            await session.execute(update(MessageRow).where(MessageRow.id == message_id).values(**values))
        return len(rows)

    async def _erase_conversation(
        self, session: AsyncSession, conversation_id: str, before: datetime | None
    ) -> int:
        gone = f"erased-{conversation_id}"
        wanted: list[ColumnElement[bool]] = [
            ConversationRow.id == conversation_id,
            ConversationRow.external_user_id != gone,
        ]
        if before is not None:
            wanted.append(ConversationRow.last_activity_at < before)
        values = {
            "external_user_id": gone,
            "last_message": say("privacy.erased"),
            "handoff_reason": None,
            "handoff": None,
        }
        statement = update(ConversationRow).where(*wanted).values(**values).returning(ConversationRow.id)
        return len((await session.execute(statement)).all())


def _figures_of(turn: dict[str, Any] | None) -> dict[str, Any] | None:
    return None if turn is None else {name: turn[name] for name in _KEPT_OF_TURN if name in turn}


def _kept(row: ConversationRow, is_busy: bool, has_open_ticket: bool) -> str | None:
    if row.external_user_id == f"erased-{row.id}":
        return "erased"
    if has_open_ticket:
        return "with_open_ticket"
    if row.owner != "bot" and row.closed_at is None:
        return "held"
    return "under_way" if is_busy else None


def _files_of(person: Person, before: datetime | None, but: frozenset[str]) -> Any:
    wanted: list[ColumnElement[bool]] = [
        and_(
            StoredFileRow.channel == key.channel,
            StoredFileRow.external_user_id == key.external_user_id,
            StoredFileRow.id.not_in(but),
        )
        for key in person.conversations
    ]
    attachments = [file_id for ticket in person.tickets for file_id in ticket.attachments]
    of_tickets = StoredFileRow.id.in_(attachments)
    query = select(StoredFileRow).where(or_(of_tickets, *wanted)).order_by(StoredFileRow.id)
    return query if before is None else query.where(StoredFileRow.created_at < before)


async def _counts(session: AsyncSession, ids: Sequence[str]) -> dict[str, int]:
    query = (
        select(MessageRow.conversation_id, func.count())
        .where(MessageRow.conversation_id.in_(ids))
        .group_by(MessageRow.conversation_id)
    )
    return {row[0]: row[1] for row in await session.execute(query)}


async def _file_counts(session: AsyncSession, rows: Sequence[ConversationRow]) -> dict[tuple[str, str], int]:
    users = [row.external_user_id for row in rows]
    query = (
        select(StoredFileRow.channel, StoredFileRow.external_user_id, func.count())
        .where(StoredFileRow.external_user_id.in_(users))
        .group_by(StoredFileRow.channel, StoredFileRow.external_user_id)
    )
    return {(row[0], row[1]): row[2] for row in await session.execute(query)}


async def _busy(session: AsyncSession, ids: Sequence[str]) -> set[str]:
    query = select(MessageRow.conversation_id).where(MessageRow.conversation_id.in_(ids), IS_OPEN)
    return set(await session.scalars(query))
