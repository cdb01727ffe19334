"""Personal data of the desk: why somebody did something, notes, telephone numbers, who is the same person.

An erased conversation counts as nobody's any more: through the person it belonged to, its other conversations
would tell whose it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import (
    ContactRow,
    ConversationEventRow,
    EventTextRow,
    NoteRow,
    PersonMemberRow,
    PersonMergeRow,
    PersonRow,
)
from conversations.models import ConversationRow
from database.engine import Database
from database.personal_data import Exported, Person
from vntext.catalogue import say

_REASONS: tuple[tuple[Any, Any], ...] = (
    (PersonMergeRow.at, PersonMergeRow.reason),
    (PersonMergeRow.undone_at, PersonMergeRow.undone_reason),
)


class DeskHolder:
    """What operators keep about whom they talk with.

    Args:
        database: where it is kept.
    """

    name = "desk"
    erased: Mapping[str, frozenset[str]] = {
        "conversations": frozenset({"person_id"}),
        "conversation_contacts": frozenset({"id", "conversation_id", "phone", "name", "source"}),
        "conversation_event_texts": frozenset({"text"}),
        "conversation_notes": frozenset({"text"}),
        "people": frozenset({"name"}),
        "person_members": frozenset({"id", "person_id", "conversation_id", "merge_id", "former_id"}),
        "person_merges": frozenset({"reason", "undone_reason"}),
        # A message's words go with its text, a ticket's with its sender's name: the tables' triggers do it.
        "search_documents": frozenset({"kind", "ref", "conversation_id", "words"}),
        "search_words": frozenset({"words"}),
    }
    kept: Mapping[str, frozenset[str]] = {
        # Kinds, times and users' ids; the words are beside the history.
        "conversation_events": frozenset({"conversation_id", "kind", "actor", "data"}),
        "conversation_notes": frozenset(
            {"id", "conversation_id", "author_id", "mentions", "idempotency_key"}
        ),
        "people": frozenset({"id"}),
        "person_merges": frozenset({"id", "person_id", "by", "undone_by"}),
    }

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, person: Person) -> Exported:
        """Return history, notes, numbers and decisions of each conversation."""
        async with self._database.read() as session:
            return Exported([await _all_of(session, key.id) for key in person.conversations])

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Replace what was written, delete numbers; an old conversation also leaves its person."""
        left = limit
        for key in person.conversations:
            for step in (_erase_texts, _erase_notes, _erase_contacts, _erase_reasons):
                async with self._database.write() as session:
                    left -= await step(session, key.id, before, left)
                if left <= 0:
                    return limit
            async with self._database.write() as session:
                left -= await _leave_person(session, key.id, before)
            if left <= 0:
                return limit
        return limit - left


async def _all_of(session: AsyncSession, conversation_id: str) -> dict[str, Any]:
    history = await session.execute(
        select(ConversationEventRow.at, ConversationEventRow.kind, EventTextRow.text)
        .outerjoin(EventTextRow, EventTextRow.event_id == ConversationEventRow.id)
        .where(ConversationEventRow.conversation_id == conversation_id)
        .order_by(ConversationEventRow.id)
    )
    notes = await session.execute(
        select(NoteRow.at, NoteRow.text)
        .where(NoteRow.conversation_id == conversation_id)
        .order_by(NoteRow.at)
    )
    contacts = await session.execute(
        select(ContactRow.phone, ContactRow.name, ContactRow.source, ContactRow.seen_at)
        .where(ContactRow.conversation_id == conversation_id)
        .order_by(ContactRow.seen_at)
    )
    people = await session.execute(
        select(
            PersonRow.name,
            PersonMergeRow.at,
            PersonMergeRow.reason,
            PersonMergeRow.undone_at,
            PersonMergeRow.undone_reason,
        )
        .join(PersonMemberRow, PersonMemberRow.person_id == PersonRow.id)
        .join(PersonMergeRow, PersonMergeRow.id == PersonMemberRow.merge_id)
        .where(PersonMemberRow.conversation_id == conversation_id)
        .order_by(PersonMergeRow.at)
    )
    return {
        "conversation": conversation_id,
        "history": [dict(row) for row in history.mappings()],
        "notes": [dict(row) for row in notes.mappings()],
        "contacts": [dict(row) for row in contacts.mappings()],
        "counted_as_a_person": [dict(row) for row in people.mappings()],
    }


