"""What a provider tells besides messages: again and in any order it changes nothing more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text

from conversations.channel_events import Echo, OtherEvent, Receipt, Relation, Withdrawal
from conversations.core import ConversationCore
from conversations.errors import StorageUnavailableError
from conversations.intake_models import ChannelEventRow
from conversations.schemas import Attachment, Capabilities, InboundMessage, SendResult
from database.engine import Database
from tests.conversations.conftest import FakeBot, HandClock, Provider


class Account(Provider):
    """A provider whose webhooks come in any order and which echoes."""

    name = "zalo"
    capabilities = Capabilities(
        max_text=2_000,
        buttons=False,
        window=timedelta(hours=48),
        reorders=True,
        echoes=True,
    )


@pytest.fixture
def account(core: ConversationCore) -> Account:
    made = Account()
    core.add_channel(made)
    return made


@pytest.fixture
def said(clock: HandClock) -> Callable[..., InboundMessage]:
    numbers = iter(range(1, 1_000))

    def make(words: str, **more: Any) -> InboundMessage:
        values = {
            "channel": "zalo",
            "external_user_id": "u1",
            "provider_message_id": f"in{next(numbers)}",
            "provider_timestamp": clock.now(),
        }
        return InboundMessage(**{**values, "text": words, **more})

    return make


async def work(core: ConversationCore, clock: HandClock) -> None:
    clock.forward(seconds=1)
    await core.worker.work_off()
    await core.outbox.settle()


async def answer_one(core: ConversationCore, clock: HandClock, said: Any, words: str = "lệ phí?") -> str:
    """Receive and answer one message; return the conversation's id."""
    taken = await core.intake.receive(said(words))
    await work(core, clock)
    return taken.conversation_id


# --- order ------------------------------------------------------------------------------------------------


