"""Tickets: a code each, one ticket an origin, a timeline that is only added to."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from database.engine import Database
from tickets import codes
from tickets.models import TicketEventRow, TimelineIsAppendOnlyError
from tickets.schemas import TicketState
from tickets.service import ConsentMissingError, TicketService


async def test_a_ticket_gets_the_first_code_of_its_year(tickets: TicketService, draft) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    assert ticket.code == "GL-2026-000001-5"
    assert ticket.state is TicketState.NEW
    assert (ticket.place_unit, ticket.place_certainty) == ("Phường Pleiku", "exact")
    assert (ticket.field_group, ticket.field) == (3, "Chiếu sáng công cộng")


async def test_the_year_is_the_local_one_and_every_year_begins_at_one(
    tickets: TicketService, clock, draft
) -> None:
    clock.instant = datetime(2026, 12, 31, 16, 59, tzinfo=UTC)
    assert (await tickets.open(draft(), origin_key="a")).code == "GL-2026-000001-5"
    clock.instant = datetime(2026, 12, 31, 17, 0, tzinfo=UTC)
    assert (await tickets.open(draft(), origin_key="b")).code == "GL-2027-000001-7"


async def test_a_replay_opens_nothing_twice(tickets: TicketService, draft) -> None:
    first = await tickets.open(draft(), origin_key="same")
    again = await tickets.open(draft(content="Khác hẳn"), origin_key="same")
    assert again == first
    assert (await tickets.open(draft(), origin_key="other")).code == "GL-2026-000002-8"


async def test_codes_are_unique_and_without_gaps_when_many_open_at_once(
    tickets: TicketService, draft
) -> None:
    origins = [f"origin-{number % 15}" for number in range(45)]
    opened = await asyncio.gather(*(tickets.open(draft(), origin_key=origin) for origin in origins))
    by_origin: dict[str, set[str]] = {}
    for origin, ticket in zip(origins, opened, strict=True):
        by_origin.setdefault(origin, set()).add(ticket.code)
    assert all(len(codes) == 1 for codes in by_origin.values())
    assert {code for codes in by_origin.values() for code in codes} == {
        codes.shown(f"GL-2026-{number:06d}") for number in range(1, 16)
    }


@pytest.mark.parametrize(
    "written",
    ["GL-2026-000001", "gl-2026-000001-5", " GL 2026 1 ", "gl2026000001", "gl20260000015", "GL 2026 1 5"],
)
async def test_a_ticket_is_found_however_its_code_is_written(
    tickets: TicketService, written: str, draft
) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    assert await tickets.find(written) == ticket


@pytest.mark.parametrize(
    "written", ["", "GL-2026-000009", "H21.20.15-261012-0034", "1 OR 1=1", "GL-2026-0000001"]
)
async def test_what_is_no_code_finds_nothing(tickets: TicketService, written: str, draft) -> None:
    await tickets.open(draft(), origin_key="a")
    assert await tickets.find(written) is None


async def test_a_phone_number_finds_only_tickets_of_the_same_conversation(
    tickets: TicketService, draft
) -> None:
    own = await tickets.open(draft(), origin_key="a")
    await tickets.open(draft(conversation_id="conversation-2"), origin_key="b")
    assert await tickets.find_by_phone("0905123456", conversation_id="conversation-1") == [own]
    assert await tickets.find_by_phone("0905123456", conversation_id="conversation-3") == []
    assert await tickets.find_by_phone("0912000000", conversation_id="conversation-1") == []


async def test_without_agreement_nothing_is_stored(tickets: TicketService, database: Database, draft) -> None:
    with pytest.raises(ConsentMissingError):
        await tickets.open(draft(consent=False), origin_key="a")
    async with database.read() as session:
        assert await session.scalar(text("select count(*) from tickets")) == 0


@pytest.mark.parametrize(
    "changes",
    [{"name": " "}, {"phone": "905"}, {"phone": "0905 123 456"}, {"address": ""}, {"content": "x" * 4_001}],
)
def test_a_draft_without_what_is_compulsory_is_refused(changes: dict[str, object], draft) -> None:
    with pytest.raises(ValidationError):
        draft(**changes)


async def test_the_timeline_begins_with_the_opening(tickets: TicketService, clock, draft) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    (event,) = await tickets.timeline(ticket)
    assert (event.sequence, event.kind, event.actor, event.at) == (1, "opened", "citizen", clock.instant)


async def test_the_timeline_can_be_neither_changed_nor_shortened(
    tickets: TicketService, database: Database, draft
) -> None:
    await tickets.open(draft(), origin_key="a")
    with pytest.raises(TimelineIsAppendOnlyError):
        async with database.write() as session:
            row = (await session.scalars(select(TicketEventRow))).one()
            row.kind = "forged"
    for statement in ("update ticket_events set kind = 'forged'", "delete from ticket_events"):
        with pytest.raises(DBAPIError, match="append-only"):
            async with database.write() as session:
                await session.execute(text(statement))
