"""The SQL of dead letters."""

from __future__ import annotations

from sqlalchemy import literal, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.repository import MESSAGES, M, Row


async def dead(session: AsyncSession, direction: str | None, limit: int) -> list[Row]:
    """Return messages that were given up, the latest first."""
    query = select(MESSAGES).where(M.state == "failed").order_by(M.created_at.desc()).limit(limit)
    if direction is not None:
        query = query.where(M.direction == direction)
    return list((await session.execute(query)).mappings())


async def find_dead(session: AsyncSession, message_id: str) -> Row | None:
    """Return one of them by id."""
    query = select(MESSAGES).where(M.id == message_id, M.state == "failed")
    return (await session.execute(query)).mappings().first()


async def send_again(session: AsyncSession, message_id: str) -> None:
    """Make an outbound message due now, with all its tries before it."""
    await session.execute(
        update(MESSAGES)
        .where(M.id == message_id)
        .values(state="pending", attempts=0, next_attempt_at=None, error=None, handled_at=None)
    )


async def handle_again(session: AsyncSession, message_id: str) -> None:
    """Make an inbound message unhandled; what was said instead of an answer stays, under another key."""
    await session.execute(
        update(MESSAGES)
        .where(
            M.id.in_(
                select(M.id).where(
                    M.conversation_id
                    == select(M.conversation_id).where(M.id == message_id).scalar_subquery(),
                    M.idempotency_key.startswith(f"answer:{message_id}"),
                )
            )
        )
        .values(idempotency_key=literal("given_up:") + M.id)
    )
    await session.execute(
        update(MESSAGES)
        .where(M.id == message_id)
        .values(state="received", attempts=0, read_with=None, turn=None, error=None, handled_at=None)
    )
