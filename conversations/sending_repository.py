"""All SQL of sending: what waits, what the provider said, what became of a send that was cut off."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Table, and_, bindparam, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.intake_models import EarlySignRow
from conversations.models import IS_OPEN
from conversations.reasons import IN_DOUBT
from conversations.repository import MESSAGES, C, M, Row
from database.base import UtcDateTime

_SIGNS = cast(Table, EarlySignRow.__table__)
S = _SIGNS.c

_HEAD = (
    select(M.conversation_id, func.min(M.sequence).label("sequence"))
    .where(IS_OPEN, M.state == "pending")
    .group_by(M.conversation_id)
    .subquery()
)
_NOW = bindparam("now", type_=UtcDateTime())
_WAITING = (
    select(M.conversation_id)
    .join(_HEAD, and_(_HEAD.c.conversation_id == M.conversation_id, _HEAD.c.sequence == M.sequence))
    .join(C.id.table, C.id == M.conversation_id)
    .where(
        M.created_at < bindparam("before", type_=UtcDateTime()),
        or_(M.next_attempt_at.is_(None), M.next_attempt_at <= _NOW),
        C.send_claim.is_(None),
    )
    .order_by(M.created_at)
    .limit(bindparam("limit"))
)


async def waiting(
    session: AsyncSession,
    before: datetime,
    now: datetime,
    limit: int,
    *,
    only: str | None = None,
    without: Collection[str] = (),
) -> list[str]:
    """Return conversations whose first unsent message is due and which nobody sends for, oldest first.

    Args:
        session: the unit of work.
        before: written before this.
        now: due by then.
        limit: the most conversations.
        only: of this channel.
        without: not of these channels.
    """
    query = _WAITING
    if only is not None:
        query = query.where(M.channel == only)
    if without:
        query = query.where(M.channel.not_in(list(without)))
    given = {"before": before, "now": now, "limit": limit}
    return list((await session.execute(query, given)).scalars())


async def expired_claims(session: AsyncSession, now: datetime) -> list[str]:
    """Return the claims whose holders have not renewed them in time."""
    query = select(C.send_claim).where(C.send_claim.is_not(None), C.send_until < now)
    return [claim for claim in (await session.execute(query)).scalars() if claim]


async def end_pauses(session: AsyncSession, channel: str) -> None:
    """Make due at once what waits because its channel failed; what is in doubt waits on."""
    await session.execute(
        update(MESSAGES)
        .where(
            IS_OPEN,
            M.state == "pending",
            M.channel == channel,
            M.next_attempt_at.is_not(None),
            or_(M.error.is_(None), M.error != IN_DOUBT),
        )
        .values(next_attempt_at=None)
    )


async def put_in_doubt(
    session: AsyncSession, held: Sequence[str], channels: Collection[str], until: datetime
) -> None:
    """Give the provider's echo time to tell whether what a dead process was sending has gone out.

    Only a conversation's first unsent message can have been under way.
    """
    first = (
        select(func.min(M.sequence))
        .where(IS_OPEN, M.state == "pending", M.conversation_id == C.id)
        .correlate(C.id.table)
        .scalar_subquery()
    )
    under_way = (
        select(M.id)
        .join(C.id.table, C.id == M.conversation_id)
        .where(
            IS_OPEN,
            M.state == "pending",
            M.channel.in_(list(channels)),
            C.send_claim.in_(held),
            M.sequence == first,
        )
    )
    ids = list((await session.execute(under_way)).scalars())
    if ids:
        await session.execute(
            update(MESSAGES).where(M.id.in_(ids)).values(next_attempt_at=until, error=IN_DOUBT)
        )


async def prolong_doubt(session: AsyncSession, channels: Collection[str], until: datetime) -> None:
    """Let what waits for its echo wait at least until then."""
    await session.execute(
        update(MESSAGES)
        .where(
            IS_OPEN,
            M.state == "pending",
            M.channel.in_(list(channels)),
            M.error == IN_DOUBT,
            M.next_attempt_at < until,
        )
        .values(next_attempt_at=until)
    )


async def drop_copy(session: AsyncSession, channel: str, provider_id: str, message_id: str) -> None:
    """Delete the row an echo has made of our own message before its send call returned."""
    which = {"of_channel": channel, "of_message": provider_id, "ours": message_id}
    await session.execute(_DROP_COPY, which)


_DROP_COPY = delete(MESSAGES).where(
    M.channel == bindparam("of_channel"),
    M.provider_message_id == bindparam("of_message"),
    M.id != bindparam("ours"),
    M.direction == "out",
    M.author_id.is_(None),
)
_RECORD = update(MESSAGES).where(M.id == bindparam("which"))
_RECORD_UNLESS_SETTLED = _RECORD.where(M.state == "pending")
_SIGNS_OF = select(_SIGNS).where(
    S.channel == bindparam("of_channel"), S.provider_message_id == bindparam("of_message")
)
_DROP_SIGNS = delete(_SIGNS).where(
    S.channel == bindparam("of_channel"), S.provider_message_id == bindparam("of_message")
)


async def take_signs(session: AsyncSession, channel: str, provider_id: str) -> list[Row]:
    """Return and delete the signs that came before their message."""
    which = {"of_channel": channel, "of_message": provider_id}
    found: list[Row] = [dict(row) for row in (await session.execute(_SIGNS_OF, which)).mappings()]
    if found:
        await session.execute(_DROP_SIGNS, which)
    return found


async def record(session: AsyncSession, message_id: str, values: dict[str, Any], *, final: bool) -> None:
    """Set columns of a message after a try; one that an echo has settled meanwhile is changed by yes only."""
    statement = _RECORD if final else _RECORD_UNLESS_SETTLED
    await session.execute(statement, {"which": message_id, **values})


async def queues(session: AsyncSession) -> dict[str, tuple[int, datetime]]:
    """Return by channel how many messages wait to be sent, and since when the oldest does."""
    query = (
        select(M.channel, func.count(), func.min(M.created_at))
        .where(IS_OPEN, M.state == "pending")
        .group_by(M.channel)
    )
    return {row[0]: (row[1], row[2]) for row in await session.execute(query)}
