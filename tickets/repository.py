"""All SQL of the tickets domain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from tickets.models import TicketCounter, TicketEventRow, TicketRow


async def lock_counter(session: AsyncSession, *, year: int) -> TicketCounter:
    """Return the year's counter, locked until the unit of work ends; it is made when it is missing."""
    insert = sqlite.insert if session.get_bind().dialect.name == "sqlite" else postgresql.insert
    await session.execute(insert(TicketCounter).values(year=year, last=0).on_conflict_do_nothing())
    statement = select(TicketCounter).where(TicketCounter.year == year).with_for_update()
    return (await session.execute(statement)).scalar_one()


async def find_by_origin(session: AsyncSession, origin_key: str) -> TicketRow | None:
    """Return the ticket that this origin opened."""
    return await session.scalar(select(TicketRow).where(TicketRow.origin_key == origin_key))


async def find_by_code(session: AsyncSession, code: str) -> TicketRow | None:
    """Return the ticket with this code."""
    return await session.scalar(select(TicketRow).where(TicketRow.code == code))


async def find_of_conversation(
    session: AsyncSession, *, conversation_id: str, phone: str | None, limit: int
) -> list[TicketRow]:
    """Return the tickets opened from a conversation, newest first."""
    statement = select(TicketRow).where(TicketRow.conversation_id == conversation_id)
    if phone is not None:
        statement = statement.where(TicketRow.phone == phone)
    statement = statement.order_by(TicketRow.opened_at.desc(), TicketRow.code.desc()).limit(limit)
    return list((await session.scalars(statement)).all())


async def latest(session: AsyncSession, limit: int) -> list[TicketRow]:
    """Return the newest tickets, newest first."""
    statement = select(TicketRow).order_by(TicketRow.opened_at.desc(), TicketRow.code.desc()).limit(limit)
    return list((await session.scalars(statement)).all())


def add(session: AsyncSession, row: TicketRow) -> None:
    """Add a new ticket."""
    session.add(row)


async def append_event(
    session: AsyncSession, *, ticket_id: str, kind: str, actor: str, at: datetime, data: dict[str, Any]
) -> None:
    """Append one event to a ticket's timeline."""
    statement = select(func.max(TicketEventRow.sequence)).where(TicketEventRow.ticket_id == ticket_id)
    last = await session.scalar(statement)
    session.add(
        TicketEventRow(
            ticket_id=ticket_id, sequence=(last or 0) + 1, kind=kind, actor=actor, at=at, data=data
        )
    )


async def events(session: AsyncSession, ticket_id: str) -> list[TicketEventRow]:
    """Return a ticket's timeline in order."""
    statement = (
        select(TicketEventRow).where(TicketEventRow.ticket_id == ticket_id).order_by(TicketEventRow.sequence)
    )
    return list((await session.scalars(statement)).all())


async def files_of_conversation(session: AsyncSession, conversation_id: str) -> set[str]:
    """Return the ids of the files that the tickets opened from a conversation carry."""
    statement = select(TicketRow.attachments).where(TicketRow.conversation_id == conversation_id)
    return {str(file_id) for files in await session.scalars(statement) for file_id in files or ()}
