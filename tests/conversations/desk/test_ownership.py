"""Who has a conversation: claimed once, fairly, given up by silence, taken over, and all of it on record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from conversations.core import ConversationCore
from conversations.desk.errors import InvalidReasonError
from conversations.desk.ownership import SILENCE, operator_topic
from conversations.errors import ConversationNotFoundError, HeldByOtherError, NotHeldError
from conversations.events import DESK
from conversations.schemas import Attachment, ConversationFilter, InboundMessage
from database.engine import Database

Write = Callable[..., InboundMessage]
Waiting = Callable[..., Awaitable[str]]


@pytest.fixture
def waiting(core: ConversationCore, fake_bot: Any, write: Write) -> Waiting:
    """Bring somebody into the queue; return the conversation."""

    async def bring(user: str = "u1", words: str = "xin chào") -> str:
        fake_bot.status = 500
        received = await core.inbox.receive(write(words, user=user))
        await settle(core)
        fake_bot.status = 200
        return received.conversation_id

    return bring


async def settle(core: ConversationCore) -> None:
    await core.worker.work_off()
    await core.outbox.settle()


async def kinds(core: ConversationCore, conversation_id: str) -> list[str]:
    return [event.kind for event in (await core.desk.open(conversation_id)).events]


async def test_every_change_is_on_record_at_its_place(core: ConversationCore, waiting: Waiting, clock: Any):
    conversation_id = await waiting()
    clock.forward(seconds=90)
    await core.desk.claim(conversation_id, "op1")
    await core.desk.release(conversation_id, "op1", reason="hết ca")
    await core.desk.claim(conversation_id, "op2")
    await core.desk.claim(conversation_id, "boss", take_over=True, reason="việc khó")
    await core.desk.hand_back(conversation_id, "boss")
    events = (await core.desk.open(conversation_id)).events
    assert [(event.kind, event.actor, event.reason) for event in events] == [
        ("handed_over", "bot", "Trợ lý tự động không trả lời được"),
        ("claimed", "op1", ""),
        ("released", "op1", "hết ca"),
        ("claimed", "op2", ""),
        ("taken_over", "boss", "việc khó"),
        ("handed_back", "boss", ""),
    ]
    assert events[1].data == {"from": "queue", "waited": 90}
    assert events[4].data == {"from": "person", "held_by": "op2"}
    assert events[0].after_sequence == 1
    assert events[1].after_sequence == 2  # behind what the citizen was told


@pytest.mark.parametrize(
    "statement", ["UPDATE conversation_events SET kind = 'x'", "DELETE FROM conversation_events"]
)
async def test_history_cannot_be_changed(
    core: ConversationCore, database: Database, waiting: Waiting, statement: str
):
    await waiting()
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.write() as session:
            await session.execute(text(statement))


async def test_of_two_who_claim_at_once_one_gets_it_200_times(core: ConversationCore, waiting: Waiting):
    conversation_id = await waiting()
    for turn in range(200):
        results = await asyncio.gather(
            core.desk.claim(conversation_id, f"a{turn}"),
            core.desk.claim(conversation_id, f"b{turn}"),
            return_exceptions=True,
        )
        [winner] = [result for result in results if not isinstance(result, BaseException)]
        [refused] = [result for result in results if isinstance(result, BaseException)]
        assert isinstance(refused, HeldByOtherError)
        assert refused.held_by == winner.assigned_to
        held_by = winner.assigned_to
        assert held_by is not None
        await core.desk.release(conversation_id, held_by)


async def test_the_fairest_is_next_and_each_gets_another(
    core: ConversationCore, waiting: Waiting, clock: Any
):
    waits = []
    for user in "abcd":
        waits.append(await waiting(user))
        clock.forward(seconds=10)
    await core.desk.mark_urgent(waits[2], "boss", urgent=True, reason="người già một mình")
    first = await core.desk.claim_next("op1")
    assert first is not None
    assert first.id == waits[2]
    rest = await asyncio.gather(*(core.desk.claim_next(f"op{n}") for n in range(2, 5)))
    assert {view.id for view in rest if view is not None} == {waits[0], waits[1], waits[3]}
    assert await core.desk.claim_next("op9") is None


async def test_an_emergency_goes_first(core: ConversationCore, waiting: Waiting, clock: Any, write: Write):
    first = await waiting("a")
    clock.forward(seconds=60)
    second = await waiting("b")
    await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với", user="b"))
    await settle(core)
    queue = (await core.desk.inbox(ConversationFilter(owner="queue"))).conversations
    assert [view.id for view in queue] == [second, first]
    assert (await kinds(core, second))[-1] == "urgent"
    detail = await core.desk.open(first)
    assert detail.position == 2


async def test_voice_after_an_emergency_goes_first(
    core: ConversationCore, waiting: Waiting, clock: Any, write: Write
):
    await waiting("a")
    await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với", user="b"))
    clock.forward(seconds=60)
    voice = Attachment(kind="voice", url="https://example.org/a.ogg")
    received = await core.inbox.receive(write("", user="b", kind="voice", attachments=(voice,)))
    await settle(core)
    taken = await core.desk.claim_next("op1")
    assert taken is not None
    assert taken.id == received.conversation_id


async def test_a_silent_holder_loses_it_first_to_others_then_to_the_queue(
    core: ConversationCore, waiting: Waiting, clock: Any
):
    conversation_id = await waiting()
    waits_since = (await core.desk.open(conversation_id)).conversation.waiting_since
    await core.desk.claim(conversation_id, "op1")
    clock.forward(seconds=SILENCE.total_seconds() - 1)
    assert not (await core.desk.open(conversation_id)).is_abandoned
    with pytest.raises(HeldByOtherError):
        await core.desk.claim(conversation_id, "op2")
    clock.forward(seconds=2)
    assert (await core.desk.open(conversation_id)).is_abandoned
    assert conversation_id in (await core.desk.inbox()).abandoned
    async with core.events.subscribe(operator_topic("op1")) as told:
        await core.desk.claim(conversation_id, "op2")
        assert told.get_nowait()["type"] == "taken_over"
    with pytest.raises(HeldByOtherError):
        await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    clock.forward(seconds=2 * SILENCE.total_seconds() + 1)
    async with core.events.subscribe(operator_topic("op2")) as told:
        assert await core.desk.return_silent() == 1
        assert told.get_nowait()["type"] == "returned"
    thread = await core.desk.open(conversation_id)
    assert (thread.conversation.owner, thread.conversation.assigned_to) == ("queue", None)
    assert thread.conversation.waiting_since == waits_since
    assert thread.events[-1].data == {"held_by": "op2"}
    assert await core.desk.return_silent() == 0


async def test_a_holder_who_answers_or_writes_keeps_it(
    core: ConversationCore, waiting: Waiting, clock: Any, write: Write
):
    conversation_id = await waiting()
    await core.desk.claim(conversation_id, "op1")
    clock.forward(seconds=SILENCE.total_seconds())
    await core.desk.keep(conversation_id, "op1")
    clock.forward(seconds=SILENCE.total_seconds())
    assert not (await core.desk.open(conversation_id)).is_abandoned
    await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    clock.forward(hours=3)
    assert await core.desk.return_silent() == 0
    await core.inbox.receive(write("dạ em hỏi thêm"))
    await settle(core)
    clock.forward(seconds=2 * SILENCE.total_seconds() + 1)
    assert await core.desk.return_silent() == 1


async def test_closed_then_written_to_goes_to_the_bot_and_shows_what_was(
    core: ConversationCore, waiting: Waiting, clock: Any, write: Write
):
    conversation_id = await waiting()
    await core.desk.claim(conversation_id, "op1")
    await core.desk.close(conversation_id, "op1", reason="đã xong")
    clock.forward(hours=2)
    await core.inbox.receive(write("lệ phí?"))
    await settle(core)
    thread = await core.desk.open(conversation_id)
    assert thread.conversation.owner == "bot"
    assert thread.conversation.last_held_by == "op1"
    assert [event.kind for event in thread.events][-2:] == ["closed", "new_session"]
    assert len(thread.messages) == 5  # the history is still there


async def test_closed_is_taken_up_again_by_claiming(core: ConversationCore, waiting: Waiting):
    conversation_id = await waiting()
    await core.desk.claim(conversation_id, "op1")
    await core.desk.close(conversation_id, "op1")
    with pytest.raises(NotHeldError):
        await core.desk.reply(conversation_id, "op1", "Còn một điều", key="k1")
    view = await core.desk.claim(conversation_id, "op1")
    assert (view.owner, view.closed_at) == ("person", None)
    assert (await kinds(core, conversation_id))[-1] == "reopened"


async def test_a_day_later_the_bot_has_it_again_on_record(
    core: ConversationCore, waiting: Waiting, clock: Any, write: Write
):
    conversation_id = await waiting()
    await core.desk.claim(conversation_id, "op1")
    await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    clock.forward(hours=25)
    await core.inbox.receive(write("lệ phí?"))
    await settle(core)
    thread = await core.desk.open(conversation_id)
    assert thread.conversation.owner == "bot"
    assert thread.events[-1].data == {"held_by": "op1"}


async def test_reasons_are_one_short_line(core: ConversationCore, waiting: Waiting):
    conversation_id = await waiting()
    view = await core.desk.claim(conversation_id, "op1", reason=" nhận \n giúp ")
    assert view.assigned_to == "op1"
    assert (await core.desk.open(conversation_id)).events[-1].reason == "nhận giúp"
    with pytest.raises(InvalidReasonError):
        await core.desk.release(conversation_id, "op1", reason="a" * 501)
    assert (await core.desk.open(conversation_id)).conversation.owner == "person"


async def test_what_is_not_there_is_said_so(core: ConversationCore):
    for act in (core.desk.claim, core.desk.release, core.desk.hand_back, core.desk.close):
        with pytest.raises(ConversationNotFoundError):
            await act("nothing", "op1")


async def test_the_citizen_is_told_how_long_it_takes(
    core: ConversationCore, waiting: Waiting, clock: Any, provider: Any
):
    conversation_id = await waiting("z")
    assert "chưa ước được" in provider.texts[-1]
    await core.desk.claim(conversation_id, "op1")
    for number in range(3):
        other = await waiting(f"w{number}")
        clock.forward(minutes=4)
        await core.desk.claim(other, "op1")
    clock.forward(minutes=1)
    await core.waits.refresh()
    await waiting("y")
    assert "khoảng 4 phút" in provider.texts[-1]


async def test_consoles_are_told(core: ConversationCore, waiting: Waiting):
    conversation_id = await waiting()
    async with core.events.subscribe(DESK) as told:
        await core.desk.claim(conversation_id, "op1")
        assert told.get_nowait() == {"type": "owner", "conversation": conversation_id, "owner": "person"}


async def test_hand_over_is_recorded_with_what_the_bot_was_thinking_of(
    core: ConversationCore, database: Database, fake_bot: Any, write: Write
):
    from conversations.desk.schemas import Entry

    def answer(body: dict[str, Any]) -> dict[str, Any]:
        asked = body["text"] == "gặp người"
        turn = {
            "route": "handoff" if asked else "answer",
            "procedures": [] if asked else [{"code": "1.001193", "score": 0.9}],
            "handoff": {"reason": "Người dân xin gặp người trực", "code": "asked_for"} if asked else None,
        }
        name = "ask_human" if asked else "ask_fee"
        return {
            "intent": {"name": name, "confidence": 0.97},
            "messages": [{"text": "Dạ.", "buttons": [], "turn": turn}],
        }

    fake_bot.reply = answer
    await core.inbox.receive(write("lệ phí khai sinh?"))
    await settle(core)
    received = await core.inbox.receive(write("gặp người"))
    await settle(core)
    handoff = (await core.desk.open(received.conversation_id)).handoff
    assert handoff is not None
    assert (handoff.reason, handoff.code) == ("Người dân xin gặp người trực", "asked_for")
    assert (handoff.intent, handoff.confidence) == ("ask_human", 0.97)
    assert handoff.entries == (Entry("1.001193", ""),)
    assert handoff.message_id == received.message_id


def test_silence_is_some_minutes():
    assert timedelta(minutes=1) <= SILENCE <= timedelta(minutes=30)
