"""What becomes of a ticket is told on the channel its sender used: once, in the ticket's own unit of work."""

from __future__ import annotations

import pytest

from accounts.schemas import User
from conversations.notices import TicketNotices
from tickets.desk import Click, TicketDesk
from tickets.schemas import TicketDraft, TicketKind
from tickets.service import TicketService

OPERATOR = User("hoa", "hoa", "Hoà", ("operator",), active=True, has_password=True)
GIVEN = {"text": "Đã thay bóng"}


@pytest.fixture
def notices(core, clock) -> TicketNotices:
    return TicketNotices(clock, core.outbox, core.events)


@pytest.fixture
def tickets(database, clock, notices) -> TicketService:
    return TicketService(database, clock, notices, address="https://1022.test")


def draft(conversation_id: str, channel: str = "webchat") -> TicketDraft:
    return TicketDraft(
        kind=TicketKind.REPORT,
        content="Đèn đường hỏng",
        name="An",
        phone="0905123456",
        address="12 Trần Phú",
        consent=True,
        channel=channel,
        conversation_id=conversation_id,
    )


async def test_a_change_is_one_message_and_is_sent(core, database, clock, tickets, provider, write) -> None:
    received = await core.inbox.receive(write("đèn hỏng"))
    ticket = await tickets.open(draft(received.conversation_id), origin_key="1", tell=True)
    desk = TicketDesk(database, clock, tickets)
    for _ in range(3):
        await desk.act(ticket.code, "answer", GIVEN, Click(OPERATOR, "same click"))
    await core.outbox.settle()
    said = [each for each in await core.desk.history(received.conversation_id) if each.direction == "out"]
    assert [each.author for each in said] == ["system", "system"]
    assert ticket.code in said[0].text
    assert "Đã thay bóng" in said[1].text
    assert [each.state for each in said] == ["sent", "sent"]


@pytest.mark.parametrize("gone", ["no such conversation", "by phone"])
async def test_where_nobody_can_be_written_to_somebody_has_to_call(
    core, database, clock, tickets, write, gone
) -> None:
    conversation = "missing"
    if gone == "by phone":
        conversation = (await core.inbox.receive(write("alo", channel="phone"))).conversation_id
    ticket = await tickets.open(draft(conversation, "phone"), origin_key="1")
    done = await TicketDesk(database, clock, tickets).act(ticket.code, "answer", GIVEN, Click(OPERATOR, "k"))
    assert done.call_due
