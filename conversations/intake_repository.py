"""All SQL of what providers tell besides messages."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, Table, bindparam, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.intake_models import ChannelEventRow, EarlySignRow
from conversations.models import IS_OPEN
from conversations.repository import MESSAGES, C, M, Row
from database.base import UtcDateTime

_SIGNS = cast(Table, EarlySignRow.__table__)
_EVENTS = cast(Table, ChannelEventRow.__table__)
_CLOCKS_APART = timedelta(seconds=10)

# There are two or three events to every message; building a statement costs more than running it.
_CONVERSATION_OF = select(C.id).where(
    C.channel == bindparam("channel"), C.external_user_id == bindparam("user")
)
_BY_PROVIDER_ID = select(MESSAGES).where(
    M.channel == bindparam("channel"), M.provider_message_id.in_(bindparam("ids", expanding=True))
)
_UNREAD_UNTIL = {
    column: select(M.id).where(
        M.conversation_id == bindparam("conversation"),
        M.direction == "out",
        M.state == "sent",
        M.created_at <= bindparam("watermark", type_=UtcDateTime()),
        M.handled_at <= bindparam("accepted", type_=UtcDateTime()),
        M[column].is_(None),
    )
    for column in ("delivered_at", "read_at")
}


async def add_or_ignore(session: AsyncSession, table: Table, values: dict[str, Any]) -> bool:
    """Insert a row unless it is there; return whether it was new."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    result = await session.execute(dialect.insert(table).values(**values).on_conflict_do_nothing())
    assert isinstance(result, CursorResult)
    return result.rowcount == 1


async def add_sign(
    session: AsyncSession, channel: str, provider_id: str, kind: str, at: datetime, now: datetime
) -> None:
    """Keep a sign about a message that is not here yet."""
    values = {"channel": channel, "provider_message_id": provider_id, "kind": kind, "at": at}
    await add_or_ignore(session, _SIGNS, {**values, "received_at": now})


async def add_event(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Keep an event; return whether it was new."""
    return await add_or_ignore(session, _EVENTS, values)


async def conversation_of(session: AsyncSession, channel: str, external_user_id: str) -> str | None:
    """Return the id of a person's conversation."""
    which = {"channel": channel, "user": external_user_id}
    found: str | None = (await session.execute(_CONVERSATION_OF, which)).scalar()
    return found


async def ours_by_provider_id(session: AsyncSession, channel: str, provider_ids: Sequence[str]) -> list[Row]:
    """Return the messages the provider knows by these ids."""
    which = {"channel": channel, "ids": list(provider_ids)}
    return list((await session.execute(_BY_PROVIDER_ID, which)).mappings())


async def unread_until(
    session: AsyncSession, conversation_id: str, watermark: datetime, column: str
) -> list[str]:
    """Return the messages a receipt with a watermark speaks of, which have not had it yet.

    What was written before the watermark and accepted around it at the latest: the provider's clock and ours
    may differ by some seconds.
    """
    which = {
        "conversation": conversation_id,
        "watermark": watermark,
        "accepted": watermark + _CLOCKS_APART,
    }
    return list((await session.execute(_UNREAD_UNTIL[column], which)).scalars())


async def unsent(session: AsyncSession, conversation_id: str) -> list[Row]:
    """Return what is still to be sent in a conversation, in order."""
    query = (
        select(MESSAGES)
        .where(M.conversation_id == conversation_id, IS_OPEN, M.state == "pending")
        .order_by(M.sequence)
    )
    return list((await session.execute(query)).mappings())


async def counts(session: AsyncSession, channel: str, since: datetime) -> list[tuple[str, bool, int]]:
    """Return how often each event came since then: name, whether it is documented, count."""
    query = (
        select(_EVENTS.c.name, _EVENTS.c.known, func.count())
        .where(_EVENTS.c.channel == channel, _EVENTS.c.received_at >= since)
        .group_by(_EVENTS.c.name, _EVENTS.c.known)
        .order_by(func.count().desc(), _EVENTS.c.name)
    )
    return [(row[0], row[1], row[2]) for row in await session.execute(query)]


async def forget(session: AsyncSession, before: datetime) -> int:
    """Delete events and signs that came before then; return how many."""
    deleted = 0
    for table in (_EVENTS, _SIGNS):
        result = await session.execute(delete(table).where(table.c.received_at < before))
        assert isinstance(result, CursorResult)
        deleted += result.rowcount
    return deleted
