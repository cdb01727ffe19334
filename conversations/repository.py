"""All SQL of the conversation core, the same for SQLite and PostgreSQL.

Every function takes the session of the caller's unit of work. Rows are read as mappings and turned into the
views of `schemas`, never into live ORM objects: there is nothing to load lazily and nothing to flush.
Statements that every message needs are built once: building one costs more than running it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    CursorResult,
    RowMapping,
    Table,
    and_,
    bindparam,
    exists,
    func,
    insert,
    literal_column,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.models import IS_OPEN, ConversationRow, MessageRow
from conversations.schemas import (
    Button,
    ConversationDetail,
    ConversationView,
    MessageView,
)
from database.base import UtcDateTime

CONVERSATIONS = cast(Table, ConversationRow.__table__)
MESSAGES = cast(Table, MessageRow.__table__)
C = CONVERSATIONS.c
M = MESSAGES.c

_IS_UNHANDLED = M.state.in_([literal_column("'received'"), literal_column("'processing'")])

Row = RowMapping | dict[str, Any]
"""A row by column name, as read or as written."""


_INSERTS = {
    (name, table.name): dialect.insert(table).on_conflict_do_nothing()
    for name, dialect in (("postgresql", postgresql), ("sqlite", sqlite))
    for table in (CONVERSATIONS, MESSAGES)
}


def insert_or_ignore(session: AsyncSession, table: Table) -> Any:
    """Return an INSERT that does nothing when a unique constraint is already met."""
    return _INSERTS[session.get_bind().dialect.name, table.name]


async def changed(session: AsyncSession, statement: Any, values: dict[str, Any] | None = None) -> int:
    """Run a statement and return how many rows it changed."""
    result = await session.execute(statement, values)
    assert isinstance(result, CursorResult)
    return result.rowcount


# --- conversations ------------------------------------------------------------------------------------------


_WHICH: BindParameter[str] = bindparam("which")
"""The id of the one row that is meant; other parameters of an UPDATE are the columns it sets."""

_LOCK_BY_USER = (
    select(CONVERSATIONS)
    .where(C.channel == bindparam("channel"), C.external_user_id == bindparam("user"))
    .with_for_update()
)
_FIND_BY_USER = select(CONVERSATIONS).where(
    C.channel == bindparam("channel"), C.external_user_id == bindparam("user")
)
_LOCK = select(CONVERSATIONS).where(C.id == _WHICH).with_for_update()
_CHANGE_CONVERSATION = update(CONVERSATIONS).where(C.id == _WHICH)


async def lock_by_user(session: AsyncSession, channel: str, external_user_id: str) -> Row | None:
    """Return the conversation and keep every other writer off it until the unit of work ends."""
    found = await session.execute(_LOCK_BY_USER, {"channel": channel, "user": external_user_id})
    return found.mappings().first()


async def lock(session: AsyncSession, conversation_id: str) -> Row | None:
    """Return the conversation by id, locked as in `lock_by_user`."""
    return (await session.execute(_LOCK, {"which": conversation_id})).mappings().first()


async def create_conversation(session: AsyncSession, values: dict[str, Any]) -> None:
    """Insert a conversation; when another process was first, theirs stays."""
    await session.execute(insert_or_ignore(session, CONVERSATIONS), values)


async def change_conversation(session: AsyncSession, conversation_id: str, /, **values: Any) -> None:
    """Set columns of one conversation."""
    await session.execute(_CHANGE_CONVERSATION, {"which": conversation_id, **values})


async def find(session: AsyncSession, conversation_id: str) -> ConversationView | None:
    """Return one conversation by id."""
    row = (await session.execute(select(CONVERSATIONS).where(C.id == conversation_id))).mappings().first()
    return conversation_view(row) if row else None


async def find_by_user(session: AsyncSession, channel: str, external_user_id: str) -> ConversationView | None:
    """Return the conversation of one person on one channel."""
    found = await session.execute(_FIND_BY_USER, {"channel": channel, "user": external_user_id})
    row = found.mappings().first()
    return conversation_view(row) if row else None


async def queue_position(session: AsyncSession, waiting_since: datetime, *, urgent: bool = False) -> int:
    """Return the place in the queue, 1 for whoever is next: urgent ones first, then the longest wait."""
    before = C.waiting_since <= waiting_since
    ahead = and_(C.urgent, before) if urgent else or_(C.urgent, before)
    query = select(func.count()).where(C.owner == "queue", ahead)
    return max(1, (await session.execute(query)).scalar_one())


async def detail(
    session: AsyncSession, conversation: ConversationView, messages: list[MessageView]
) -> ConversationDetail:
    """Return a conversation with messages of it and, while it waits, its place in the queue."""
    position = None
    if conversation.owner == "queue" and conversation.waiting_since is not None:
        position = await queue_position(session, conversation.waiting_since, urgent=conversation.urgent)
    return ConversationDetail(conversation, messages, position)


# --- claims -------------------------------------------------------------------------------------------------


_NOW = bindparam("now", type_=UtcDateTime())
_CLAIM_WORK = (
    update(CONVERSATIONS)
    .where(
        C.id == _WHICH,
        or_(C.work_until.is_(None), C.work_until < _NOW),
        exists().where(M.conversation_id == _WHICH, IS_OPEN, _IS_UNHANDLED),
    )
    .returning(CONVERSATIONS)
)
_CLAIM_SEND = (
    update(CONVERSATIONS)
    .where(
        C.id == _WHICH,
        C.send_claim.is_(None),
        exists().where(
            M.conversation_id == _WHICH,
            IS_OPEN,
            M.state == "pending",
            or_(M.next_attempt_at.is_(None), M.next_attempt_at <= _NOW),
        ),
    )
    .returning(CONVERSATIONS)
)
_HOLDS_SEND = update(CONVERSATIONS).where(C.id == _WHICH, C.send_claim == bindparam("held"))
_HELD = MESSAGES.alias("held")
_UNCLAIMED = (
    select(M.conversation_id)
    .join(CONVERSATIONS, C.id == M.conversation_id)
    .where(
        IS_OPEN,
        _IS_UNHANDLED,
        M.created_at < bindparam("before", type_=UtcDateTime()),
        or_(C.work_until.is_(None), C.work_until < _NOW),
        # Of what is held for a moment whoever holds it tells.
        ~exists().where(
            _HELD.c.conversation_id == M.conversation_id,
            _HELD.c.state == "received",
            _HELD.c.next_attempt_at > _NOW,
        ),
    )
    .group_by(M.conversation_id)
    .order_by(func.min(M.created_at))
    .limit(bindparam("limit"))
)


async def claim_work(
    session: AsyncSession, conversation_id: str, claim: str, now: datetime, until: datetime
) -> Row | None:
    """Take the conversation's inbound work if there is any and nobody has it; return the conversation."""
    values = {"which": conversation_id, "now": now, "work_claim": claim, "work_until": until}
    row: Row | None = (await session.execute(_CLAIM_WORK, values)).mappings().first()
    return row