async def test_a_message_that_comes_late_is_answered_in_the_order_of_saying(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    early = clock.now()
    await core.intake.receive(said("câu hai?", provider_timestamp=early + timedelta(seconds=1)))
    clock.forward(milliseconds=200)
    await core.intake.receive(said("câu một?", provider_timestamp=early))
    await work(core, clock)
    assert account.texts == ["bot: câu một?", "bot: câu hai?"]


async def test_nothing_is_worked_on_before_it_has_settled(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, fake_bot: FakeBot
):
    taken = await core.intake.receive(said("câu một?"))
    outcome = await core.dispatcher.handle(taken.conversation_id)
    assert not outcome.handled
    assert 0 < outcome.wait <= 0.3
    assert fake_bot.asked == []
    await work(core, clock)
    assert account.texts == ["bot: câu một?"]


async def test_an_emergency_does_not_wait(
    core: ConversationCore, account: Account, said: Any, clock: HandClock
):
    await core.intake.receive(said("cháy nhà rồi cứu với"))
    await core.outbox.settle()
    assert "114" in account.texts[0]


# --- receipts ---------------------------------------------------------------------------------------------


async def test_receipts_by_id_and_by_watermark(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    conversation = await answer_one(core, clock, said)
    _question, answer = await core.inbox.history(conversation)
    assert answer.provider_message_id is not None
    at = clock.now()
    delivered = Receipt("zalo", "u1", "delivered", at, provider_message_ids=(answer.provider_message_id,))
    for _ in range(2):
        await core.intake.note(delivered)
    clock.forward(minutes=1)
    await core.intake.note(Receipt("zalo", "u1", "read", clock.now(), watermark=clock.now()))
    answer = (await core.inbox.history(conversation))[1]
    assert (answer.delivered_at, answer.read_at) == (at, clock.now())


async def test_a_watermark_says_nothing_of_what_was_sent_later(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    conversation = await answer_one(core, clock, said)
    watermark = clock.now()
    clock.forward(minutes=5)
    await answer_one(core, clock, said, "thời hạn?")
    await core.intake.note(Receipt("zalo", "u1", "read", clock.now(), watermark=watermark))
    first, second = [one for one in await core.inbox.history(conversation) if one.direction == "out"]
    assert first.read_at is not None
    assert second.read_at is None


async def test_a_receipt_that_is_quicker_than_the_send_call_is_kept(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    at = clock.now()
    account.next = [SendResult.accepted("p1")]
    await core.intake.note(Receipt("zalo", "u1", "delivered", at, provider_message_ids=("p1",)))
    conversation = await answer_one(core, clock, said)
    assert (await core.inbox.history(conversation))[1].delivered_at == at


# --- echoes -----------------------------------------------------------------------------------------------


async def test_our_own_echo_changes_nothing(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    conversation = await answer_one(core, clock, said)
    answer = (await core.inbox.history(conversation))[1]
    await core.intake.note(Echo("zalo", "u1", f"p-{answer.id}", clock.now(), text=answer.text))
    await core.intake.note(
        Echo("zalo", "u1", f"p-{answer.id}", clock.now(), text=answer.text, our_id=answer.id)
    )
    view = await core.inbox.conversation(conversation)
    assert view is not None
    assert view.owner == "bot"
    assert len(await core.inbox.history(conversation)) == 2


@pytest.mark.parametrize("by_id", [True, False])
async def test_an_echo_settles_what_the_send_call_left_open(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, by_id: bool
):
    account.next = [SendResult.transient("timeout")]
    conversation = await answer_one(core, clock, said)
    answer = (await core.inbox.history(conversation))[1]
    assert answer.state == "pending"
    await core.intake.note(
        Echo("zalo", "u1", "p9", clock.now(), text=answer.text, our_id=answer.id if by_id else None)
    )
    clock.forward(minutes=10)
    await core.outbox.sweep()
    await core.outbox.settle()
    answer = (await core.inbox.history(conversation))[1]
    assert (answer.state, answer.provider_message_id) == ("sent", "p9")
    assert account.taken == []  # sent once, by the call that was cut off


async def test_an_echo_before_the_send_call_returns_is_not_doubled(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    async def echo_first(message: Any) -> SendResult:
        await core.intake.note(Echo("zalo", "u1", "p5", clock.now(), text=message.text))
        return SendResult.accepted("p5")

    account.send = echo_first  # type: ignore[method-assign]
    conversation = await answer_one(core, clock, said)
    shown = await core.inbox.history(conversation)
    assert [(one.direction, one.state) for one in shown] == [("in", "done"), ("out", "sent")]


async def test_somebody_who_answers_in_the_providers_tool_silences_the_bot(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, fake_bot: FakeBot
):
    conversation = await answer_one(core, clock, said)
    foreign = Echo("zalo", "u1", "x1", clock.now(), text="Chào bác, em xử lý rồi ạ.", from_elsewhere=True)
    for _ in range(2):
        await core.intake.note(foreign)
    shown = await core.inbox.history(conversation)
    assert [(one.author, one.author_id, one.state) for one in shown[2:]] == [("operator", None, "sent")]
    thread = await core.desk.open(conversation)
    view = thread.conversation
    assert (view.owner, view.assigned_to, view.unread) == ("person", None, 1)
    [step] = thread.events
    assert (step.kind, step.actor, step.after_sequence) == ("answered_elsewhere", "system", 2)
    assert step.reason == "người khác trả lời bằng công cụ của Zalo"
    asked = len(fake_bot.asked)
    await answer_one(core, clock, said, "cảm ơn em")
    assert len(fake_bot.asked) == asked
    assert len(account.taken) == 1
    # It comes back when an operator takes it here and gives it back.
    await core.desk.claim(conversation, "op1")
    again = Echo("zalo", "u1", "x2", clock.now(), text="Bác cần gì thêm ạ?", from_elsewhere=True)
    await core.intake.note(again)
    kinds = [step.kind for step in (await core.desk.open(conversation)).events]
    assert kinds == ["answered_elsewhere", "claimed", "answered_elsewhere"]
    await core.desk.hand_back(conversation, "op1")
    await answer_one(core, clock, said, "thời hạn?")
    assert account.texts[-1] == "bot: thời hạn?"


async def test_it_also_comes_back_after_a_day_of_silence(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    await core.intake.note(Echo("zalo", "u1", "x1", clock.now(), text="Chào bác.", from_elsewhere=True))
    clock.forward(hours=25)
    await answer_one(core, clock, said)
    assert account.texts == ["bot: lệ phí?"]


async def test_an_echo_of_nothing_we_wrote_is_only_kept(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, database: Database
):
    conversation = await answer_one(core, clock, said)
    await core.intake.note(Echo("zalo", "u1", "g1", clock.now(), text="Lời chào tự động của OA"))
    assert len(await core.inbox.history(conversation)) == 2
    async with database.read() as session:
        assert (await session.scalars(select(ChannelEventRow.name))).all() == ["echo"]


# --- withdrawals ------------------------------------------------------------------------------------------


class Learned:
    """Whoever learns: notes what it has to forget."""

    def __init__(self) -> None:
        self.withdrawn: list[str] = []

    async def withdraw(self, _session: Any, message_id: str) -> None:
        self.withdrawn.append(message_id)


async def test_what_is_taken_back_is_gone(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, database: Database
):
    learned = Learned()
    core.intake._learned = learned
    message = said("số nhà tôi là 12 Trần Phú", attachments=(Attachment(kind="image", file_id="f1"),))
    taken = await core.intake.receive(message)
    await work(core, clock)
    withdrawal = Withdrawal("zalo", "u1", message.provider_message_id, clock.now())
    for _ in range(2):
        await core.intake.note(withdrawal)
    question = (await core.inbox.history(taken.conversation_id))[0]
    assert (question.text, question.payload, question.turn) == ("", {}, None)
    assert question.withdrawn_at == clock.now()
    assert learned.withdrawn == [taken.message_id]
    view = await core.inbox.conversation(taken.conversation_id)
    assert view is not None
    assert view.last_message == "Tin nhắn đã được người gửi thu hồi"
    async with database.read() as session:
        rows = (await session.execute(text("SELECT * FROM messages WHERE direction = 'in'"))).all()
    assert "Trần Phú" not in str(rows)


async def test_what_is_taken_back_before_it_was_answered_is_not_answered(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, fake_bot: FakeBot
):
    message = said("câu hỏi nhầm?")
    await core.intake.receive(message)
    await core.intake.note(Withdrawal("zalo", "u1", message.provider_message_id, clock.now()))
    await work(core, clock)
    assert fake_bot.asked == []
    assert account.taken == []


async def test_a_withdrawal_that_overtakes_its_message_holds(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, fake_bot: FakeBot
):
    message = said("cháy nhà cứu với")
    await core.intake.note(Withdrawal("zalo", "u1", message.provider_message_id, clock.now()))
    taken = await core.intake.receive(message)
    await work(core, clock)
    (question,) = await core.inbox.history(taken.conversation_id)
    assert (question.text, question.state) == ("", "done")
    assert question.withdrawn_at is not None
    assert fake_bot.asked == []


# --- the rest ---------------------------------------------------------------------------------------------


async def test_whoever_unfollows_gets_nothing_until_they_write_again(
    core: ConversationCore, account: Account, clock: HandClock, said: Any
):
    conversation = await answer_one(core, clock, said)
    await core.intake.note(Relation("zalo", "u1", "unfollow", clock.now()))
    view = (await core.desk.open(conversation)).conversation
    assert view.sending is not None
    assert not view.sending.person
    assert "bỏ quan tâm" in (view.sending.reason or "")
    await core.desk.claim(conversation, "op1")
    await core.desk.reply(conversation, "op1", "Chào bác", key="k1")
    await core.outbox.settle()
    reply = (await core.inbox.history(conversation))[-1]
    assert reply.state == "failed"
    assert "bỏ quan tâm" in (reply.reason or "")
    clock.forward(seconds=5)
    await core.intake.receive(said("alo"))
    view = (await core.desk.open(conversation)).conversation
    assert view.sending is not None
    assert view.sending.person


async def test_other_events_are_kept_once_and_forgotten_after_thirty_days(
    core: ConversationCore, clock: HandClock, database: Database
):
    event = OtherEvent("zalo", "user_dances", {"sender": {"id": "u1"}}, clock.now())
    for _ in range(3):
        await core.intake.note(event)
    async with database.read() as session:
        (row,) = (await session.scalars(select(ChannelEventRow))).all()
    assert (row.name, row.known, row.payload) == ("user_dances", False, {"sender": {"id": "u1"}})
    clock.forward(days=29)
    assert await core.intake.forget() == 0
    clock.forward(days=2)
    assert await core.intake.forget() == 1


async def test_while_the_database_is_away_the_provider_is_told_to_come_again(
    core: ConversationCore, account: Account, clock: HandClock, said: Any, database: Database
):
    async with database.engine.begin() as connection:
        for table in ("early_signs", "channel_events", "media_fetches", "messages"):
            await connection.execute(text(f"DROP TABLE {table}"))
    at: datetime = clock.now()
    for event in (
        Receipt("zalo", "u1", "read", at, provider_message_ids=("p1",)),
        Echo("zalo", "u1", "p1", at, text="a", from_elsewhere=True),
        Withdrawal("zalo", "u1", "p1", at),
        OtherEvent("zalo", "x", {}, at),
    ):
        with pytest.raises(StorageUnavailableError):
            await core.intake.note(event)
    burning = said("cháy nhà rồi cứu với")
    for _ in range(2):
        with pytest.raises(StorageUnavailableError):
            await core.intake.receive(burning)
    await core.outbox.stop()
    # Said at once, and once.
    assert len(account.texts) == 1
    assert "114" in account.texts[0]
