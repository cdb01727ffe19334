"""How much waits, and for how long: the SQL of the figures that somebody watches."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal_column, select
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.models import IS_OPEN
from conversations.repository import C, M


@dataclass(frozen=True, slots=True)
class Figures:
    """The instance at one moment.

    Attributes:
        backlog: unfinished messages by state.
        oldest: when the oldest message of each unfinished state was stored.
        sessions: conversations by owner: with the bot those of lately, with the queue and people all.
        queue_since: since when the conversation that has waited longest waits for an operator.
    """

    backlog: dict[str, int]
    oldest: dict[str, datetime]
    sessions: dict[str, int]
    queue_since: datetime | None


async def read_figures(session: AsyncSession, *, lately: datetime) -> Figures:
    """Return the figures; each query reads what an index holds ready, however long the history is."""
    states = (
        await session.execute(
            select(M.state, func.count(), func.min(M.created_at)).where(IS_OPEN).group_by(M.state)
        )
    ).all()
    held = (
        await session.execute(
            select(C.owner, func.count(), func.min(C.waiting_since))
            .where(C.owner.in_([literal_column("'queue'"), literal_column("'person'")]))
            .group_by(C.owner)
        )
    ).all()
    with_bot = select(func.count()).where(C.last_activity_at >= lately, C.owner == "bot")
    sessions = {row[0]: row[1] for row in held}
    sessions["bot"] = (await session.execute(with_bot)).scalar_one()
    return Figures(
        backlog={row[0]: row[1] for row in states},
        oldest={row[0]: row[2] for row in states},
        sessions=sessions,
        queue_since=next((row[2] for row in held if row[0] == "queue"), None),
    )