async def claim_send(
    session: AsyncSession, conversation_id: str, claim: str, now: datetime, until: datetime
) -> Row | None:
    """Take the conversation's outbound work if something is due and nobody has it."""
    values = {"which": conversation_id, "now": now, "send_claim": claim, "send_until": until}
    row: Row | None = (await session.execute(_CLAIM_SEND, values)).mappings().first()
    return row


async def holds_send(session: AsyncSession, conversation_id: str, claim: str, until: datetime | None) -> bool:
    """Renew the send claim until `until`, or give it up with None; False when it is no longer ours."""
    left = {"send_claim": claim if until else None, "send_until": until}
    return await changed(session, _HOLDS_SEND, {"which": conversation_id, "held": claim, **left}) == 1


async def release_work(session: AsyncSession, conversation_id: str, claim: str) -> None:
    """Give up a work claim that came to nothing."""
    await session.execute(
        update(CONVERSATIONS)
        .where(C.id == conversation_id, C.work_claim == claim)
        .values(work_claim=None, work_until=None)
    )


async def claims(session: AsyncSession) -> set[str]:
    """Return every claim now held, of either kind."""
    work = select(C.work_claim).where(C.work_claim.is_not(None))
    send = select(C.send_claim).where(C.send_claim.is_not(None))
    return {claim for claim in (await session.execute(work.union(send))).scalars() if claim}


async def drop_claims(session: AsyncSession, held: Sequence[str]) -> None:
    """Free what processes that are known to be dead had claimed."""
    await session.execute(
        update(CONVERSATIONS).where(C.work_claim.in_(held)).values(work_claim=None, work_until=None)
    )
    await session.execute(
        update(CONVERSATIONS).where(C.send_claim.in_(held)).values(send_claim=None, send_until=None)
    )


async def unclaimed_work(session: AsyncSession, before: datetime, now: datetime, limit: int) -> list[str]:
    """Return conversations with inbound messages older than `before` that nobody works on, oldest first."""
    given = {"before": before, "now": now, "limit": limit}
    return list((await session.execute(_UNCLAIMED, given)).scalars())


# --- messages -----------------------------------------------------------------------------------------------


