"""Personal data in what providers tell besides messages: events kept as they came, files yet to be fetched.

Events go by themselves after some days; a person who asks for it does not have to wait for that.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, cast, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.intake_models import ChannelEventRow
from conversations.media.fetch_models import FetchRow
from conversations.models import IS_OPEN, MessageRow
from database.engine import Database
from database.personal_data import ConversationKey, Exported, Person


class IntakeHolder:
    """What providers told about people.

    Args:
        database: where it is kept.
    """

    name = "channel_events"
    erased: Mapping[str, frozenset[str]] = {
        "channel_events": frozenset({"id", "channel", "name", "payload"}),
        "media_fetches": frozenset({"message_id"}),
    }
    kept: Mapping[str, frozenset[str]] = {"media_fetches": frozenset({"lease"})}

    def __init__(self, database: Database) -> None:
        self._database = database

    async def export(self, person: Person) -> Exported:
        """Return the events in which the person is named."""
        rows: list[dict[str, Any]] = []
        async with self._database.read() as session:
            for key in person.conversations:
                rows += [
                    {"channel": row.channel, "event": row.name, "at": row.at, "content": row.payload}
                    for row in await _events(session, key, None)
                ]
        return Exported(rows)

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Delete the person's events, and what is still to be fetched for messages that are erased."""
        left = limit
        for key in person.conversations:
            async with self._database.write() as session:
                ids = [row.id for row in await _events(session, key, before)][:left]
                await session.execute(delete(ChannelEventRow).where(ChannelEventRow.id.in_(ids)))
                left -= len(ids)
                if left <= 0:
                    return limit
                left -= await _erase_fetches(session, key.id, before, left)
            if left <= 0:
                return limit
        return limit - left


async def _events(
    session: AsyncSession, key: ConversationKey, before: datetime | None
) -> list[ChannelEventRow]:
    """Return a channel's events that name somebody: the database looks roughly, then each is read."""
    wanted: list[ColumnElement[bool]] = [
        ChannelEventRow.channel == key.channel,
        cast(ChannelEventRow.payload, Text).contains(key.external_user_id, autoescape=True),
    ]
    if before is not None:
        wanted.append(ChannelEventRow.received_at < before)
    query = select(ChannelEventRow).where(*wanted).order_by(ChannelEventRow.received_at)
    return [row for row in await session.scalars(query) if _names(row.payload, key.external_user_id)]


def _names(payload: dict[str, Any], user: str) -> bool:
    # Of what was too long the beginning is kept, as text.
    cut = payload.get("cut")
    is_in_cut = isinstance(cut, str) and re.search(rf"(?<!\w){re.escape(user)}(?!\w)", cut) is not None
    return is_in_cut or user in set(_leaves(payload))


def _leaves(content: Any) -> Iterator[str]:
    if isinstance(content, dict):
        content = list(content.values())
    if isinstance(content, list):
        for part in content:
            yield from _leaves(part)
    else:
        yield str(content)


async def _erase_fetches(
    session: AsyncSession, conversation_id: str, before: datetime | None, limit: int
) -> int:
    wanted: list[ColumnElement[bool]] = [MessageRow.conversation_id == conversation_id, ~IS_OPEN]
    if before is not None:
        wanted.append(MessageRow.created_at < before)
    query = (
        select(FetchRow.message_id, FetchRow.number)
        .join(MessageRow, MessageRow.id == FetchRow.message_id)
        .where(*wanted)
        .limit(limit)
    )
    rows = (await session.execute(query)).all()
    for message_id, number in rows:
        await session.execute(
            delete(FetchRow).where(FetchRow.message_id == message_id, FetchRow.number == number)
        )
    return len(rows)
