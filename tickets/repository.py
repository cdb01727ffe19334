"""All SQL of the tickets domain but lists and search (`tickets.listing`)."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased

from tickets.models import (
    TicketCounter,
    TicketEventRow,
    TicketLinkRow,
    TicketRow,
    TicketSearchRow,
    TicketTextRow,
)
from tickets.points import degrees_around
from tickets.schemas import Point, TicketEvent, TicketState

_CANDIDATES = 150


async def lock_counter(session: AsyncSession, *, year: int) -> TicketCounter:
    """Return the year's counter, locked until the unit of work ends; it is made when it is missing."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    await session.execute(insert(TicketCounter).values(year=year, last=0).on_conflict_do_nothing())
    statement = select(TicketCounter).where(TicketCounter.year == year).with_for_update()
    return (await session.execute(statement)).scalar_one()


async def find_by_origin(session: AsyncSession, origin_key: str) -> TicketRow | None:
    """Return the ticket that this origin opened."""
    return await session.scalar(select(TicketRow).where(TicketRow.origin_key == origin_key))


async def find_by_code(session: AsyncSession, number: str) -> TicketRow | None:
    """Return the ticket with this code (as it is stored)."""
    return await session.scalar(select(TicketRow).where(TicketRow.code == number))


async def find_by_token(session: AsyncSession, token: str) -> TicketRow | None:
    """Return the ticket whose sender's link has this token; any text may be asked for."""
    if "\0" in token:  # no database holds one
        return None
    return await session.scalar(select(TicketRow).where(TicketRow.token == token))


async def find_all(session: AsyncSession, ids: Collection[str]) -> list[TicketRow]:
    """Return tickets by id."""
    return list(await session.scalars(select(TicketRow).where(TicketRow.id.in_(ids))))


async def lock(session: AsyncSession, ids: Collection[str]) -> dict[str, TicketRow]:
    """Return tickets by id, locked until the unit of work ends.

    They are locked in the order of their ids, one after the other: two who want the same two tickets never
    wait for each other.
    """
    rows = {}
    for ticket_id in sorted(set(ids)):
        statement = (
            select(TicketRow)
            .where(TicketRow.id == ticket_id)
            .with_for_update()
            .execution_options(populate_existing=True)
        )
        row = await session.scalar(statement)
        if row is not None:
            rows[ticket_id] = row
    return rows


async def find_of_conversation(
    session: AsyncSession, *, conversation_id: str, phone: str | None, limit: int
) -> list[TicketRow]:
    """Return the tickets opened from a conversation, newest first."""
    statement = select(TicketRow).where(TicketRow.conversation_id == conversation_id)
    if phone is not None:
        statement = statement.where(TicketRow.phone == phone)
    statement = statement.order_by(TicketRow.opened_at.desc(), TicketRow.code.desc()).limit(limit)
    return list((await session.scalars(statement)).all())


async def survivor(session: AsyncSession, row: TicketRow) -> TicketRow:
    """Return the ticket that goes on in place of a merged one; one that is not merged itself."""
    chain = select(TicketRow.id, TicketRow.merged_into).where(TicketRow.id == row.id).cte(recursive=True)
    following = aliased(TicketRow)
    step = select(following.id, following.merged_into).join(chain, following.id == chain.c.merged_into)
    chain = chain.union(step)
    statement = (
        select(TicketRow).join(chain, TicketRow.id == chain.c.id).where(TicketRow.merged_into.is_(None))
    )
    return await session.scalar(statement) or row


async def absorbed(session: AsyncSession, ticket_id: str) -> list[TicketRow]:
    """Return the tickets that follow this one because they were merged into it, directly or not."""
    tree = select(TicketRow.id).where(TicketRow.merged_into == ticket_id).cte(recursive=True)
    following = aliased(TicketRow)
    tree = tree.union(select(following.id).join(tree, following.merged_into == tree.c.id))
    statement = select(TicketRow).join(tree, TicketRow.id == tree.c.id).order_by(TicketRow.code)
    return list(await session.scalars(statement))


def add(session: AsyncSession, row: TicketRow) -> None:
    """Add a new ticket."""
    session.add(row)


async def add_event(session: AsyncSession, row: TicketEventRow, text: str | None) -> None:
    """Append an event and what was written with it."""
    session.add(row)
    await session.flush()
    if text:
        session.add(TicketTextRow(event_id=row.id, text=text))
        await session.flush()


async def event_with_key(session: AsyncSession, ticket_id: str, key: str) -> TicketEventRow | None:
    """Return the event that was written under an idempotency key."""
    statement = select(TicketEventRow).where(TicketEventRow.ticket_id == ticket_id, TicketEventRow.key == key)
    return await session.scalar(statement)


async def last_event(session: AsyncSession, ticket_id: str) -> TicketEventRow | None:
    """Return the newest event of a ticket."""
    statement = (
        select(TicketEventRow)
        .where(TicketEventRow.ticket_id == ticket_id)
        .order_by(TicketEventRow.sequence.desc())
        .limit(1)
    )
    return await session.scalar(statement)


