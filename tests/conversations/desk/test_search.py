"""Finding what was said, by words without marks, names, numbers and codes; and losing what was taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import text

from conversations.core import ConversationCore
from conversations.desk.errors import BadPlaceError
from conversations.desk.words import indexed_words, national_number, wanted_words
from conversations.schemas import ConversationFilter, InboundMessage
from database.base import new_id
from database.engine import Database
from tickets.schemas import TicketDraft, TicketKind
from tickets.service import TicketService

Write = Callable[..., InboundMessage]


async def found(core: ConversationCore, asked: str, **more: Any) -> list[str]:
    await core.search.catch_up()
    page = await core.desk.inbox(ConversationFilter(text=asked, **more))
    return [view.external_user_id for view in page.conversations]


@pytest.mark.parametrize(
    "asked",
    [
        "nguyen thi hoa",
        "Nguyễn Thị Hoà",
        "Nguyễn Thị Hòa",
        "NGUYEN  thi hoa",
        "hoa nguyen",
        '"thi hoa"',
        "nguy",
    ],
)
async def test_names_are_found_with_and_without_marks(core: ConversationCore, write: Write, asked: str):
    await core.inbox.receive(write("em tên Nguyễn Thị Hoà, ở Pleiku", user="one"))
    await core.inbox.receive(write("tôi là Trần Văn Hùng", user="two"))
    assert await found(core, asked) == ["one"]


async def test_quoted_words_stand_together(core: ConversationCore, write: Write):
    await core.inbox.receive(write("hoa của chị Nguyễn Thị Mai", user="one"))
    assert await found(core, "nguyen thi hoa") == ["one"]
    assert await found(core, '"nguyen thi hoa"') == []


@pytest.mark.parametrize("asked", ["0905123456", "0905 123 456", "+84905123456", "0905123"])
@pytest.mark.parametrize("written", ["0905.123.456", "0905123456", "0905 123 456"])
async def test_numbers_are_found_however_they_are_written(
    core: ConversationCore, write: Write, asked: str, written: str
):
    await core.inbox.receive(write(f"số của em {written} nhé", user="one"))
    assert await found(core, asked) == ["one"]


async def test_the_newest_hit_comes_first_each_conversation_once_page_by_page(
    core: ConversationCore, write: Write
):
    for user in ("a", "b", "c"):
        for _ in range(3):
            await core.inbox.receive(write("xin cấp lại sổ hộ khẩu", user=user))
        await core.search.catch_up()
    wanted = ConversationFilter(text="so ho khau")
    first = await core.desk.inbox(wanted, limit=2)
    assert [view.external_user_id for view in first.conversations] == ["c", "b"]
    assert first.next is not None
    rest = await core.desk.inbox(wanted, after=first.next, limit=2)
    assert [view.external_user_id for view in rest.conversations if view not in first.conversations] == ["a"]
    hit = first.hits[first.conversations[0].id]
    assert (hit.kind, hit.sequence) == ("message", 3)
    assert "sổ hộ khẩu" in hit.snippet


async def test_filters_apply_to_what_is_found(core: ConversationCore, write: Write):
    await core.inbox.receive(write("đèn đường hỏng", user="a"))
    received = await core.inbox.receive(write("đèn đường hỏng", user="b"))
    await core.desk.claim(received.conversation_id, "op1")
    assert await found(core, "den duong", owner="person", assigned_to="op1") == ["b"]
    assert await found(core, "den duong", owner="queue") == []


async def test_what_operators_say_is_found_too_and_numbers_are_masked_in_lists(
    core: ConversationCore, write: Write
):
    received = await core.inbox.receive(write("xin chào", user="a"))
    await core.desk.claim(received.conversation_id, "op1")
    await core.desk.reply(received.conversation_id, "op1", "Anh gọi số 0905123456 gặp chị Lan", key="k")
    await core.search.catch_up()
    page = await core.desk.inbox(ConversationFilter(text="chi lan"))
    assert "0905123456" not in page.hits[received.conversation_id].snippet


async def test_tickets_are_found_by_code_name_and_number(
    core: ConversationCore, database: Database, clock: Any, write: Write
):
    received = await core.inbox.receive(write("phản ánh", user="a"))
    draft = TicketDraft(
        kind=TicketKind.REPORT,
        content="Ổ gà trước cổng trường",
        name="Siu H'Lan",
        phone="0914555666",
        address="Ayun Pa",
        channel="webchat",
        conversation_id=received.conversation_id,
        consent=True,
    )
    ticket = await TicketService(database, clock).open(draft, origin_key=new_id())
    for asked in (ticket.code, ticket.code.replace("-", ""), "siu lan", "0914 555 666", "o ga cong truong"):
        assert await found(core, asked) == ["a"], asked


async def test_what_is_taken_back_or_deleted_is_not_found(
    core: ConversationCore, database: Database, clock: Any, write: Write
):
    first = await core.inbox.receive(write("bí mật thứ nhất", user="a"))
    clock.forward(seconds=1)
    second = await core.inbox.receive(write("bí mật thứ hai", user="b"))
    assert await found(core, "bi mat") == ["b", "a"]
    async with database.write() as session:
        await session.execute(text("UPDATE messages SET text = '' WHERE id = :id"), {"id": first.message_id})
        await session.execute(text("DELETE FROM messages WHERE id = :id"), {"id": second.message_id})
    assert await found(core, "bi mat") == []


async def test_handling_a_message_does_not_take_it_out(core: ConversationCore, write: Write):
    await core.inbox.receive(write("lệ phí khai sinh", user="a"))
    await core.search.catch_up()
    await core.worker.work_off()
    await core.outbox.settle()
    assert await found(core, "le phi khai sinh") == ["a"]


async def test_catching_up_twice_adds_nothing(core: ConversationCore, write: Write):
    await core.inbox.receive(write("xin chào các anh chị", user="a"))
    assert await core.search.catch_up() >= 1
    assert await core.search.catch_up() == 0


@pytest.mark.parametrize(
    "asked", ["", "  ", "?!", '""', "'; DROP TABLE x", "a:* & b", "NEAR(a b)", "%", "\\"]
)
async def test_any_text_can_be_looked_for(core: ConversationCore, write: Write, asked: str):
    await core.inbox.receive(write("xin chào", user="one"))
    await found(core, asked)


@pytest.mark.parametrize("after", ["x", "-1", "9" * 30, ""])
async def test_strange_places_are_refused(core: ConversationCore, after: str):
    with pytest.raises(BadPlaceError):
        await core.desk.inbox(ConversationFilter(text="xin chao"), after=after)


def test_words():
    assert indexed_words("Nguyễn Thị Hoà") == indexed_words("Nguyễn Thị Hòa") == "nguyen thi hoa"
    assert indexed_words("mã GL-2026-000123") == "ma gl 2026 000123 gl2026000123"
    assert wanted_words('gọi 0905 123 456 "thị hoà"').words == ("0905123456", "goi")
    assert wanted_words('gọi 0905 123 456 "thị hoà"').phrases == (("thi", "hoa"),)
    assert national_number(" 0905.123.456") == "0905123456"
    assert national_number("không có số") is None
