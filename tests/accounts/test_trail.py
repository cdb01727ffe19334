"""The audit trail: written, read by filters and pages, and changed by nobody."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accounts.schemas import AuditFilter
from accounts.service import AccountService
from database.engine import Database
from tests.accounts.conftest import ready_admin


async def test_the_trail_is_written_and_cannot_be_changed(accounts: AccountService, database: Database):
    user = await ready_admin(accounts)
    await accounts.record(user.id, "conversation.claimed", "c1", {"from": "queue"})
    trail = await accounts.audit()
    assert [entry.action for entry in trail] == ["conversation.claimed", "user.password_set", "user.created"]
    assert [entry.actor for entry in await accounts.audit("c1")] == [user.id]
    statements = ["UPDATE audit_log SET actor = 'x'", "DELETE FROM audit_log"]
    if not database.is_sqlite:
        statements.append("TRUNCATE audit_log")
    for statement in statements:
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.write() as session:
                await session.execute(text(statement))
    assert len(await accounts.audit()) == 3


async def test_pages_follow_each_other_without_gap_or_repeat(accounts: AccountService, clock: Any):
    for number in range(25):
        # Some lines share an instant.
        clock.forward(seconds=number % 3)
        await accounts.record("lan", "ticket.viewed", f"t{number}")
    seen, place = [], None
    while True:
        part = await accounts.trail(AuditFilter(), after=place, limit=7)
        seen += [entry.target for entry in part.entries]
        # What is added meanwhile does not move the pages.
        await accounts.record("minh", "login", "minh")
        place = part.next
        if place is None:
            break
    assert seen == [f"t{number}" for number in reversed(range(25))]
    assert len([entry async for entry in accounts.whole_trail(AuditFilter(actor="lan"))]) == 25


async def test_it_is_found_by_person_action_record_and_time(accounts: AccountService, clock: Any):
    start = clock.now()
    for actor, action, target in (
        ("lan", "login", "lan"),
        ("lan", "ticket.viewed", "t1"),
        ("minh", "ticket.viewed", "t1"),
        ("minh", "ticket.viewed", "t2"),
    ):
        await accounts.record(actor, action, target)
        clock.forward(hours=1)

    async def found(**wanted: Any) -> list[tuple[str, str]]:
        page = await accounts.trail(AuditFilter(**wanted))
        return [(entry.actor, entry.target) for entry in page.entries]

    assert await found(actor="lan") == [("lan", "t1"), ("lan", "lan")]
    assert await found(action="ticket.viewed", target="t1") == [("minh", "t1"), ("lan", "t1")]
    hour = timedelta(hours=1)
    assert await found(since=start + hour, until=start + 3 * hour) == [("minh", "t1"), ("lan", "t1")]
    assert await found(since=start + 4 * hour) == []