async def _erase_texts(
    session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
) -> int:
    wanted: list[ColumnElement[bool]] = [ConversationEventRow.conversation_id == conversation_id]
    if before is not None:
        wanted.append(ConversationEventRow.at < before)
    query = (
        select(EventTextRow.event_id)
        .join(ConversationEventRow, ConversationEventRow.id == EventTextRow.event_id)
        .where(*wanted)
        .limit(limit)
    )
    ids = list(await session.scalars(query))
    await session.execute(delete(EventTextRow).where(EventTextRow.event_id.in_(ids)))
    return len(ids)


async def _erase_notes(
    session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
) -> int:
    marker = say("privacy.erased")
    wanted: list[ColumnElement[bool]] = [NoteRow.conversation_id == conversation_id, NoteRow.text != marker]
    if before is not None:
        wanted.append(NoteRow.at < before)
    ids = list(await session.scalars(select(NoteRow.id).where(*wanted).limit(limit)))
    await session.execute(update(NoteRow).where(NoteRow.id.in_(ids)).values(text=marker))
    return len(ids)


async def _erase_contacts(
    session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
) -> int:
    wanted: list[ColumnElement[bool]] = [ContactRow.conversation_id == conversation_id]
    if before is not None:
        wanted.append(ContactRow.seen_at < before)
    ids = list(await session.scalars(select(ContactRow.id).where(*wanted).limit(limit)))
    await session.execute(delete(ContactRow).where(ContactRow.id.in_(ids)))
    return len(ids)


async def _erase_reasons(
    session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
) -> int:
    merges = select(PersonMemberRow.merge_id).where(PersonMemberRow.conversation_id == conversation_id)
    count = 0
    for at, column in _REASONS:
        wanted = [PersonMergeRow.id.in_(merges), column != say("privacy.erased")]
        if before is not None:
            wanted.append(at < before)
        ids = list(await session.scalars(select(PersonMergeRow.id).where(*wanted).limit(limit)))
        await _blank_reasons(session, ids, at, column)
        count += len(ids)
    return count


async def _leave_person(session: AsyncSession, conversation_id: str, before: datetime | None) -> int:
    """Let a conversation of which nothing stays count as nobody's, with all that was decided about it."""
    wanted: list[ColumnElement[bool]] = [ConversationRow.id == conversation_id]
    if before is not None:
        wanted.append(ConversationRow.last_activity_at < before)
    if await session.scalar(select(ConversationRow.id).where(*wanted).with_for_update()) is None:
        return 0
    members = (
        await session.execute(
            select(PersonMemberRow.person_id, PersonMemberRow.merge_id).where(
                PersonMemberRow.conversation_id == conversation_id
            )
        )
    ).all()
    if not members:
        return 0
    people, merges = ({row[number] for row in members} for number in (0, 1))
    for at, column in _REASONS:
        await _blank_reasons(session, sorted(merges), at, column)
    # The name may have been this conversation's; whoever else is the person's keeps what was given there.
    await session.execute(update(PersonRow).where(PersonRow.id.in_(people)).values(name=""))
    await session.execute(delete(PersonMemberRow).where(PersonMemberRow.conversation_id == conversation_id))
    await session.execute(
        update(ConversationRow).where(ConversationRow.id == conversation_id).values(person_id=None)
    )
    return len(members)


async def _blank_reasons(session: AsyncSession, merge_ids: Sequence[str], at: Any, column: Any) -> None:
    """Replace reasons of decisions, also where they stand in the histories of all who were part of them."""
    statement = update(PersonMergeRow).where(PersonMergeRow.id.in_(merge_ids), column.is_not(None))
    await session.execute(statement.values({column: say("privacy.erased")}))
    concerned = select(PersonMemberRow.conversation_id).where(PersonMemberRow.merge_id.in_(merge_ids))
    steps = select(ConversationEventRow.id).where(
        ConversationEventRow.conversation_id.in_(concerned),
        ConversationEventRow.kind.in_(("merged", "unmerged")),
        ConversationEventRow.at.in_(select(at).where(PersonMergeRow.id.in_(merge_ids))),
    )
    await session.execute(delete(EventTextRow).where(EventTextRow.event_id.in_(steps)))