_OF = M.conversation_id == bindparam("conversation")
_LIMIT: BindParameter[int] = bindparam("limit")
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_INSERT_MESSAGE = insert(MESSAGES)
_UNHANDLED = (
    select(MESSAGES)
    .where(_OF, IS_OPEN, _IS_UNHANDLED)
    .order_by(M.provider_timestamp, M.sequence)
    .limit(_LIMIT)
)
_HAS_UNHANDLED = select(M.id).where(_OF, IS_OPEN, _IS_UNHANDLED).limit(1)
_OPEN_MESSAGES = select(MESSAGES).where(_OF, IS_OPEN).order_by(M.sequence)
_REMEMBERED = 30
"""Messages of a stretch of talk after which an emergency is no longer what is talked of."""

_PREVIOUS_TURN = (
    select(M.turn)
    .where(_OF, M.sequence < bindparam("before"), M.direction == "in")
    .order_by(M.sequence.desc())
    .limit(1)
)
_CHANGE_MESSAGES = update(MESSAGES).where(M.id.in_(_IDS))
_START_ATTEMPT = (
    update(MESSAGES)
    .where(M.id.in_(_IDS))
    .values(state="processing", read_with=bindparam("head"), attempts=M.attempts + 1)
)
_FINISH_INBOUND = update(MESSAGES).where(M.id == _WHICH, _IS_UNHANDLED)
_PENDING = select(MESSAGES).where(_OF, IS_OPEN, M.state == "pending").order_by(M.sequence).limit(_LIMIT)
_HISTORY = select(MESSAGES).where(_OF, M.sequence > bindparam("after")).order_by(M.sequence).limit(_LIMIT)
_LATEST = select(MESSAGES).where(_OF).order_by(M.sequence.desc()).limit(_LIMIT)
_LATEST_BEFORE = _LATEST.where(M.sequence < bindparam("before"))


async def add_inbound(session: AsyncSession, values: dict[str, Any]) -> bool:
    """Insert an inbound message; False when this provider message is already here."""
    return await changed(session, insert_or_ignore(session, MESSAGES), values) == 1


async def add_outbound(session: AsyncSession, rows: Sequence[dict[str, Any]]) -> None:
    """Insert outbound messages."""
    if rows:
        await session.execute(_INSERT_MESSAGE, list(rows))


async def find_by_provider_id(session: AsyncSession, channel: str, provider_id: str) -> Row | None:
    """Return id, conversation and sequence of the message a provider knows under `provider_id`."""
    query = select(M.id, M.conversation_id, M.sequence).where(
        M.channel == channel, M.provider_message_id == provider_id
    )
    return (await session.execute(query)).mappings().first()


async def find_by_key(session: AsyncSession, conversation_id: str, key: str) -> MessageView | None:
    """Return the message that was written under an idempotency key."""
    query = select(MESSAGES).where(M.conversation_id == conversation_id, M.idempotency_key == key)
    row = (await session.execute(query)).mappings().first()
    return message_view(row) if row else None


async def unhandled(session: AsyncSession, conversation_id: str, limit: int) -> list[Row]:
    """Return inbound messages not yet handled, in the order they were said."""
    values = {"conversation": conversation_id, "limit": limit}
    return list((await session.execute(_UNHANDLED, values)).mappings())


async def has_unhandled(session: AsyncSession, conversation_id: str) -> bool:
    """Tell whether a message waits or is being worked on."""
    return (await session.execute(_HAS_UNHANDLED, {"conversation": conversation_id})).first() is not None


async def open_messages(session: AsyncSession, conversation_id: str) -> list[Row]:
    """Return what is still to be handled or sent, by sequence."""
    return list((await session.execute(_OPEN_MESSAGES, {"conversation": conversation_id})).mappings())


async def previous_turn(session: AsyncSession, conversation_id: str, sequence: int) -> dict[str, Any] | None:
    """Return the turn record of the citizen's message before `sequence`, if it has one."""
    values = {"conversation": conversation_id, "before": sequence}
    turn: dict[str, Any] | None = (await session.execute(_PREVIOUS_TURN, values)).scalar()
    return turn


async def emergency_before(
    session: AsyncSession, conversation_id: str, talk: int, sequence: int
) -> str | None:
    """Return the number of the last emergency in a stretch of talk before `sequence`, None for none."""
    query = (
        select(M.turn)
        .where(M.conversation_id == conversation_id, M.session == talk, M.direction == "in")
        .where(M.sequence < sequence)
        .order_by(M.sequence.desc())
        .limit(_REMEMBERED)
    )
    for turn in (await session.execute(query)).scalars():
        if (route := str((turn or {}).get("route", ""))).startswith("redirect_11"):
            return route.removeprefix("redirect_")
    return None


