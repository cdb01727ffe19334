"""Likely duplicates: measured on pairs written for it, and found among the tickets that are there."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.tickets.conftest import OPERATOR
from tickets import duplicates, fields, places
from tickets.points import find_point, metres_between
from tickets.schemas import Point, Ticket, TicketKind, TicketState

PAIRS: dict[bool, list[Any]] = yaml.safe_load(
    Path(__file__).with_name("duplicate_pairs.yml").read_text(encoding="utf-8")
)
START = datetime(2026, 11, 1, tzinfo=UTC)


def ticket(content: str, place: str | None, point: list[float] | None, day: int) -> Ticket:
    """Make a ticket as the service would: field guessed, place resolved."""
    guess = fields.guess(content)
    unit = places.resolve(place) if place else None
    values = dict.fromkeys(Ticket.model_fields)
    values |= {"id": "x", "code": "GL-2026-000001", "kind": TicketKind.REPORT, "state": TicketState.NEW}
    values |= {"content": content, "place": place, "place_code": unit.code if unit else None}
    values |= {"latitude": point[0] if point else None, "longitude": point[1] if point else None}
    values |= dict.fromkeys(("name", "phone", "address", "channel", "conversation_id"), "")
    values |= dict.fromkeys(("urgent", "public", "drill", "call_due"), False)
    values |= {"attachments": (), "field": guess.field if guess else None, "version": 1, "disputes": 0}
    moment = START + timedelta(days=day)
    return Ticket.model_validate(values | {"opened_at": moment, "state_since": moment})


def is_shown(pair: Any) -> bool:
    return duplicates.compare(*(ticket(*one) for one in pair)).score >= duplicates.LIKELY


def test_precision_and_recall_on_the_written_pairs() -> None:
    right = sum(is_shown(pair) for pair in PAIRS[True])
    wrong = sum(is_shown(pair) for pair in PAIRS[False])
    recall, precision = right / len(PAIRS[True]), right / (right + wrong)
    assert min(map(len, PAIRS.values())) >= 30
    # A person decides: better one too many on the list than one that is missed.
    assert recall >= 0.9, recall
    assert precision >= 0.9, precision


@pytest.mark.parametrize("pair", [*PAIRS[True], *PAIRS[False]])
def test_which_of_the_two_came_first_makes_no_difference(pair: Any) -> None:
    one, other = (ticket(*each) for each in pair)
    assert duplicates.compare(one, other).score == pytest.approx(duplicates.compare(other, one).score)


def test_what_differs_is_named() -> None:
    one = ticket("Đèn đường hỏng", "12 Trần Phú, phường Pleiku", [13.98, 108.0], 0)
    other = ticket("Đèn đường hỏng", "210 Lê Lợi, phường Pleiku", [13.98, 108.001], 1)
    found = duplicates.compare(one, other)
    assert found.metres == pytest.approx(107.9, abs=1)
    assert found.hours == 24
    assert set(found.same) >= {"field", "unit"}
    assert set(found.different) >= {"street", "house"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Vị trí: 13.98333, 108.00001", (13.98333, 108.00001)),
        ("https://maps.google.com/?q=13.7755,109.2237", (13.7755, 109.2237)),
        ("https://www.google.com/maps/@13.7755,109.2237,17z", (13.7755, 109.2237)),
        ("https://www.google.com/maps/search/13.7755%2C109.2237", (13.7755, 109.2237)),
        ("108.00001 13.98333", (13.98333, 108.00001)),
        ("13,98333; 108,00001", (13.98333, 108.00001)),
        ("12 Trần Phú", None),
        ("0905.123.456, 12.34", None),
        ("50.85, 4.35", None),
        ("", None),
    ],
)
def test_points_are_read_as_people_write_them(text: str, expected: tuple[float, float] | None) -> None:
    point = find_point(text)
    assert (None if point is None else (point.latitude, point.longitude)) == expected


def test_distance_over_the_ground() -> None:
    pleiku, quy_nhon = (
        Point(latitude=13.9833, longitude=108.0),
        Point(latitude=13.7667, longitude=109.2333),
    )
    assert metres_between(pleiku, quy_nhon) == pytest.approx(135_300, rel=0.01)
    assert metres_between(pleiku, pleiku) == 0


async def test_they_are_found_among_the_tickets_that_are_there(tickets, desk, draft, clock) -> None:
    first = await tickets.open(draft(), origin_key="1")
    await tickets.open(draft(content="Cống nghẹt", place="5 Lê Lai, phường Pleiku"), origin_key="2")
    clock.forward(days=1)
    again = await tickets.open(
        draft(content="den duong 12 tran phu khong sang", place="12 tran phu, phuong Pleiku"), origin_key="3"
    )
    detail = await desk.detail(again.code, OPERATOR)
    assert [each.ticket.code for each in detail.duplicates] == [first.code]
    assert detail.duplicates[0].likeness.hours == 24
    clock.forward(days=90)
    late = await tickets.open(draft(), origin_key="4")
    assert (await desk.detail(late.code, OPERATOR)).duplicates == []
