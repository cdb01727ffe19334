"""SQL of the list of tickets: filters, search in words without marks, paging by code."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, column, func, literal_column, select, table, text
from sqlalchemy.ext.asyncio import AsyncSession

from tickets import codes
from tickets.duplicates import plain
from tickets.models import TicketRow, TicketSearchRow
from tickets.schemas import TicketFilter
from vntext.phones import find_phones

_MOST_WORDS = 12
_FTS = table("ticket_search_fts", column("rowid", Integer), column("ticket_search_fts"))
_VECTOR: ColumnElement[object] = literal_column("ticket_search.words_fts")


async def page(
    session: AsyncSession, wanted: TicketFilter, *, before: str | None, limit: int
) -> list[TicketRow]:
    """Return tickets newest first.

    Args:
        session: the reader's.
        wanted: which ones.
        before: stored code of the last one already shown.
        limit: at most so many.
    """
    statement = _filtered(select(TicketRow), wanted)
    words = wanted.words.strip()
    if words and (typed := codes.read(words)) is not None:
        statement = statement.where(TicketRow.code == typed.number)
    elif words and (phone := _phone(words)) is not None:
        statement = statement.where(TicketRow.phone == phone)
    elif words:
        return await _search(session, statement, words, before, limit)
    if before is not None:
        statement = statement.where(TicketRow.code < before)
    return list(await session.scalars(statement.order_by(TicketRow.code.desc()).limit(limit)))


async def _search(
    session: AsyncSession, statement: Select[tuple[TicketRow]], words: str, before: str | None, limit: int
) -> list[TicketRow]:
    """Return what is found by words, in the order of the full-text index: that of the codes."""
    dialect = session.get_bind().dialect.name
    query = _query(words, dialect)
    if query is None:
        return []
    statement = statement.join(TicketSearchRow, TicketSearchRow.ticket_id == TicketRow.id)
    serial: ColumnElement[int]
    if dialect == "sqlite":
        serial = _FTS.c.rowid
        statement = statement.join(_FTS, _FTS.c.rowid == TicketSearchRow.id)
        statement = statement.where(_FTS.c.ticket_search_fts.op("MATCH")(query))
    else:
        serial = TicketSearchRow.id.expression
        statement = statement.where(_VECTOR.op("@@")(func.to_tsquery("simple", query)))
    if before is not None:
        statement = statement.where(serial < codes.serial(before))
    return list(await session.scalars(statement.order_by(serial.desc()).limit(limit)))


def _filtered(statement: Select[tuple[TicketRow]], wanted: TicketFilter) -> Select[tuple[TicketRow]]:
    for filtered, value in (
        (TicketRow.state, wanted.state and wanted.state.value),
        (TicketRow.kind, wanted.kind and wanted.kind.value),
        (TicketRow.field, wanted.field),
        (TicketRow.place_code, wanted.place_code),
        (TicketRow.assigned_to, wanted.assigned_to),
    ):
        if value is not None:
            statement = statement.where(filtered == value)
    if wanted.urgent:
        # Word for word the condition of the partial index.
        statement = statement.where(text("tickets.urgent"))
    if wanted.call_due:
        statement = statement.where(text("tickets.call_due"))
    if wanted.opened_from is not None:
        statement = statement.where(TicketRow.opened_at >= wanted.opened_from)
    if wanted.opened_until is not None:
        statement = statement.where(TicketRow.opened_at < wanted.opened_until)
    return statement


def _phone(words: str) -> str | None:
    found = find_phones(words)
    if len(found) != 1 or found[0].e164 is None or len(words) > len(found[0].raw) + 3:
        return None
    return "".join(filter(str.isdecimal, found[0].national))


def _query(words: str, dialect: str) -> str | None:
    """Return the words as the database's search language has it: all of them, the last one may go on."""
    plain_words = [word for word in plain(words).split() if word.isascii()][:_MOST_WORDS]
    if not plain_words:
        return None
    *whole, last = plain_words
    if dialect == "sqlite":
        return " ".join([*(f'"{word}"' for word in whole), f'"{last}"*'])
    return " & ".join([*whole, f"{last}:*"])


def search_words(row: Any) -> str:
    """Return what a ticket is found by; `row` has the columns of `TicketRow`."""
    parts = (
        row.code,
        row.content,
        row.place,
        row.place_unit,
        row.field,
        row.name,
        row.agency,
        row.dossier_code,
    )
    return plain(" ".join(part for part in parts if part))