async def offered(session: AsyncSession, conversation_id: str, limit: int) -> list[dict[str, Any]]:
    """Return the payloads of the latest outbound messages, newest first."""
    query = (
        select(M.payload)
        .where(M.conversation_id == conversation_id, M.direction == "out")
        .order_by(M.sequence.desc())
        .limit(limit)
    )
    return list((await session.execute(query)).scalars())


async def change_messages(session: AsyncSession, ids: Sequence[str], **values: Any) -> int:
    """Set columns of messages; return how many there were."""
    return await changed(session, _CHANGE_MESSAGES, {"ids": list(ids), **values})


async def mark_sent(session: AsyncSession, ids: Sequence[str], at: datetime) -> None:
    """Note that a channel has taken messages."""
    await session.execute(
        _CHANGE_MESSAGES, {"ids": list(ids), "state": "sent", "handled_at": at, "error": None}
    )


async def start_attempt(session: AsyncSession, ids: Sequence[str], read_with: str) -> None:
    """Mark messages as being worked on, as one piece."""
    await session.execute(_START_ATTEMPT, {"ids": list(ids), "head": read_with})


async def finish_inbound(
    session: AsyncSession, message_id: str, *, state: str, turn: dict[str, Any], at: datetime
) -> bool:
    """Close an inbound message; False when somebody else has closed it already."""
    values = {"which": message_id, "state": state, "turn": turn, "handled_at": at}
    return await changed(session, _FINISH_INBOUND, values) == 1


async def pending(session: AsyncSession, conversation_id: str, limit: int) -> list[Row]:
    """Return unsent messages in order."""
    values = {"conversation": conversation_id, "limit": limit}
    return list((await session.execute(_PENDING, values)).mappings())


async def history(
    session: AsyncSession, conversation_id: str, *, after: int = 0, limit: int = 200
) -> list[MessageView]:
    """Return messages after a sequence, oldest first."""
    values = {"conversation": conversation_id, "after": after, "limit": limit}
    return [message_view(row) for row in (await session.execute(_HISTORY, values)).mappings()]


async def latest(
    session: AsyncSession, conversation_id: str, limit: int, *, before: int | None = None
) -> list[MessageView]:
    """Return the newest messages, or the newest of those before a sequence, oldest first."""
    values: dict[str, Any] = {"conversation": conversation_id, "limit": limit}
    query = _LATEST
    if before is not None:
        query, values = _LATEST_BEFORE, {**values, "before": before}
    rows = list((await session.execute(query, values)).mappings())
    return [message_view(row) for row in reversed(rows)]


async def last_inbound_sequence(session: AsyncSession, conversation_id: str) -> int | None:
    """Return the sequence of the citizen's latest message."""
    query = select(func.max(M.sequence)).where(M.conversation_id == conversation_id, M.direction == "in")
    last: int | None = (await session.execute(query)).scalar()
    return last


async def get_row(session: AsyncSession, message_id: str) -> Row | None:
    """Return one message's row by id."""
    return (await session.execute(select(MESSAGES).where(M.id == message_id))).mappings().first()


async def get_message(session: AsyncSession, message_id: str) -> MessageView | None:
    """Return one message by id."""
    row = (await session.execute(select(MESSAGES).where(M.id == message_id))).mappings().first()
    return message_view(row) if row else None


async def backlog(session: AsyncSession) -> dict[str, int]:
    """Return how many messages are in each unfinished state."""
    rows = await session.execute(select(M.state, func.count()).where(IS_OPEN).group_by(M.state))
    return {row[0]: row[1] for row in rows}


# --- views --------------------------------------------------------------------------------------------------

_VIEWED = tuple(name for name in ConversationView.__dataclass_fields__ if name != "sending")


def conversation_view(row: Row) -> ConversationView:
    """Return the view of a conversation's row."""
    return ConversationView(**{name: row[name] for name in _VIEWED})


def message_view(row: Row) -> MessageView:
    """Return the view of a message's row."""
    payload: dict[str, Any] = row["payload"] or {}
    return MessageView(
        id=row["id"],
        conversation_id=row["conversation_id"],
        sequence=row["sequence"],
        session=row["session"],
        direction=row["direction"],
        author=row["author"],
        author_id=row["author_id"],
        kind=row["kind"],
        text=row["text"],
        buttons=tuple(Button(**button) for button in payload.get("buttons", ())),
        payload=payload,
        turn=row["turn"],
        state=row["state"],
        error=row["error"],
        created_at=row["created_at"],
        provider_message_id=row["provider_message_id"],
        channel=row["channel"],
        delivered_at=row["delivered_at"],
        read_at=row["read_at"],
        withdrawn_at=row["withdrawn_at"],
    )
