"""Values that neither database can hold are refused as such, and nothing of them is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, insert, select

from accounts.models import AuditRow
from conversations.models import MessageRow
from database.engine import STORAGE_DOWN, Database, UnstorableError

NUL = "a\0b"


def line(**changes: Any) -> dict[str, Any]:
    return {
        "at": datetime(2026, 11, 20, tzinfo=UTC),
        "actor": "x",
        "action": "y",
        "target": "z",
        "detail": {},
        **changes,
    }


async def test_text_with_a_nul_is_refused_and_nothing_of_the_unit_is_kept(either_database: Database) -> None:
    with pytest.raises(UnstorableError):
        async with either_database.write() as session:
            session.add(AuditRow(**line()))
            await session.flush()
            session.add(AuditRow(**line(target=NUL)))
    with pytest.raises(UnstorableError):
        async with either_database.write() as session:
            await session.execute(insert(AuditRow), [line(), line(actor=NUL)])
    with pytest.raises(UnstorableError):
        async with either_database.write() as session:
            session.add_all([AuditRow(**line()), AuditRow(**line(target=NUL))])
    async with either_database.read() as session:
        assert (await session.execute(select(func.count()).select_from(AuditRow))).scalar_one() == 0


async def test_several_rows_of_any_values_are_kept(either_database: Database) -> None:
    async with either_database.write() as session:
        session.add_all([AuditRow(**line()), AuditRow(**line(detail={"a": None}, target=""))])
    async with either_database.write() as session:
        await session.execute(insert(AuditRow), [line(), line()])
    async with either_database.read() as session:
        assert (await session.execute(select(func.count()).select_from(AuditRow))).scalar_one() == 4


@pytest.mark.parametrize("number", [2**63, -(2**70), 10**30])
async def test_a_number_that_is_too_large_is_refused(either_database: Database, number: int) -> None:
    with pytest.raises(UnstorableError):
        async with either_database.read() as session:
            await session.execute(select(MessageRow).where(MessageRow.sequence > number))


async def test_afterwards_the_database_works(either_database: Database) -> None:
    for _ in range(3):
        with pytest.raises(UnstorableError):
            async with either_database.read() as session:
                await session.execute(select(AuditRow).where(AuditRow.actor == NUL))
        async with either_database.read() as session:
            assert (await session.execute(select(func.count()).select_from(AuditRow))).scalar_one() == 0


def test_it_is_told_apart_from_a_database_that_is_away() -> None:
    assert not issubclass(UnstorableError, STORAGE_DOWN)
