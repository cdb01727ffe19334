"""A finished ticket's personal data: shown in the copy, gone after erasing, and found by no search."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import select, text

from database.engine import Database
from database.personal_data import Person, TicketKey
from tests.tickets.conftest import OPERATOR
from tickets.desk import Click
from tickets.models import TicketRow
from tickets.personal_data import TicketHolder
from tickets.schemas import TicketFilter
from vntext.catalogue import say


async def test_a_finished_ticket_loses_its_sender_its_texts_and_its_words(
    tickets: Any, desk: Any, draft: Any, database: Database, clock: Any
):
    ticket = await tickets.open(
        draft(name="Lê Thị Mật", address="45 Lê Lợi", email="mat@example.com"), origin_key="a"
    )
    other = await tickets.open(draft(name="Người Khác"), origin_key="b")
    place = {"place": "hẻm kín, phường Pleiku", "point": "13.98, 108.01"}
    await desk.correct(ticket.code, place, Click(OPERATOR, "k1"))
    await desk.act(ticket.code, "note", {"text": "bà Mật không nghe máy"}, Click(OPERATOR, "k2"))
    await desk.act(ticket.code, "publish", {"how": "bà Mật nói qua điện thoại"}, Click(OPERATOR, "k3"))
    await desk.act(ticket.code, "answer", {"text": "Đã báo bà Mật"}, Click(OPERATOR, "k4"))
    holder = TicketHolder(database, clock)
    person = Person(tickets=(TicketKey(ticket.id, ticket.code),))
    assert await holder.erase(person, before=None, limit=10) == 0
    await desk.act(ticket.code, "close", {}, Click(OPERATOR, "k5"))

    [copy] = (await holder.export(person)).rows
    assert (copy["name"], copy["email"], copy["latitude"]) == ("Lê Thị Mật", "mat@example.com", 13.98)
    assert "token" not in copy
    texts = [step["text"] for step in copy["timeline"] if step["text"]]
    assert texts == ["bà Mật không nghe máy", "bà Mật nói qua điện thoại", "Đã báo bà Mật"]
    kinds = [step["kind"] for step in copy["timeline"]]

    async def found(words: str) -> list[str]:
        return [each.code for each in (await tickets.page(TicketFilter(words=words))).tickets]

    assert await found("le thi mat") == await found("hem kin") == [ticket.code]
    assert await holder.erase(person, before=None, limit=10) == 1
    assert await holder.erase(person, before=None, limit=10) == 0
    for words in ("le thi mat", "hem kin"):
        assert await found(words) == [], words
    assert await found("nguoi khac") == [other.code]
    async with database.read() as session:
        tables = ("tickets", "ticket_events", "ticket_event_texts", "ticket_search")
        left = "\n".join(
            [str((await session.execute(text(f"SELECT * FROM {name}"))).all()) for name in tables]
        )
        row = (await session.scalars(select(TicketRow).where(TicketRow.id == ticket.id))).one()
    for secret in ("Mật", "mat@example.com", "45 Lê Lợi", "hẻm kín", "13.98", "le thi mat"):
        assert secret not in left, secret
    assert (row.token, row.latitude, row.longitude, row.state) == (None, None, None, "closed")
    steps = await tickets.timeline(ticket)
    assert [step.kind for step in steps] == kinds
    assert {step.text for step in steps} == {None, say("privacy.erased")}
    assert await tickets.broken() == []


@pytest.mark.parametrize(("given", "data", "words"), [("link", {"how": "link"}, None), ("", {}, None)])
async def test_how_a_sender_agreed_is_among_the_texts_where_somebody_typed_it(
    tickets: Any, desk: Any, draft: Any, given: str, data: dict[str, str], words: str | None
):
    ticket = await tickets.open(draft(), origin_key="a")
    await desk.act(ticket.code, "publish", {"how": given}, Click(OPERATOR, "k1"))
    step = (await tickets.timeline(ticket))[-1]
    assert (step.data, step.text) == (data, words)
