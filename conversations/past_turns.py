"""Reads what was said and what became of it, in the order it was handled: for learning and counting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Select, Table, and_, or_, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from conversations import fragments
from conversations.models import MessageRow
from conversations.repository import Row

_MESSAGES = cast(Table, MessageRow.__table__)
M = _MESSAGES.c
# The partial index's condition, word for word.
_IS_HANDLED = (text("direction = 'in'"), text("handled_at IS NOT NULL"))


@dataclass(frozen=True, slots=True)
class PastTurn:
    """A citizen's message and what became of it; `turn` is its record, empty where there is none."""

    message_id: str
    conversation_id: str
    session: int
    sequence: int
    kind: str
    text: str
    turn: dict[str, Any]
    handled_at: datetime


@dataclass(frozen=True, slots=True)
class Place:
    """Where a reader has come to: what was handled before, or just then with a smaller id, is read."""

    handled_at: datetime
    message_id: str = ""


async def handled_after(
    session: AsyncSession, place: Place, *, until: datetime, limit: int
) -> list[PastTurn]:
    """Return the messages handled after `place` and not later than `until`, in that order."""
    behind = or_(
        M.handled_at > place.handled_at,
        and_(M.handled_at == place.handled_at, M.id > place.message_id),
    )
    query = (
        select(_MESSAGES)
        .where(*_IS_HANDLED, behind, M.handled_at <= until)
        .order_by(M.handled_at, M.id)
        .limit(limit)
    )
    return await _turns(session, query)


async def find_turn(session: AsyncSession, message_id: str) -> PastTurn | None:
    """Return a citizen's handled message by its id."""
    found = await _turns(session, select(_MESSAGES).where(*_IS_HANDLED, M.id == message_id))
    return found[0] if found else None


async def neighbour(session: AsyncSession, turn: PastTurn, *, after: bool) -> PastTurn | None:
    """Return the citizen's message that was read before or after `turn` in the same session."""
    query = select(_MESSAGES).where(
        *_IS_HANDLED, M.conversation_id == turn.conversation_id, M.session == turn.session
    )
    if after:
        query = query.where(M.sequence > turn.sequence).order_by(M.sequence)
    else:
        query = query.where(M.sequence < turn.sequence).order_by(M.sequence.desc())
    found = await _turns(session, query.limit(_MOST_PIECES))
    return next((other for other in found if "read_with" not in other.turn), None)


async def whole_text(session: AsyncSession, turn: PastTurn) -> str:
    """Return what was read as one message with `turn`: its text and the pieces that followed."""
    query = (
        select(_MESSAGES)
        .where(M.conversation_id == turn.conversation_id, M.sequence >= turn.sequence)
        .where(M.read_with == turn.message_id)
        .order_by(M.provider_timestamp, M.sequence)
    )
    rows: list[Row] = list((await session.execute(query)).mappings())
    return fragments.joined_text(rows) if rows else turn.text


_MOST_PIECES = 12


async def _turns(session: AsyncSession, query: Select[Any]) -> list[PastTurn]:
    return [
        PastTurn(
            message_id=row["id"],
            conversation_id=row["conversation_id"],
            session=row["session"],
            sequence=row["sequence"],
            kind=row["kind"],
            text=row["text"],
            turn=row["turn"] or {},
            handled_at=row["handled_at"],
        )
        for row in (await session.execute(query)).mappings()
    ]