async def events(session: AsyncSession, ticket_id: str) -> list[TicketEvent]:
    """Return a ticket's timeline in order."""
    statement = (
        select(TicketEventRow, TicketTextRow.text)
        .outerjoin(TicketTextRow, TicketTextRow.event_id == TicketEventRow.id)
        .where(TicketEventRow.ticket_id == ticket_id)
        .order_by(TicketEventRow.sequence)
    )
    return [_event(row, text) for row, text in await session.execute(statement)]


async def files_of_conversation(session: AsyncSession, conversation_id: str) -> set[str]:
    """Return the ids of the files that the tickets opened from a conversation carry."""
    statement = select(TicketRow.attachments).where(TicketRow.conversation_id == conversation_id)
    return {str(file_id) for files in await session.scalars(statement) for file_id in files or ()}


async def events_of_many(
    session: AsyncSession, after: str, limit: int
) -> tuple[list[TicketRow], dict[str, list[TicketEvent]]]:
    """Return the next tickets behind a code, in order, and the timelines of all of them."""
    rows = list(
        await session.scalars(
            select(TicketRow).where(TicketRow.code > after).order_by(TicketRow.code).limit(limit)
        )
    )
    timelines: dict[str, list[TicketEvent]] = {row.id: [] for row in rows}
    statement = (
        select(TicketEventRow)
        .where(TicketEventRow.ticket_id.in_(timelines))
        .order_by(TicketEventRow.ticket_id, TicketEventRow.sequence)
    )
    for event in await session.scalars(statement):
        timelines[event.ticket_id].append(_event(event, None))
    return rows, timelines


def _event(row: TicketEventRow, text: str | None) -> TicketEvent:
    return TicketEvent(
        id=row.id,
        sequence=row.sequence,
        kind=row.kind,
        actor=row.actor,
        at=row.at,
        data=row.data,
        text=text,
    )


async def put_words(session: AsyncSession, serial: int, ticket_id: str, words: str) -> None:
    """Keep the words a ticket is found by."""
    row = await session.get(TicketSearchRow, serial)
    if row is None:
        session.add(TicketSearchRow(id=serial, ticket_id=ticket_id, words=words))
    else:
        row.words = words
    await session.flush()


# --- links and duplicates -----------------------------------------------------------------------------------


async def add_link(session: AsyncSession, one: str, other: str, actor: str, at: datetime) -> bool:
    """Link two tickets; False when they are linked already."""
    first, second = sorted((one, other))
    if await session.get(TicketLinkRow, (first, second)) is not None:
        return False
    session.add(TicketLinkRow(first=first, second=second, actor=actor, at=at))
    await session.flush()
    return True


async def drop_link(session: AsyncSession, one: str, other: str) -> bool:
    """Unlink two tickets; False when they are not linked."""
    first, second = sorted((one, other))
    statement = delete(TicketLinkRow).where(TicketLinkRow.first == first, TicketLinkRow.second == second)
    result: Any = await session.execute(statement)
    return bool(result.rowcount)


async def related(session: AsyncSession, row: TicketRow) -> tuple[list[TicketRow], list[TicketRow]]:
    """Return the tickets linked with one, and those merged into it or it was merged into."""
    links = select(TicketLinkRow.first, TicketLinkRow.second).where(
        or_(TicketLinkRow.first == row.id, TicketLinkRow.second == row.id)
    )
    linked = {ticket_id for pair in await session.execute(links) for ticket_id in pair} - {row.id}
    statement = select(TicketRow).where(
        or_(TicketRow.id.in_(linked), TicketRow.merged_into == row.id, TicketRow.id == row.merged_into)
    )
    found = list(await session.scalars(statement.order_by(TicketRow.code)))
    merged = [other for other in found if other.merged_into == row.id or other.id == row.merged_into]
    return [other for other in found if other.id in linked], merged


async def near(
    session: AsyncSession, row: TicketRow, *, since: datetime, until: datetime, metres: float
) -> list[TicketRow]:
    """Return tickets that may be about the same matter: same commune, or near on the map, or same field.

    The commune or the map says where, as far as they are known; the field alone counts where neither is.
    """
    places: list[Any] = []
    if row.place_code is not None:
        places.append(TicketRow.place_code == row.place_code)
    if row.latitude is not None and row.longitude is not None:
        point = Point(latitude=row.latitude, longitude=row.longitude)
        up, aside = degrees_around(point, metres)
        places.append(
            and_(
                TicketRow.longitude.between(point.longitude - aside, point.longitude + aside),
                TicketRow.latitude.between(point.latitude - up, point.latitude + up),
            )
        )
    if not places:
        places.append(TicketRow.field == row.field)
    statement = (
        select(TicketRow)
        .where(
            or_(*places),
            TicketRow.opened_at.between(since, until),
            TicketRow.state != TicketState.MERGED.value,
            TicketRow.id != row.id,
        )
        .order_by(TicketRow.code.desc())
        .limit(_CANDIDATES)
    )
    return list(await session.scalars(statement))
