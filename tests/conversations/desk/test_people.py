"""Who is behind several conversations: suggested, decided by an operator, undone completely; and calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conversations.core import ConversationCore
from conversations.desk.errors import InvalidNumberError, InvalidReasonError, MergeRefusedError
from conversations.errors import (
    ConversationNotFoundError,
    HeldByOtherError,
    InvalidReplyError,
    NotHeldError,
)
from conversations.schemas import ConversationFilter, InboundMessage
from database.base import new_id
from database.engine import Database
from tickets.schemas import TicketDraft, TicketKind
from tickets.service import TicketService

Write = Callable[..., InboundMessage]


async def talk(core: ConversationCore, write: Write, clock: Any, *users: str) -> list[str]:
    ids = []
    for user in users:
        received = await core.inbox.receive(write(f"em là {user}", user=user))
        clock.forward(seconds=1)
        ids.append(received.conversation_id)
    return ids


async def suggested(core: ConversationCore, conversation_id: str) -> set[str]:
    return {found.conversation.id for found in await core.people.suggestions(conversation_id)}


async def test_a_shared_number_is_suggested_and_never_merged_by_itself(
    core: ConversationCore, database: Database, clock: Any, write: Write
):
    first, second, third = await talk(core, write, clock, "a", "b", "c")
    await core.people.add_contact(first, "0905 123 456", "contact", name="Lan")
    draft = TicketDraft(
        kind=TicketKind.REPORT,
        content="Đèn hỏng",
        name="Nguyễn Thị Lan",
        phone="0905123456",
        address="Pleiku",
        channel="webchat",
        conversation_id=second,
        consent=True,
    )
    await TicketService(database, clock).open(draft, origin_key=new_id())
    [other] = await core.people.suggestions(first)
    assert (other.conversation.id, other.phones, other.names) == (
        second,
        ("0905123456",),
        ("Nguyễn Thị Lan",),
    )
    assert await suggested(core, third) == set()
    assert await core.people.person(first) is None


async def test_merging_and_undoing_restores_what_was(core: ConversationCore, clock: Any, write: Write):
    a, b, c, d = await talk(core, write, clock, "a", "b", "c", "d")
    for each in (a, b):
        await core.people.add_contact(each, "0905123456", "call")
    first = await core.people.merge([a, b], "op1", reason="cùng số điện thoại")
    assert await suggested(core, a) == set()
    second = await core.people.merge([c, d], "op1", reason="cùng tên, cùng địa chỉ")
    third = await core.people.merge([b, d], "op2", reason="chị ấy nói vậy")
    person = await core.people.person(a)
    assert person is not None
    assert {view.id for view in person.conversations} == {a, b, c, d}
    with pytest.raises(MergeRefusedError) as raised:
        await core.people.unmerge(first.id, "op1", reason="nhầm")
    assert raised.value.problem == "superseded"
    undone = await core.people.unmerge(third.id, "op2", reason="nhầm người")
    assert (undone.undone_by, undone.undone_reason) == ("op2", "nhầm người")
    people = {each: await core.people.person(each) for each in (a, b, c, d)}
    assert all(person is not None for person in people.values())
    assert people[a] == people[b]
    assert people[c] == people[d]
    assert [each.id for each in people[a].merges] == [first.id]  # type: ignore[union-attr]
    assert [each.id for each in people[c].merges] == [second.id]  # type: ignore[union-attr]
    with pytest.raises(MergeRefusedError):
        await core.people.unmerge(third.id, "op2", reason="lần nữa")
    await core.people.unmerge(first.id, "op1", reason="nhầm")
    assert await core.people.person(a) is None
    assert await suggested(core, a) == {b}
    kinds = [event.kind for event in (await core.desk.open(b)).events]
    assert kinds == ["merged", "merged", "unmerged", "unmerged"]


async def test_merging_needs_two_and_a_reason(core: ConversationCore, clock: Any, write: Write):
    a, b = await talk(core, write, clock, "a", "b")
    with pytest.raises(InvalidReasonError):
        await core.people.merge([a, b], "op1", reason=" ")
    with pytest.raises(MergeRefusedError):
        await core.people.merge([a, a], "op1", reason="cùng người")
    with pytest.raises(ConversationNotFoundError):
        await core.people.merge([a, "nobody"], "op1", reason="cùng người")
    await core.people.merge([a, b], "op1", reason="cùng người")
    with pytest.raises(MergeRefusedError) as raised:
        await core.people.merge([a, b], "op1", reason="cùng người")
    assert raised.value.problem == "same_person"


async def test_one_history_over_all_channels_page_by_page(core: ConversationCore, clock: Any, write: Write):
    a, b = await talk(core, write, clock, "a", "b")
    call = await core.calls.start("0905123456", "op1")
    await core.calls.note(call.id, "op1", "gọi hỏi kết quả", key="k1")
    await core.people.merge([a, b, call.id], "op1", reason="cùng người")
    newest = await core.people.history(a, limit=2)
    assert [message.text for message in newest] == ["gọi hỏi kết quả", "em là b"]
    rest = await core.people.history(b, before=newest[-1].id)
    assert [message.text for message in rest] == ["em là a"]


async def test_a_number_brings_up_what_is_known(core: ConversationCore, clock: Any, write: Write):
    [chat] = await talk(core, write, clock, "a")
    await core.people.add_contact(chat, "+84 905 123 456", "contact", name="Lan")
    call = await core.calls.start("0905.123.456", "op1", name="Chị Lan")
    known = await core.people.by_number("0905123456")
    assert known.phone == "0905123456"
    assert {view.id for view in known.conversations} == {chat, call.id}
    assert set(known.names) == {"Lan", "Chị Lan"}
    with pytest.raises(InvalidNumberError):
        await core.people.by_number("12")


# --- calls --------------------------------------------------------------------------------------------------


async def test_a_call_is_kept_and_found_and_sends_nothing(core: ConversationCore, provider: Any, clock: Any):
    call = await core.calls.start("0905123456", "op1")
    assert (call.channel, call.owner, call.assigned_to) == ("phone", "person", "op1")
    said = await core.calls.note(call.id, "op1", "Ổ gà ở Lê Lợi", key="k1")
    again = await core.calls.note(call.id, "op1", "Ổ gà ở Lê Lợi", key="k1")
    assert said.id == again.id
    await core.calls.note(call.id, "op1", "Em đã ghi nhận", key="k2", author="operator")
    await core.outbox.sweep()
    await core.outbox.settle()
    assert provider.taken == []
    await core.search.catch_up()
    page = await core.desk.inbox(ConversationFilter(text="o ga le loi"))
    assert [view.id for view in page.conversations] == [call.id]
    ended = await core.calls.end(call.id, "op1", reason="đã lập phiếu")
    assert ended.closed_at is not None
    with pytest.raises(NotHeldError):
        await core.calls.note(call.id, "op1", "còn nữa", key="k3")
    clock.forward(hours=1)
    second = await core.calls.start("0905123456", "op2")
    assert (second.id, second.session) == (call.id, 2)


async def test_a_call_is_one_operators(core: ConversationCore):
    call = await core.calls.start("0905123456", "op1")
    assert (await core.calls.start("0905123456", "op1")).session == call.session
    with pytest.raises(HeldByOtherError):
        await core.calls.start("0905123456", "op2")
    with pytest.raises(HeldByOtherError):
        await core.calls.note(call.id, "op2", "chen vào", key="k")
    with pytest.raises(InvalidNumberError):
        await core.calls.start("không số", "op1")
    for text in ("", "a" * 4_001):
        with pytest.raises(InvalidReplyError):
            await core.calls.note(call.id, "op1", text, key="k")


async def test_a_chat_is_no_call(core: ConversationCore, clock: Any, write: Write):
    [chat] = await talk(core, write, clock, "a")
    with pytest.raises(ConversationNotFoundError):
        await core.calls.end(chat, "op1")
