"""Tickets of the same matter: linked, merged, taken apart again, and never lost when two do it at once."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from database.base import new_id
from database.engine import Database
from tests.databases import PostgresCopies
from tests.tickets.conftest import OPERATOR, FixedClock, KeptNotices, prepare
from tickets.desk import Click, TicketDesk
from tickets.errors import AlreadyMergedError, InvalidChangeError, NotPossibleNowError
from tickets.schemas import Ticket
from tickets.service import TicketService

GIVEN = {"text": "Đã thay bóng", "agency": "Điện lực Gia Lai", "reason": "unclear"}


def click() -> Click:
    return Click(OPERATOR, new_id())


@pytest.fixture
async def pair(tickets, draft) -> tuple[Ticket, Ticket]:
    return (
        await tickets.open(draft(conversation_id="c1"), origin_key="1"),
        await tickets.open(draft(conversation_id="c2"), origin_key="2"),
    )


async def test_the_merged_sender_is_told_and_follows_the_one_that_goes_on(
    tickets, desk, follow, notices, pair
) -> None:
    one, other = pair
    merged = await desk.merge(one.code, other.code, click())
    assert (merged.state, merged.merged_into) == ("merged", other.id)
    (told,) = await notices.told("c1")
    assert one.code in told
    assert other.code in told
    assert await notices.told("c2") == []
    await desk.act(other.code, "answer", GIVEN, click())
    assert "Đã thay bóng" in (await notices.told("c1"))[-1]
    assert "Đã thay bóng" in (await notices.told("c2"))[-1]
    seen = await follow.by_token(one.token)
    assert (seen.state, seen.goes_on_as) == ("answered", other.code)
    assert seen.steps[-1].text == "Đã thay bóng"
    assert seen.actions == ()


async def test_what_was_merged_does_nothing_more_until_it_is_taken_apart(tickets, desk, pair) -> None:
    one, other = pair
    await desk.act(one.code, "transfer", GIVEN, click())
    await desk.act(one.code, "ask_info", GIVEN, click())
    await desk.merge(one.code, other.code, click())
    for name in ("answer", "transfer", "refuse", "close", "take", "note", "publish"):
        with pytest.raises(NotPossibleNowError):
            await desk.act(one.code, name, GIVEN, click())
    again = await desk.act(one.code, "unmerge", {}, click())
    assert (again.state, again.merged_into) == ("transferred", None)
    assert [each.kind for each in await tickets.timeline(other)][-2:] == ["absorbed", "released"]
    assert await tickets.broken() == []


async def test_merging_into_what_is_merged_is_refused_and_names_the_end(tickets, desk, draft, pair) -> None:
    one, other = pair
    third = await tickets.open(draft(conversation_id="c3"), origin_key="3")
    await desk.merge(one.code, other.code, click())
    await desk.merge(other.code, third.code, click())
    late = await tickets.open(draft(conversation_id="c4"), origin_key="4")
    for first, second in ((late, one), (one, late), (late, other)):
        with pytest.raises(AlreadyMergedError, match=third.code):
            await desk.merge(first.code, second.code, click())
    with pytest.raises(InvalidChangeError):
        await desk.merge(late.code, late.code, click())


async def test_who_was_merged_over_two_steps_hears_of_the_end(tickets, desk, notices, draft, pair) -> None:
    one, other = pair
    third = await tickets.open(draft(conversation_id="c3"), origin_key="3")
    await desk.merge(one.code, other.code, click())
    await desk.merge(other.code, third.code, click())
    await desk.act(third.code, "answer", GIVEN, click())
    for conversation in ("c1", "c2", "c3"):
        assert "Đã thay bóng" in (await notices.told(conversation))[-1]


async def test_what_is_linked_goes_on_and_can_be_unlinked(desk, pair) -> None:
    one, other = pair
    await desk.link(one.code, other.code, click())
    await desk.link(other.code, one.code, click())
    for here, there in ((one, other), (other, one)):
        detail = await desk.detail(here.code, OPERATOR)
        assert [each.id for each in detail.linked] == [there.id]
        assert detail.ticket.state == "new"
        assert detail.duplicates == []
    await desk.unlink(one.code, other.code, click())
    assert (await desk.detail(one.code, OPERATOR)).linked == []


async def test_merged_both_ways_at_once_one_does_it_and_the_other_is_told(tickets, desk, draft) -> None:
    assert await race(tickets, desk, draft, rounds=10) == 10


async def test_two_hundred_pairs_merged_both_ways_at_once(postgres_copies: PostgresCopies, draft) -> None:
    database, second = (Database(url) for url in [postgres_copies.with_tables()] * 2)
    await prepare(database)
    clock = FixedClock(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))
    tickets = TicketService(database, clock, KeptNotices(database))
    # Two processes: each its own connections.
    other = TicketDesk(second, clock, TicketService(second, clock, KeptNotices(second)))
    desk = TicketDesk(database, clock, tickets)
    assert await race(tickets, desk, draft, rounds=200, other=other) == 200
    assert await tickets.broken() == []
    await second.close()
    await database.close()


async def race(
    tickets: TicketService, desk: TicketDesk, draft, *, rounds: int, other: TicketDesk | None = None
) -> int:
    """Merge A into B and B into A at the same instant; return how often exactly one did it."""
    right = 0
    for number in range(rounds):
        one = await tickets.open(draft(conversation_id=f"a{number}"), origin_key=f"a{number}")
        two = await tickets.open(draft(conversation_id=f"b{number}"), origin_key=f"b{number}")
        outcomes = await asyncio.gather(
            desk.merge(one.code, two.code, click()),
            (other or desk).merge(two.code, one.code, click()),
            return_exceptions=True,
        )
        (refused,) = [each for each in outcomes if isinstance(each, BaseException)]
        assert isinstance(refused, AlreadyMergedError)
        found = [await tickets.find(each.code) for each in (one, two)]
        merged = [each for each in found if each is not None and each.state == "merged"]
        right += len(merged) == 1
    return right
