"""A provider that is down, refuses us, limits us or has a window: nothing lost, doubled or out of order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from conversations import arrival, repository
from conversations.channel_events import Echo
from conversations.claims import ClaimNames
from conversations.core import ConversationCore
from conversations.outbox import Outbox
from conversations.replies import split_text
from conversations.schemas import (
    Capabilities,
    InboundMessage,
    OutboundFile,
    OutboundMessage,
    SendResult,
)
from database.base import new_id
from database.engine import Database
from tests.conversations.conftest import FakeBot, HandClock, Provider, say

DOWN = SendResult.transient("http_503")


class Account(Provider):
    """A provider that may be down altogether."""

    name = "messenger"

    def __init__(self, **able: Any) -> None:
        super().__init__()
        self.capabilities = Capabilities(**{"max_text": 2_000, "buttons": True, **able})
        self.always: SendResult | None = None
        self.tries = 0
        self.typed: list[str] = []

    async def send(self, message: OutboundMessage) -> SendResult:
        self.tries += 1
        return self.always if self.always is not None else await super().send(message)

    async def typing(self, external_user_id: str) -> None:
        self.typed.append(external_user_id)


@pytest.fixture
def account(core: ConversationCore) -> Account:
    made = Account(window=timedelta(hours=24), person_window=timedelta(days=7), echoes=True, typing=True)
    core.add_channel(made)
    return made


@pytest.fixture
def ask(core: ConversationCore) -> Callable[..., Any]:
    numbers = iter(range(1, 1_000))

    async def receive(words: str, user: str = "u1", channel: str = "messenger") -> str:
        message = InboundMessage(
            channel=channel, external_user_id=user, provider_message_id=f"in{next(numbers)}", text=words
        )
        taken = await core.intake.receive(message)
        await core.worker.work_off()
        await core.outbox.settle()
        return taken.conversation_id

    return receive


async def pass_time(core: ConversationCore, clock: HandClock, seconds: float) -> None:
    clock.forward(seconds=seconds)
    await core.outbox.sweep()
    await core.outbox.settle()


async def test_a_provider_that_is_down_is_left_alone_and_drained_when_it_is_back(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    account.always = DOWN
    for number in range(20):
        await ask(f"câu {number}?", user=f"u{number % 5}")
        clock.forward(milliseconds=100)
    # Three failures in a row; the others have not even been tried.
    assert account.tries == 3
    assert core.outbox.circuit("messenger").state == "down"
    for _ in range(60):
        await pass_time(core, clock, 2)
    assert account.tries <= 3 + 60
    account.always = None
    await pass_time(core, clock, 2)
    assert [sorted(account.texts), len(account.texts)] == [
        sorted(f"bot: câu {number}?" for number in range(20)),
        20,
    ]
    for user in range(5):
        own = [one.text for one in account.taken if one.external_user_id == f"u{user}"]
        assert own == [f"bot: câu {number}?" for number in range(20) if number % 5 == user]
    assert await core.inbox.backlog() == {}


async def test_waiting_for_a_provider_uses_up_no_tries(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    account.always = DOWN
    conversation = await ask("câu?")
    for _ in range(500):
        await pass_time(core, clock, 3)
    answer = (await core.inbox.history(conversation))[1]
    assert answer.state == "pending"
    account.always = None
    await pass_time(core, clock, 3)
    assert account.texts == ["bot: câu?"]


async def test_one_message_that_always_fails_does_not_stop_the_others(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    async def send(message: OutboundMessage) -> SendResult:
        if message.external_user_id == "bad":
            return SendResult.transient("http_500")
        account.taken.append(message)
        return SendResult.accepted(f"p-{message.id}")

    account.send = send  # type: ignore[method-assign]
    bad = await ask("câu hỏng?", user="bad")
    for number in range(40):
        await ask(f"câu {number}?", user="good")
        await pass_time(core, clock, 700)
    assert len(account.taken) == 40
    assert (await core.inbox.history(bad))[1].state == "failed"


async def test_refused_credentials_pause_the_channel_until_they_work_again(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    account.always = SendResult.auth("token_invalid")
    first = await ask("câu 1?")
    await ask("câu 2?")
    assert account.tries == 1
    assert core.outbox.circuit("messenger").state == "auth"
    assert (await core.inbox.history(first))[1].state == "pending"
    account.always = None
    await pass_time(core, clock, 11)
    assert account.texts == ["bot: câu 1?", "bot: câu 2?"]


async def test_the_pause_a_provider_asks_for_is_kept(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    account.next = [SendResult.transient("rate_limited", retry_after=30)]
    await ask("câu 1?")
    await pass_time(core, clock, 29)
    assert account.tries == 1
    await pass_time(core, clock, 2)
    assert account.texts == ["bot: câu 1?"]


async def test_another_channel_goes_on(
    core: ConversationCore, account: Account, provider: Provider, clock: HandClock, ask: Any
):
    account.always = DOWN
    for number in range(4):
        await ask("câu?", user=f"u{number}")
    await ask("câu web?", channel="webchat")
    assert provider.texts == ["bot: câu web?"]


async def test_the_window_is_asked_before_the_provider_is(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    conversation = await ask("câu?")
    await core.desk.claim(conversation, "op1")
    clock.forward(hours=30)
    view = (await core.desk.open(conversation)).conversation
    assert view.sending is not None
    assert view.last_heard_at is not None
    assert (view.sending.bot, view.sending.person) == (False, True)
    assert view.sending.until == view.last_heard_at + timedelta(days=7)
    await core.desk.reply(conversation, "op1", "Hôm nay đã xong ạ.", key="k1")
    await core.outbox.settle()
    assert account.texts[-1] == "Hôm nay đã xong ạ."
    clock.forward(days=7)
    tries = account.tries
    await core.desk.reply(conversation, "op1", "Bác còn cần gì không?", key="k2")
    await core.outbox.settle()
    late = (await core.inbox.history(conversation))[-1]
    assert (late.state, late.error, account.tries) == ("failed", "outside_window", tries)
    assert "thời hạn" in (late.reason or "")


async def test_what_cannot_be_sent_goes_by_another_channel_of_the_same_person(
    core: ConversationCore, provider: Provider, clock: HandClock
):
    first = Account(window=timedelta(hours=24))
    core.add_channel(first)
    core.add_channel(provider)

    async def receive(channel: str) -> str:
        message = InboundMessage(
            channel=channel, external_user_id="u1", provider_message_id=f"in-{channel}", text="câu?"
        )
        conversation: str = (await core.intake.receive(message)).conversation_id
        await core.worker.work_off()
        await core.outbox.settle()
        return conversation

    there, here = await receive("messenger"), await receive("webchat")
    await core.people.merge([there, here], "op1", reason="cùng số điện thoại")
    await core.desk.claim(there, "op1")
    clock.forward(hours=30)
    await core.desk.reply(there, "op1", "Đã sửa xong đèn đường.", key="k1")
    await core.outbox.settle()
    assert provider.texts[-1].endswith("Đã sửa xong đèn đường.")
    assert "Messenger" in provider.texts[-1]
    original = (await core.inbox.history(there))[-1]
    assert (original.state, original.error) == ("failed", "moved:webchat")
    assert "khung chat trên web" in (original.reason or "")
    assert len(first.taken) == 1


async def test_after_a_crash_a_message_waits_for_its_echo_before_it_is_sent_again(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any, database: Database
):
    dead = ClaimNames()
    account.always = DOWN
    conversation = await ask("câu 1?")
    await ask("câu 2?")
    account.always = None
    clock.forward(seconds=5)
    # Another process takes the conversation, and is killed while it sends.
    row = (await core.inbox.history(conversation))[1]
    async with database.write() as session:
        claim = dead.new()
        taken = await repository.claim_send(
            session, conversation, claim, clock.now(), clock.now() + timedelta(seconds=30)
        )
        assert taken is not None
    dead.retire()
    await core.worker._free_dead_claims()
    await pass_time(core, clock, 4)
    assert account.taken == []
    assert (await core.inbox.history(conversation))[1].error == "in_doubt"
    await core.intake.note(Echo("messenger", "u1", "p7", clock.now(), text=row.text, our_id=row.id))
    await pass_time(core, clock, 4)
    assert account.texts == ["bot: câu 2?"]


async def test_a_claim_that_has_run_out_leaves_its_message_in_doubt(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any, database: Database
):
    account.next = [DOWN]
    conversation = await ask("câu 1?")
    clock.forward(seconds=5)
    # A process that goes on running has the provider's yes, and cannot note it.
    alive = ClaimNames()
    async with database.write() as session:
        until = clock.now() + timedelta(seconds=30)
        assert await repository.claim_send(session, conversation, alive.new(), clock.now(), until)
    await pass_time(core, clock, 31)
    row = (await core.inbox.history(conversation))[1]
    assert (account.taken, row.error) == ([], "in_doubt")
    await core.intake.note(Echo("messenger", "u1", "p7", clock.now(), text=row.text, our_id=row.id))
    await pass_time(core, clock, 60)
    assert account.taken == []
    assert (await core.inbox.history(conversation))[1].state == "sent"


async def test_without_an_echo_it_is_sent_again(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any, database: Database
):
    account.next = [DOWN]
    conversation = await ask("câu 1?")
    clock.forward(seconds=5)
    dead = ClaimNames()
    async with database.write() as session:
        until = clock.now() + timedelta(seconds=30)
        assert await repository.claim_send(session, conversation, dead.new(), clock.now(), until)
    dead.retire()
    await core.worker._free_dead_claims()
    await pass_time(core, clock, 60)
    assert account.texts == ["bot: câu 1?"]


async def test_too_many_choices_are_written_out(
    core: ConversationCore, clock: HandClock, ask: Any, fake_bot: FakeBot
):
    account = Account(most_buttons=2, longest_title=20)
    core.add_channel(account)
    choices = tuple((f"Lựa chọn {number}", f"/choose{number}") for number in range(1, 4))
    fake_bot.reply = lambda body: say("Chọn gì ạ?", buttons=choices)
    await ask("câu?")
    assert account.taken[0].buttons == ()
    assert "3. Lựa chọn 3" in account.taken[0].text
    fake_bot.reply = lambda body: say("Chọn gì ạ?", buttons=choices[:2])
    await ask("câu nữa?")
    assert [button.payload for button in account.taken[1].buttons] == ["/choose1", "/choose2"]
    assert "1." not in account.taken[1].text


@pytest.mark.parametrize("takes_files", [True, False])
async def test_files_go_with_their_message(
    core: ConversationCore, database: Database, clock: HandClock, tmp_path: Path, takes_files: bool
):
    account = Account(images=True, files=takes_files)
    kept = {
        "f1": OutboundFile("f1", "image", "a.png", "image/png", 3, tmp_path / "a.png"),
        "f2": OutboundFile("f2", "file", "b.pdf", "application/pdf", 3, tmp_path / "b.pdf"),
    }

    async def find(file_id: str) -> OutboundFile | None:
        return kept.get(file_id)

    outbox = Outbox(database, clock, {"messenger": account}, ClaimNames(), core.people, find_file=find)
    async with database.write() as session:
        conversation = await arrival.open_conversation(session, "messenger", "u1", clock.now())
        row = {
            "id": new_id(), "conversation_id": conversation["id"], "sequence": 1, "session": 1,
            "direction": "out", "author": "operator", "channel": "messenger", "text": "Xem giúp em",
            "payload": {"attachments": [{"file_id": name, "kind": kept[name].kind} for name in kept]},
            "state": "pending", "attempts": 0, "provider_timestamp": clock.now(), "created_at": clock.now(),
        }  # fmt: skip
        await repository.add_outbound(session, [row])
    await outbox.drain(conversation["id"])
    (sent,) = account.taken
    assert [file.file_id for file in sent.files] == (["f1", "f2"] if takes_files else ["f1"])
    assert ("1 tệp" in sent.text) is not takes_files
    await outbox.stop()


async def test_typing_is_shown_and_never_in_the_way(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    conversation = {"id": "c", "channel": "messenger", "external_user_id": "u1"}
    core.outbox.show_typing(conversation)
    await core.outbox.settle()
    assert account.typed == ["u1"]

    async def broken(external_user_id: str) -> None:
        raise ConnectionError

    account.typing = broken  # type: ignore[method-assign]
    core.outbox.show_typing(conversation)
    await core.outbox.settle()


def test_long_texts_are_cut_at_the_ends_of_sentences():
    text = "Câu một có mấy chữ. Câu hai dài hơn một chút! Phí là 1.500.000 đồng? Hết."
    parts = split_text(text, 50)
    assert parts == ["Câu một có mấy chữ. Câu hai dài hơn một chút!", "Phí là 1.500.000 đồng? Hết."]
    assert all(len(part) <= 50 for part in parts)
    assert split_text("a" * 120, 50) == ["a" * 50, "a" * 50, "a" * 20]


async def test_who_was_away_waits_for_echoes_from_the_return(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any
):
    account.next = [SendResult.transient("timeout")]
    conversation = await ask("câu 1?")
    row = (await core.inbox.history(conversation))[1]
    clock.forward(seconds=300)  # nobody was there, and the provider tries more and more seldom
    await core.outbox.wait_anew()
    await pass_time(core, clock, 25)
    assert account.taken == []
    await core.intake.note(Echo("messenger", "u1", "p7", clock.now(), text=row.text, our_id=row.id))
    await pass_time(core, clock, 60)
    assert account.taken == []
    assert (await core.inbox.history(conversation))[1].state == "sent"


@pytest.mark.parametrize(("error", "seconds"), [("timeout", 30), ("connection", 30), ("http_500", 2)])
async def test_a_call_that_broke_off_waits_for_its_echo(
    core: ConversationCore, account: Account, clock: HandClock, ask: Any, error: str, seconds: float
):
    account.next = [SendResult.transient(error)]
    await ask("câu 1?")
    await pass_time(core, clock, seconds / 2 - 0.5)
    assert account.taken == []
    await pass_time(core, clock, seconds)
    assert account.texts == ["bot: câu 1?"]
