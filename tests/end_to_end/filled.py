"""Tickets in several states, for pages to show."""

from __future__ import annotations

from accounts.schemas import User
from database.clock import Clock
from database.engine import Database
from tickets.desk import Click, TicketDesk
from tickets.schemas import RefusalReason, RefusedDraft, Ticket, TicketDraft, TicketKind
from tickets.service import TicketService

_GIVEN = {"text": "Đã thay bóng đèn sáng nay.", "agency": "Điện lực Gia Lai", "reason": "out_of_scope"}


async def open_tickets(database: Database, clock: Clock, user: User) -> list[Ticket]:
    """Open five: two that are one matter, an answered one, a drill, a refused one.

    Args:
        user: who does what is done with them.
    """
    tickets = TicketService(database, clock)
    desk = TicketDesk(database, clock, tickets)
    contents = [
        (
            "Đèn đường hỏng trước số 12 Trần Phú, tối om, nguy hiểm cho trẻ con đi học về",
            "12 Trần Phú, phường Pleiku",
        ),
        ("den duong truoc nha 12 tran phu khong sang may hom nay", "12 tran phu, phuong pleiku"),
        ("Mất nước sinh hoạt ba ngày nay", "thôn Phú Mỹ, xã Phù Cát"),
        ("Trại heo xả thải hôi thối ra suối", None),
    ]
    made = []
    for number, (content, place) in enumerate(contents):
        draft = TicketDraft(
            kind=TicketKind.REPORT,
            content=content,
            place=place,
            name="Nguyễn Văn An",
            phone="0905123456",
            address="12 Trần Phú",
            consent=True,
            channel="webchat",
            urgent=number == 0,
            drill=number == 3,
        )
        made.append(await tickets.open(draft, origin_key=str(number)))
    refused = RefusedDraft(
        kind=TicketKind.REPORT,
        content="Đơn tố cáo cán bộ xã",
        channel="webchat",
        reason=RefusalReason.COMPLAINT_LETTER,
    )
    made.append(await tickets.open_refused(refused, origin_key="refused", actor=user.id))
    for name in ("take", "transfer", "agency_answer", "answer"):
        await desk.act(made[2].code, name, _GIVEN, Click(user, name))
    await desk.act(made[0].code, "note", _GIVEN, Click(user, "note"))
    return made
