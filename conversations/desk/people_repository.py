"""SQL of people: telephone numbers, memberships, decisions and their undoing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    and_,
    bindparam,
    func,
    insert,
    literal,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import ContactRow, PersonMemberRow, PersonMergeRow, PersonRow
from conversations.desk.schemas import Contact, Merge, Source
from conversations.repository import CONVERSATIONS, MESSAGES, C, M, Row, message_view
from conversations.schemas import MessageView
from database.base import new_id
from tickets.models import TicketRow

_CONTACTS = cast(Table, ContactRow.__table__)
K = _CONTACTS.c
_PEOPLE = cast(Table, PersonRow.__table__)
_MERGES = cast(Table, PersonMergeRow.__table__)
G = _MERGES.c
_MEMBERS = cast(Table, PersonMemberRow.__table__)
B = _MEMBERS.c
_TICKETS = cast(Table, TicketRow.__table__)
T = _TICKETS.c

_MOST_CONTACTS = 200


# --- telephone numbers --------------------------------------------------------------------------------------


async def add_contact(
    session: AsyncSession, conversation_id: str, phone: str, source: Source, *, name: str, at: datetime
) -> Contact:
    """Keep a number; known already, its name and time are renewed."""
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_CONTACTS).values(
        id=new_id(), conversation_id=conversation_id, phone=phone, name=name, source=source, seen_at=at
    )
    kept_name = func.coalesce(func.nullif(statement.excluded.name, ""), K.name)
    await session.execute(
        statement.on_conflict_do_update(
            index_elements=["conversation_id", "phone"],
            set_={"seen_at": statement.excluded.seen_at, "name": kept_name},
        )
    )
    query = select(_CONTACTS).where(K.conversation_id == conversation_id, K.phone == phone)
    return _contact((await session.execute(query)).mappings().one())


async def contacts(session: AsyncSession, conversation_ids: Sequence[str]) -> list[Contact]:
    """Return the numbers known for conversations, the latest first."""
    values = {"wanted": list(conversation_ids), "most": _MOST_CONTACTS}
    return await _found(session, _CONTACTS_OF, values)


async def names_of(session: AsyncSession, conversation_ids: Sequence[str]) -> dict[str, str]:
    """Return the names citizens have given, by conversation; one query for all of them."""
    known = await contacts(session, conversation_ids)
    return {contact.conversation_id: contact.name for contact in reversed(known) if contact.name}


async def contacts_by_phone(session: AsyncSession, phones: Sequence[str], limit: int) -> list[Contact]:
    """Return for which conversations numbers are known, the latest first."""
    values = {"wanted": list(phones), "most": limit}
    return await _found(session, _CONTACTS_BY_PHONE, values) if phones else []


def _contacts(of_contact: ColumnElement[str], of_ticket: ColumnElement[str]) -> Select[Any]:
    wanted: BindParameter[list[str]] = bindparam("wanted", expanding=True)
    kept = select(K.conversation_id, K.phone, K.name, K.source, K.seen_at).where(of_contact.in_(wanted))
    given = (
        select(T.conversation_id, T.phone, T.name, literal("ticket").label("source"), T.opened_at)
        .join(CONVERSATIONS, C.id == T.conversation_id)
        .where(of_ticket.in_(wanted))
    )
    both = union_all(kept, given).subquery()
    return select(both).order_by(both.c.seen_at.desc()).limit(bindparam("most"))


_CONTACTS_OF = _contacts(K.conversation_id, T.conversation_id)
_CONTACTS_BY_PHONE = _contacts(K.phone, T.phone)


async def _found(session: AsyncSession, query: Select[Any], values: dict[str, Any]) -> list[Contact]:
    found: dict[tuple[str, str], Contact] = {}
    for row in (await session.execute(query, values)).mappings():
        contact = _contact(row)
        found.setdefault((contact.conversation_id, contact.phone), contact)
    return list(found.values())


async def ticket_codes(session: AsyncSession, phone: str, limit: int) -> list[str]:
    """Return the codes of the reports that gave a number, newest first."""
    query = select(T.code).where(T.phone == phone).order_by(T.opened_at.desc()).limit(limit)
    return list((await session.execute(query)).scalars())


async def names(session: AsyncSession, conversation_ids: Sequence[str]) -> list[str]:
    """Return the names given in conversations, the latest first."""
    found = await contacts(session, conversation_ids)
    return list(dict.fromkeys(contact.name for contact in found if contact.name))


# --- people -------------------------------------------------------------------------------------------------


async def lock_all(session: AsyncSession, conversation_ids: Sequence[str]) -> list[Row]:
    """Return conversations, locked one after another by id, so that two decisions never wait in a circle."""
    query = select(CONVERSATIONS).where(C.id.in_(conversation_ids)).order_by(C.id).with_for_update()
    return list((await session.execute(query)).mappings())


async def members(session: AsyncSession, person_id: str) -> list[str]:
    """Return the conversations that count as a person's."""
    query = select(C.id).where(C.person_id == person_id).order_by(C.id)
    return list((await session.execute(query)).scalars())


async def others(session: AsyncSession, conversation_id: str) -> list[str]:
    """Return the other conversations of the same person, the one used last first."""
    person = select(C.person_id).where(C.id == conversation_id).scalar_subquery()
    query = (
        select(C.id)
        .where(C.person_id == person, C.id != conversation_id)
        .order_by(C.last_activity_at.desc(), C.id)
    )
    return list((await session.execute(query)).scalars())


async def person_name(session: AsyncSession, person_id: str) -> str:
    """Return a person's name, empty where none is known."""
    query = select(_PEOPLE.c.name).where(_PEOPLE.c.id == person_id)
    return str((await session.execute(query)).scalar_one())


