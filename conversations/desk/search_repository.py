"""SQL of the search index, where SQLite (FTS5) and PostgreSQL (tsvector, GIN) differ.

What is found comes newest first. On PostgreSQL an index of words knows no order: common words are therefore
looked for among the newest documents first, where a plain walk finds enough of them soon; only words too rare
to fill a page there are looked up in the index, which then has few to bring into order. Where only the few
conversations are meant that people hold or wait for, it begins with those.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    bindparam,
    delete,
    func,
    literal_column,
    select,
    text,
    true,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk.models import SearchDocumentRow, SearchedConversationRow, SearchProgressRow
from conversations.desk.words import Wanted
from conversations.repository import CONVERSATIONS, MESSAGES, C, M, Row, conversation_view
from conversations.schemas import ConversationView
from database.base import UtcDateTime
from tickets.models import TicketRow

DOCUMENTS = cast(Table, SearchDocumentRow.__table__)
D = DOCUMENTS.c
_SEARCHED = cast(Table, SearchedConversationRow.__table__)
S = _SEARCHED.c
_PROGRESS = cast(Table, SearchProgressRow.__table__)
_TICKETS = cast(Table, TicketRow.__table__)
T = _TICKETS.c

_CONFIG: ColumnElement[Any] = literal_column("'simple'::regconfig")
_NEWEST = 40_000
"""How many of the newest documents are walked through before the index of words is asked."""


# --- looking ------------------------------------------------------------------------------------------------


async def find(
    session: AsyncSession,
    wanted: Wanted,
    conditions: Sequence[ColumnElement[bool]],
    *,
    are_few: bool,
    before: int | None,
    limit: int,
) -> list[tuple[int, str, str, ConversationView]]:
    """Return the newest documents that have what is wanted: number, kind, ref and conversation of each.

    Args:
        session: the unit of work.
        wanted: words and phrases.
        conditions: what the conversation must meet.
        are_few: only few conversations do.
        before: documents with smaller numbers only.
        limit: the most documents.
    """
    if session.get_bind().dialect.name == "sqlite":
        return await _run(session, _on_sqlite(wanted, conditions, before, limit))
    asked = func.to_tsquery(_CONFIG, _tsquery(wanted))
    if are_few:
        return await _run(session, _among_few(asked, conditions, before, limit))
    found = await _run(session, _among_newest(asked, conditions, before, limit))
    if len(found) == limit:
        return found
    # What the planner fears to be long is short: compiling it would take longer.
    await session.execute(_NO_COMPILING)
    return await _run(session, _by_words(asked, conditions, before, limit))


_NO_COMPILING = text("SET LOCAL jit = off")


_SHOWN = (D.id.label("document"), D.kind.label("document_kind"), D.ref.label("document_ref"), CONVERSATIONS)


def _on_sqlite(
    wanted: Wanted, conditions: Sequence[ColumnElement[bool]], before: int | None, limit: int
) -> Select[Any]:
    words = text("search_words")
    query = (
        select(*_SHOWN)
        .select_from(words)
        .join(DOCUMENTS, D.id == literal_column("search_words.rowid"))
        .join(CONVERSATIONS, C.id == D.conversation_id)
        .where(literal_column("search_words").op("MATCH")(_fts5(wanted)), *conditions)
        .order_by(literal_column("search_words.rowid").desc())
        .limit(limit)
    )
    return query if before is None else query.where(literal_column("search_words.rowid") < before)


def _among_newest(
    asked: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]],
    before: int | None,
    limit: int,
) -> Select[Any]:
    newest = select(DOCUMENTS).order_by(D.id.desc()).limit(_NEWEST)
    if before is not None:
        newest = newest.where(D.id < before)
    walked = newest.subquery("newest")
    w = walked.c
    hits = (
        select(w.id, w.kind, w.ref, w.conversation_id)
        .where(w.words.op("@@")(asked))
        .order_by(w.id.desc())
        .limit(limit)
    )
    if conditions:
        hits = hits.join(CONVERSATIONS, C.id == w.conversation_id).where(*conditions)
    return _with_conversations(hits.subquery("hits"))


def _among_few(
    asked: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]],
    before: int | None,
    limit: int,
) -> Select[Any]:
    few = select(C.id).where(*conditions).cte("few").prefix_with("MATERIALIZED", dialect="postgresql")
    # OFFSET 0 keeps the words out of the inner query: it goes by conversation, not by the index of words.
    theirs = select(DOCUMENTS).where(D.conversation_id == few.c.id).offset(0).lateral("theirs")
    t = theirs.c
    hits = (
        select(t.id, t.kind, t.ref, t.conversation_id)
        .select_from(few.join(theirs, true()))
        .where(t.words.op("@@")(asked))
        .order_by(t.id.desc())
        .limit(limit)
    )
    if before is not None:
        hits = hits.where(t.id < before)
    return _with_conversations(hits.subquery("hits"))


def _by_words(
    asked: ColumnElement[Any],
    conditions: Sequence[ColumnElement[bool]],
    before: int | None,
    limit: int,
) -> Select[Any]:
    matches = D.words.op("@@")(asked)
    if conditions:
        query = (
            select(*_SHOWN)
            .join(CONVERSATIONS, C.id == D.conversation_id)
            .where(matches, *conditions)
            .order_by(D.id.desc())
            .limit(limit)
        )
        return query if before is None else query.where(D.id < before)
    every = select(D.id, D.kind, D.ref, D.conversation_id).where(matches)
    if before is not None:
        every = every.where(D.id < before)
    # Materialised: else the planner may walk through all documents by number, hoping to find enough soon.
    found = every.cte("found").prefix_with("MATERIALIZED", dialect="postgresql")
    hits = select(found).order_by(found.c.id.desc()).limit(limit).subquery("hits")
    return _with_conversations(hits)


def _with_conversations(hits: Any) -> Select[Any]:
    h = hits.c
    return (
        select(
            h.id.label("document"),
            h.kind.label("document_kind"),
            h.ref.label("document_ref"),
            CONVERSATIONS,
        )
        .join(CONVERSATIONS, C.id == h.conversation_id)
        .order_by(h.id.desc())
    )


async def _run(session: AsyncSession, query: Select[Any]) -> list[tuple[int, str, str, ConversationView]]:
    rows = (await session.execute(query)).mappings()
    return [
        (row["document"], row["document_kind"], row["document_ref"], conversation_view(row)) for row in rows
    ]


def _fts5(wanted: Wanted) -> str:
    parts = [f'"{word}"' for word in wanted.words]
    if parts:
        parts[-1] += "*"
    return " ".join(parts + ['"' + " ".join(phrase) + '"' for phrase in wanted.phrases])


def _tsquery(wanted: Wanted) -> str:
    parts = list(wanted.words)
    if parts:
        parts[-1] += ":*"
    return " & ".join(parts + ["(" + " <-> ".join(phrase) + ")" for phrase in wanted.phrases])


async def texts(session: AsyncSession, message_ids: Sequence[str]) -> dict[str, tuple[int, str]]:
    """Return sequence and text of messages by id."""
    if not message_ids:
        return {}
    rows = await session.execute(select(M.id, M.sequence, M.text).where(M.id.in_(message_ids)))
    return {row[0]: (row[1], row[2]) for row in rows}


async def ticket_lines(session: AsyncSession, ticket_ids: Sequence[str]) -> dict[str, str]:
    """Return code, name and content of tickets, as one line each, by id."""
    if not ticket_ids:
        return {}
    rows = await session.execute(select(T.id, T.code, T.name, T.content).where(T.id.in_(ticket_ids)))
    return {row[0]: f"{row[1]} · {row[2]} · {row[3]}" for row in rows}


# --- keeping ------------------------------------------------------------------------------------------------

# Asked every second or two: built once.
_LIMIT: BindParameter[int] = bindparam("limit")
_SINCE = bindparam("since", type_=UtcDateTime())
_IDS: BindParameter[list[str]] = bindparam("ids", expanding=True)
_UNTIL = (
    select(_PROGRESS.c.until)
    .where(_PROGRESS.c.source == bindparam("source"))
    .with_for_update(skip_locked=True)
)
_REACHED = func.coalesce(S.sequence, 0)
_BEHIND = (
    select(C.id, C.last_activity_at)
    .join(_SEARCHED, S.conversation_id == C.id, isouter=True)
    .where(C.last_activity_at >= _SINCE, C.next_sequence - 1 > _REACHED)
    .order_by(C.last_activity_at)
    .limit(_LIMIT)
)
_UNSEARCHED = (
    select(M.id, M.conversation_id, M.sequence, M.created_at)
    .join(_SEARCHED, S.conversation_id == M.conversation_id, isouter=True)
    .where(M.conversation_id.in_(_IDS), M.sequence > _REACHED)
    .order_by(M.conversation_id, M.sequence)
    .limit(_LIMIT)
)
_NEW_TICKETS = (
    select(T.id, T.opened_at)
    .where(T.opened_at >= _SINCE, ~select(D.id).where(D.kind == "ticket", D.ref == T.id).exists())
    .order_by(T.opened_at)
    .limit(_LIMIT)
)


async def lock_progress(session: AsyncSession, source: str, beginning: datetime) -> datetime | None:
    """Return until when a source is in the index, locked; None while another process is at it."""
    until: datetime | None = (await session.execute(_UNTIL, {"source": source})).scalar_one_or_none()
    if until is not None:
        return until
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    await session.execute(
        dialect.insert(_PROGRESS).on_conflict_do_nothing().values(source=source, until=beginning)
    )
    until = (await session.execute(_UNTIL, {"source": source})).scalar_one_or_none()
    return until


async def set_progress(session: AsyncSession, source: str, until: datetime) -> None:
    """Note until when a source is in the index."""
    await session.execute(update(_PROGRESS).where(_PROGRESS.c.source == source).values(until=until))


async def behind(session: AsyncSession, since: datetime, limit: int) -> list[Row]:
    """Return conversations active since a moment with messages that are not in the index, oldest first."""
    return list((await session.execute(_BEHIND, {"since": since, "limit": limit})).mappings())


async def unsearched(session: AsyncSession, conversation_ids: Sequence[str], limit: int) -> list[Row]:
    """Return messages of conversations that are not in the index, in each conversation oldest first."""
    given = {"ids": list(conversation_ids), "limit": limit}
    return list((await session.execute(_UNSEARCHED, given)).mappings())


async def still_there(session: AsyncSession, message_ids: Sequence[str]) -> dict[str, str]:
    """Return the texts of messages by id as they are now; they stay so until the caller has committed.

    Messages that somebody else is just changing are not among them: nobody is waited for.
    """
    return {row["id"]: row["text"] for row in await _held(session, MESSAGES, message_ids)}


async def tickets_still_there(session: AsyncSession, ticket_ids: Sequence[str]) -> list[Row]:
    """Return the tickets that nobody is just changing; they stay so until the caller has committed."""
    return await _held(session, _TICKETS, ticket_ids)


async def _held(session: AsyncSession, table: Table, ids: Sequence[str]) -> list[Row]:
    # SQLite has one writer, which is the caller; PostgreSQL locks the rows against whoever would erase them.
    query = select(table).where(table.c.id.in_(ids)).with_for_update(read=True, skip_locked=True)
    return list((await session.execute(query)).mappings())


async def add(session: AsyncSession, documents: Sequence[dict[str, Any]]) -> None:
    """Put documents into the index; `words` is a string of words between blanks."""
    if not documents:
        return
    if session.get_bind().dialect.name == "sqlite":
        await session.execute(sqlite.insert(DOCUMENTS).on_conflict_do_nothing(), list(documents))
        return
    words = func.to_tsvector(_CONFIG, bindparam("plain"))
    statement = postgresql.insert(DOCUMENTS).values(words=words).on_conflict_do_nothing()
    plain = [{**document, "plain": document["words"]} for document in documents]
    for document in plain:
        del document["words"]
    await session.execute(statement, plain)


async def forget(session: AsyncSession, kind: str, refs: Sequence[str]) -> None:
    """Take documents out of the index."""
    await session.execute(delete(DOCUMENTS).where(D.kind == kind, D.ref.in_(refs)))


async def set_searched(session: AsyncSession, reached: dict[str, int]) -> None:
    """Note how far conversations are in the index."""
    if not reached:
        return
    dialect = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    statement = dialect.insert(_SEARCHED)
    statement = statement.on_conflict_do_update(
        index_elements=["conversation_id"], set_={"sequence": statement.excluded.sequence}
    )
    await session.execute(
        statement, [{"conversation_id": key, "sequence": value} for key, value in reached.items()]
    )


async def tickets_since(session: AsyncSession, since: datetime, limit: int) -> list[Row]:
    """Return id and time of tickets opened since a moment that are not in the index, oldest first."""
    return list((await session.execute(_NEW_TICKETS, {"since": since, "limit": limit})).mappings())
