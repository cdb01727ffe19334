"""SQL of who has a conversation: claims, the queue, its history, notes."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, Table, and_, case, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import ConversationEventRow, EventTextRow, NoteRow
from conversations.desk.schemas import DeskEvent, EventKind, Note
from conversations.repository import CONVERSATIONS, C, Row, conversation_view
from conversations.schemas import ConversationView

EVENTS = cast(Table, ConversationEventRow.__table__)
E = EVENTS.c
EVENT_TEXTS = cast(Table, EventTextRow.__table__)
X = EVENT_TEXTS.c
NOTES = cast(Table, NoteRow.__table__)
N = NOTES.c

WITH_BOT: dict[str, Any] = {
    "owner": "bot",
    "assigned_to": None,
    "waiting_since": None,
    "silent_since": None,
    "queue_told_at": None,
    "urgent": False,
    "handoff_reason": None,
    "handoff": None,
    "unread": 0,
}
"""What a conversation's row says when the bot has it and nobody waits."""

FAIREST = (C.urgent.desc(), C.waiting_since, C.id)
"""The order of the queue: urgent ones first, then the longest wait."""


# --- who has it ---------------------------------------------------------------------------------------------


async def claim(
    session: AsyncSession, conversation_id: str, operator_id: str, *, now: datetime, silent_before: datetime
) -> bool:
    """Give the conversation to an operator unless a person holds it: one UPDATE decides who was first.

    A holder who has kept the citizen waiting since before `silent_before` does not keep others off, nor does
    somebody without a name: a person who answered in the provider's own tool.
    """
    is_free = or_(
        C.owner != "person",
        C.assigned_to.is_(None),
        and_(C.silent_since < silent_before, C.assigned_to != operator_id),
    )
    statement = (
        update(CONVERSATIONS)
        .where(C.id == conversation_id, is_free)
        .values(
            owner="person",
            assigned_to=operator_id,
            last_held_by=operator_id,
            silent_since=case((C.waiting_since.is_not(None), now), else_=None),
            closed_at=None,
            unread=0,
        )
    )
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def next_in_queue(session: AsyncSession) -> Row | None:
    """Return the conversation whose turn it is, locked; one that somebody takes just now is passed over."""
    query = (
        select(CONVERSATIONS)
        .where(C.owner == "queue")
        .order_by(*FAIREST)
        .limit(1)
        .with_for_update(skip_locked=True)
    )
    return (await session.execute(query)).mappings().first()


async def silent(session: AsyncSession, before: datetime, limit: int) -> list[str]:
    """Return conversations whose holder has kept the citizen waiting since before a moment."""
    query = (
        select(C.id)
        .where(C.silent_since.is_not(None), C.silent_since < before)
        .order_by(C.silent_since)
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def waiting_untold(session: AsyncSession, since: datetime, limit: int) -> list[str]:
    """Return conversations that wait since before `since` and have not been told where they stand."""
    query = (
        select(C.id)
        .where(C.owner == "queue", C.waiting_since < since, C.queue_told_at.is_(None))
        .order_by(C.waiting_since)
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def views(session: AsyncSession, ids: Sequence[str]) -> list[ConversationView]:
    """Return conversations by id, newest activity first."""
    if not ids:
        return []
    query = select(CONVERSATIONS).where(C.id.in_(ids)).order_by(C.last_activity_at.desc(), C.id)
    return [conversation_view(row) for row in (await session.execute(query)).mappings()]


# --- history ------------------------------------------------------------------------------------------------


async def add_event(
    session: AsyncSession,
    conversation: Row,
    kind: EventKind,
    *,
    actor: str,
    at: datetime,
    reason: str = "",
    **data: Any,
) -> None:
    """Append to a conversation's history. `conversation` is its row before the change."""
    statement = insert(EVENTS).values(
        conversation_id=conversation["id"],
        after_sequence=conversation["next_sequence"] - 1,
        at=at,
        kind=kind,
        actor=actor,
        data=data,
    )
    event_id = (await session.execute(statement.returning(E.id))).scalar_one()
    if reason:
        await session.execute(insert(EVENT_TEXTS).values(event_id=event_id, text=reason))


async def events(session: AsyncSession, conversation_id: str, *, after: int, limit: int) -> list[DeskEvent]:
    """Return a conversation's newest events that stand after a message, oldest first."""
    query = (
        select(EVENTS, func.coalesce(X.text, "").label("reason"))
        .outerjoin(EVENT_TEXTS, X.event_id == E.id)
        .where(E.conversation_id == conversation_id, E.after_sequence >= after)
        .order_by(E.id.desc())
        .limit(limit)
    )
    rows = list((await session.execute(query)).mappings())
    return [DeskEvent(**row) for row in reversed(rows)]


async def waits(session: AsyncSession, since: datetime, limit: int) -> list[float]:
    """Return how long people waited who were taken out of the queue since a moment, in seconds."""
    query = select(E.data).where(E.kind == "claimed", E.at >= since).order_by(E.at.desc()).limit(limit)
    found = (await session.execute(query)).scalars()
    return [float(data["waited"]) for data in found if data.get("waited") is not None]


async def waiting(session: AsyncSession, limit: int) -> list[datetime]:
    """Return since when those wait who are in the queue, the longest wait first."""
    query = select(C.waiting_since).where(C.owner == "queue").order_by(C.waiting_since).limit(limit)
    return [since for since in (await session.execute(query)).scalars() if since is not None]


# --- notes --------------------------------------------------------------------------------------------------


async def add_note(session: AsyncSession, values: dict[str, Any]) -> None:
    """Add a note; nothing happens when its key is known in the conversation."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    await session.execute(dialect.insert(NOTES).on_conflict_do_nothing().values(**values))


async def find_note(session: AsyncSession, conversation_id: str, key: str) -> Note:
    """Return the note written under a key."""
    query = select(NOTES).where(N.conversation_id == conversation_id, N.idempotency_key == key)
    return _note((await session.execute(query)).mappings().one())


async def notes(session: AsyncSession, conversation_id: str, *, after: int, limit: int) -> list[Note]:
    """Return a conversation's newest notes that stand after a message, oldest first."""
    query = (
        select(NOTES)
        .where(N.conversation_id == conversation_id, N.after_sequence >= after)
        .order_by(N.at.desc(), N.id)
        .limit(limit)
    )
    return [_note(row) for row in reversed(list((await session.execute(query)).mappings()))]


def _note(row: Row) -> Note:
    return Note(
        id=row["id"],
        conversation_id=row["conversation_id"],
        after_sequence=row["after_sequence"],
        author_id=row["author_id"],
        text=row["text"],
        mentions=tuple(row["mentions"]),
        at=row["at"],
    )
