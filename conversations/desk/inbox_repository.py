"""SQL of the inbox: one query a page, whatever is asked for, and counts that read an index only."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam, case, exists, func, literal_column, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.errors import BadPlaceError
from conversations.desk.repository import FAIREST
from conversations.desk.schemas import DeskCounts, InboxCounts
from conversations.repository import CONVERSATIONS, C, M, conversation_view
from conversations.schemas import ConversationFilter, ConversationView

_IS_UNSENT = (M.direction == literal_column("'out'"), M.state == literal_column("'failed'"))
_MOST_FAILED = 1_000
_CLOSING_WITHIN = timedelta(hours=2)


async def page(
    session: AsyncSession,
    wanted: ConversationFilter,
    *,
    windows: Mapping[str, timedelta],
    now: datetime,
    after: str | None,
    limit: int,
) -> tuple[list[ConversationView], str | None]:
    """Return conversations and the place to go on from: the queue in its order, else newest activity first.

    Args:
        session: the unit of work.
        wanted: which ones; its text is not looked at.
        windows: by channel, for how long after the citizen's word we may write.
        now: the time, for the windows.
        after: the place the page before ended at.
        limit: the most conversations.

    Raises:
        BadPlaceError: `after` is none of ours.
    """
    query = select(CONVERSATIONS).where(*conditions(wanted, windows, now))
    in_queue = wanted.owner == "queue"
    if after is not None:
        query = query.where(_behind(_read(after), in_queue=in_queue))
    query = query.order_by(*(FAIREST if in_queue else (C.last_activity_at.desc(), C.id.desc())))
    found = [conversation_view(row) for row in (await session.execute(query.limit(limit + 1))).mappings()]
    if len(found) <= limit:
        return found, None
    last = found[limit - 1]
    at = last.waiting_since if in_queue else last.last_activity_at
    assert at is not None
    return found[:limit], _written([last.urgent, at.isoformat(), last.id])


def conditions(
    wanted: ConversationFilter, windows: Mapping[str, timedelta], now: datetime
) -> list[ColumnElement[bool]]:
    """Return what a conversation must meet."""
    found: list[ColumnElement[bool]] = []
    if wanted.owner is not None:
        found.append(C.owner == wanted.owner)
    if wanted.assigned_to is not None:
        found.append(C.assigned_to == wanted.assigned_to)
    if wanted.channel is not None:
        found.append(C.channel == wanted.channel)
    if wanted.urgent is not None:
        found.append(C.urgent.is_(wanted.urgent))
    if wanted.unread is not None:
        found.append(C.unread > 0 if wanted.unread else C.unread == 0)
    if wanted.has_failed is not None:
        failed = exists().where(M.conversation_id == C.id, *_IS_UNSENT)
        found.append(failed if wanted.has_failed else ~failed)
    if wanted.window_closing:
        closing = [
            and_(
                C.channel == channel,
                C.waiting_since.is_not(None),
                C.last_heard_at > now - window,
                C.last_heard_at <= now - window + _CLOSING_WITHIN,
            )
            for channel, window in windows.items()
        ]
        found += [C.owner.in_(["queue", "person"]), or_(literal_column("1") == 0, *closing)]
    return found


def _counts() -> Select[Any]:
    def number(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    is_mine = and_(C.owner == "person", C.assigned_to == bindparam("operator"))
    failed: Select[Any] = select(M.conversation_id).where(*_IS_UNSENT).distinct().limit(_MOST_FAILED)
    return select(
        number(C.owner == "queue"),
        number(and_(C.owner == "queue", C.urgent)),
        number(C.owner == "person"),
        number(is_mine),
        number(and_(is_mine, C.unread > 0)),
        select(func.count()).select_from(failed.subquery()).scalar_subquery(),
    ).where(C.owner.in_(["queue", "person"]))


_COUNTS = _counts()


async def counts(session: AsyncSession, operator_id: str) -> InboxCounts:
    """Return the numbers beside the inbox's parts; what only the bot has is not looked at."""
    return InboxCounts(*(await session.execute(_COUNTS, {"operator": operator_id})).one())


async def counts_of_all(session: AsyncSession) -> DeskCounts:
    """Return the numbers beside the inbox's parts for everybody, with one query."""
    unread = func.sum(case((C.unread > 0, 1), else_=0))
    query = (
        select(C.owner, C.assigned_to, func.count(), unread)
        .where(C.owner.in_(["queue", "person"]))
        .group_by(C.owner, C.assigned_to)
    )
    queue = 0
    held: dict[str, tuple[int, int]] = {}
    for owner, operator_id, number, new in await session.execute(query):
        if owner == "queue":
            queue += number
        elif operator_id is not None:
            held[operator_id] = (number, new)
    return DeskCounts(queue, held)


async def failed_among(session: AsyncSession, ids: Sequence[str]) -> frozenset[str]:
    """Return those of some conversations that have a message which was not sent."""
    query = select(M.conversation_id).where(M.conversation_id.in_(ids), *_IS_UNSENT).distinct()
    return frozenset((await session.execute(query)).scalars())


def closing_of(view: ConversationView, windows: Mapping[str, timedelta]) -> tuple[datetime, datetime] | None:
    """Return from when to when a conversation meets the filter `window_closing`; None: it cannot."""
    window = windows.get(view.channel)
    if window is None or view.waiting_since is None or view.last_heard_at is None or view.owner == "bot":
        return None
    ends = view.last_heard_at + window
    return ends - _CLOSING_WITHIN, ends


def _behind(place: tuple[bool, datetime, str], *, in_queue: bool) -> ColumnElement[bool]:
    urgent, at, last_id = place
    if not in_queue:
        return or_(C.last_activity_at < at, and_(C.last_activity_at == at, C.id < last_id))
    same_rank = and_(
        C.urgent.is_(urgent), or_(C.waiting_since > at, and_(C.waiting_since == at, C.id > last_id))
    )
    return or_(same_rank, C.urgent.is_(False)) if urgent else same_rank


def _written(place: list[Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(place).encode()).decode()


def _read(text: str) -> tuple[bool, datetime, str]:
    try:
        urgent, at, last_id = json.loads(base64.urlsafe_b64decode(text.encode()))
        moment = datetime.fromisoformat(at)
    except (ValueError, TypeError) as error:
        raise BadPlaceError from error
    if moment.tzinfo is None or not isinstance(last_id, str):
        raise BadPlaceError
    return bool(urgent), moment, last_id