async def add_person(session: AsyncSession, person_id: str, name: str, at: datetime) -> None:
    """Add a person."""
    await session.execute(insert(_PEOPLE).values(id=person_id, name=name, created_at=at))


async def add_merge(
    session: AsyncSession, merge_id: str, person_id: str, by: str, at: datetime, reason: str
) -> None:
    """Add a decision."""
    await session.execute(
        insert(_MERGES).values(id=merge_id, person_id=person_id, by=by, at=at, reason=reason)
    )


async def move(
    session: AsyncSession, conversation_id: str, person_id: str, merge_id: str, at: datetime
) -> None:
    """Let a conversation count as a person's; what it counted as before is ended and remembered."""
    ended = (
        update(_MEMBERS)
        .where(B.conversation_id == conversation_id, B.ended_at.is_(None))
        .values(ended_at=at)
        .returning(B.id)
    )
    former_id = (await session.execute(ended)).scalar_one_or_none()
    await _begin(session, conversation_id, person_id, merge_id, former_id, at)


async def is_current(session: AsyncSession, merge_id: str) -> bool:
    """Tell whether all conversations of a decision still count as it said."""
    query = select(
        func.count(B.conversation_id.distinct()),
        func.count(B.conversation_id.distinct()).filter(B.ended_at.is_(None)),
    ).where(B.merge_id == merge_id)
    moved, still = (await session.execute(query)).one()
    return bool(moved == still)


async def undo(session: AsyncSession, merge_id: str, by: str, at: datetime, reason: str) -> None:
    """Take a decision back: each of its conversations counts again as what it did before."""
    current = (B.merge_id == merge_id, B.ended_at.is_(None))
    rows = (await session.execute(select(_MEMBERS).where(*current))).mappings().all()
    await session.execute(update(_MEMBERS).where(*current).values(ended_at=at))
    for row in rows:
        former = None
        if row["former_id"] is not None:
            query = select(_MEMBERS).where(B.id == row["former_id"])
            former = (await session.execute(query)).mappings().one()
        if former is None:
            await _set_person(session, row["conversation_id"], None)
            continue
        await _begin(
            session, row["conversation_id"], former["person_id"], former["merge_id"], former["former_id"], at
        )
    await session.execute(
        update(_MERGES).where(G.id == merge_id).values(undone_by=by, undone_at=at, undone_reason=reason)
    )


async def _begin(
    session: AsyncSession,
    conversation_id: str,
    person_id: str,
    merge_id: str,
    former_id: str | None,
    at: datetime,
) -> None:
    await session.execute(
        insert(_MEMBERS).values(
            id=new_id(),
            person_id=person_id,
            conversation_id=conversation_id,
            merge_id=merge_id,
            former_id=former_id,
            began_at=at,
        )
    )
    await _set_person(session, conversation_id, person_id)


async def _set_person(session: AsyncSession, conversation_id: str, person_id: str | None) -> None:
    await session.execute(update(CONVERSATIONS).where(C.id == conversation_id).values(person_id=person_id))


async def merge(session: AsyncSession, merge_id: str) -> Merge | None:
    """Return a decision."""
    row = (await session.execute(select(_MERGES).where(G.id == merge_id))).mappings().first()
    return None if row is None else (await _merges(session, [row]))[0]


async def merges_of(session: AsyncSession, person_id: str) -> list[Merge]:
    """Return the decisions that stand, by which conversations count as a person's, newest first."""
    current = select(B.merge_id).where(B.person_id == person_id, B.ended_at.is_(None)).distinct()
    rows = (
        await session.execute(select(_MERGES).where(G.id.in_(current)).order_by(G.at.desc(), G.id))
    ).mappings()
    return await _merges(session, list(rows))


async def _merges(session: AsyncSession, rows: Sequence[Row]) -> list[Merge]:
    query = (
        select(B.merge_id, B.conversation_id)
        .where(B.merge_id.in_([row["id"] for row in rows]))
        .distinct()
        .order_by(B.conversation_id)
    )
    moved = (await session.execute(query)).all()
    return [
        Merge(
            id=row["id"],
            person_id=row["person_id"],
            conversations=tuple(each[1] for each in moved if each[0] == row["id"]),
            by=row["by"],
            at=row["at"],
            reason=row["reason"],
            undone_by=row["undone_by"],
            undone_at=row["undone_at"],
            undone_reason=row["undone_reason"],
        )
        for row in rows
    ]


async def messages(
    session: AsyncSession, conversation_ids: Sequence[str], *, before: str | None, limit: int
) -> list[MessageView]:
    """Return messages of several conversations, newest first."""
    query = select(MESSAGES).where(M.conversation_id.in_(conversation_ids))
    if before is not None:
        place = select(M.created_at, M.conversation_id, M.sequence).where(M.id == before)
        last = (await session.execute(place)).first()
        if last is None:
            return []
        at, conversation_id, sequence = last
        # Messages of one conversation keep their order, whatever the clock did.
        query = query.where(
            or_(
                M.created_at < at,
                and_(M.created_at == at, M.conversation_id < conversation_id),
                and_(M.created_at == at, M.conversation_id == conversation_id, M.sequence < sequence),
            )
        )
    query = query.order_by(M.created_at.desc(), M.conversation_id.desc(), M.sequence.desc()).limit(limit)
    return [message_view(row) for row in (await session.execute(query)).mappings()]


def _contact(row: Row) -> Contact:
    return Contact(row["conversation_id"], row["phone"], row["name"], row["source"], row["seen_at"])
