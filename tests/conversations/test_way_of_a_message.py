"""What becomes of one message: gates, bot, people, and the record that is kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conversations.core import ConversationCore
from conversations.errors import (
    HeldByOtherError,
    InvalidReplyError,
    NotHeldError,
    StorageUnavailableError,
)
from conversations.schemas import Attachment, ConversationFilter, InboundMessage, Location
from database.engine import Database

Write = Callable[..., InboundMessage]


async def settle(core: ConversationCore) -> None:
    await core.worker.work_off()
    await core.outbox.settle()


async def test_question_is_answered_and_recorded(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    fake_bot.reply = lambda body: fake_say(
        "Lệ phí: miễn phí.", procedures=[{"code": "1.001193", "score": 0.9}]
    )
    received = await core.inbox.receive(write("lệ phí khai sinh"))
    await settle(core)
    assert provider.texts == ["Lệ phí: miễn phí."]
    question, answer = await core.inbox.history(received.conversation_id)
    assert (question.state, answer.state) == ("done", "sent")
    assert question.turn is not None
    assert question.turn["intent"] == "ask_fee"
    assert question.turn["confidence"] == 0.9
    assert question.turn["procedures"] == [{"code": "1.001193", "score": 0.9}]
    assert question.turn["latency_ms"] >= 0
    assert answer.route == "answer"
    [asked] = fake_bot.asked
    assert asked["conversation"] == f"{received.conversation_id}-1"
    assert asked["message_id"] == received.message_id
    assert asked["metadata"]["text"] == "lệ phí khai sinh"
    assert asked["metadata"]["channel"] == "webchat"
    assert "after_emergency" not in asked["metadata"]


async def test_repeated_delivery_changes_nothing(core: ConversationCore, provider: Any, write: Write):
    message = write("lệ phí khai sinh")
    first = await core.inbox.receive(message)
    again = await core.inbox.receive(message)
    assert (again.message_id, again.duplicate) == (first.message_id, True)
    await settle(core)
    assert (await core.inbox.receive(message)).duplicate
    await settle(core)
    assert len(provider.taken) == 1
    assert len(await core.inbox.history(first.conversation_id)) == 2


async def test_emergency_is_answered_at_receipt_without_bot_and_before_what_waits(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    fake_bot.status = 500
    await core.inbox.receive(write("lệ phí khai sinh"))
    received = await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    await core.outbox.settle()
    assert len(provider.taken) == 1
    assert "114" in provider.texts[0].splitlines()[0]
    stored = (await core.inbox.history(received.conversation_id, after=received.sequence - 1))[0]
    assert stored.turn is not None
    assert stored.turn["route"] == "redirect_114"
    assert stored.turn["emergency"]["rule"]
    assert fake_bot.asked == []


async def test_after_an_emergency_the_bot_is_told(core: ConversationCore, fake_bot: Any, write: Write):
    await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    await core.inbox.receive(write("ok rồi, cho hỏi thủ tục khai sinh?"))
    await settle(core)
    await core.inbox.receive(write("lệ phí bao nhiêu?"))
    await settle(core)
    assert [asked["metadata"].get("after_emergency") for asked in fake_bot.asked] == ["114", None]


@pytest.mark.parametrize("news", ["xe cứu thương tới rồi ạ", "canh sat toi roi, cam on", "em gọi 114 rồi"])
async def test_news_within_an_emergency_is_thanked_for(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write, news: str
):
    received = await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    await core.inbox.receive(write("số 12 nhé"))
    await settle(core)
    asked = len(fake_bot.asked)
    await core.inbox.receive(write(news))
    await settle(core)
    assert len(fake_bot.asked) == asked
    assert "cảm ơn anh/chị đã báo" in provider.texts[-1]
    assert "gọi ngay 114" in provider.texts[-1]
    said = await core.inbox.history(received.conversation_id)
    assert said[-1].route == "smalltalk"
    # Again, in the same emergency; and one that gets worse is one.
    await core.inbox.receive(write("xe cứu hỏa tới rồi nhưng cháy lan sang nhà bên"))
    await settle(core)
    assert provider.texts[-1].startswith("114")
    await core.inbox.receive(write(news))
    await settle(core)
    assert "cảm ơn anh/chị đã báo" in provider.texts[-1]


async def test_without_an_emergency_before_the_same_words_are_one(
    core: ConversationCore, provider: Any, write: Write, clock: Any
):
    await core.inbox.receive(write("xe cứu thương tới rồi ạ"))
    await settle(core)
    assert provider.texts[-1].startswith("115")
    clock.forward(days=3)  # another stretch of talk
    await core.inbox.receive(write("xe cứu thương tới rồi ạ"))
    await settle(core)
    assert provider.texts[-1].startswith("115")


async def test_news_to_the_person_who_holds_the_conversation_are_theirs_to_answer(
    core: ConversationCore, provider: Any, write: Write
):
    received = await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    await settle(core)
    await core.desk.claim(received.conversation_id, "op1")
    before = list(provider.texts)
    await core.inbox.receive(write("xe cứu thương tới rồi ạ"))
    await settle(core)
    assert provider.texts == before


async def test_emergency_is_answered_while_a_person_holds_the_conversation(
    core: ConversationCore, provider: Any, write: Write
):
    received = await core.inbox.receive(write("lệ phí khai sinh?"))
    await settle(core)
    await core.desk.claim(received.conversation_id, "op1")
    await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    await settle(core)
    assert "114" in provider.texts[-1]
    detail = await core.desk.open(received.conversation_id)
    assert detail.conversation.unread == 1
    assert detail.conversation.owner == "person"


async def test_emergency_reply_is_given_when_the_database_is_away(
    core: ConversationCore, database: Database, write: Write
):
    async with database.write() as session:
        await session.connection()
        from sqlalchemy import text

        await session.execute(text("ALTER TABLE messages RENAME TO gone"))
    with pytest.raises(StorageUnavailableError) as raised:
        await core.inbox.receive(write("cháy nhà ở đường Hùng Vương, cứu với"))
    assert "114" in raised.value.sentence
    with pytest.raises(StorageUnavailableError) as raised:
        await core.inbox.receive(write("lệ phí khai sinh"))
    assert raised.value.emergency_reply is None
    assert "chưa nhận được" in raised.value.sentence


async def test_other_language_is_told_so_without_the_bot(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    received = await core.inbox.receive(write("How do I register my newborn child at the office here?"))
    await settle(core)
    assert fake_bot.asked == []
    assert "tiếng Việt" in provider.texts[0]
    question = (await core.inbox.history(received.conversation_id))[0]
    assert question.route == "not_vietnamese"


async def test_foreign_name_inside_a_form_goes_to_the_bot(
    core: ConversationCore, fake_bot: Any, write: Write
):
    fake_bot.reply = lambda body: fake_say("Anh/chị tên gì ạ?", route="ticket")
    await core.inbox.receive(write("đèn đường hỏng"))
    await settle(core)
    await core.inbox.receive(write("My name is John Smith"))
    await settle(core)
    assert len(fake_bot.asked) == 2


@pytest.mark.parametrize("status", [500, 503, 404])
async def test_broken_bot_means_a_person_answers(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write, status: int
):
    fake_bot.status = status
    received = await core.inbox.receive(write("lệ phí khai sinh"))
    await settle(core)
    assert "người trực" in provider.texts[0]
    detail = await core.desk.open(received.conversation_id)
    assert detail.conversation.owner == "queue"
    assert detail.conversation.waiting_since is not None
    assert detail.conversation.handoff_reason
    assert detail.position == 1
    assert detail.messages[0].turn is not None
    assert detail.messages[0].turn["failure"] == f"bot_error_{status}"


async def test_silent_bot_is_a_failure(core: ConversationCore, fake_bot: Any, provider: Any, write: Write):
    fake_bot.reply = lambda body: {"intent": {"name": "x", "confidence": 1.0}, "messages": []}
    await core.inbox.receive(write("lệ phí khai sinh"))
    await settle(core)
    assert "người trực" in provider.texts[0]


@pytest.mark.parametrize("bot_timeout", [0.5])
async def test_slow_bot_is_a_failure(core: ConversationCore, fake_bot: Any, provider: Any, write: Write):
    fake_bot.gate.clear()
    received = await core.inbox.receive(write("lệ phí khai sinh"))
    await settle(core)
    question = (await core.inbox.history(received.conversation_id))[0]
    assert question.turn is not None
    assert question.turn["failure"] == "bot_timeout"
    assert "người trực" in provider.texts[0]


async def test_absent_bot_is_a_failure_and_comes_back_by_itself(
    core: ConversationCore, fake_bot: Any, bot_client: Any, provider: Any, write: Write
):
    right = bot_client._url
    bot_client._url = "http://127.0.0.1:1/webhooks/gateway/messages"
    await core.inbox.receive(write("lệ phí khai sinh", user="a"))
    await settle(core)
    assert "người trực" in provider.texts[-1]
    bot_client._url = right
    await core.inbox.receive(write("lệ phí khai sinh", user="b"))
    await settle(core)
    assert provider.texts[-1] == "bot: lệ phí khai sinh"


async def test_hand_over_queue_position_once_and_back(
    core: ConversationCore, fake_bot: Any, provider: Any, clock: Any, write: Write
):
    fake_bot.reply = lambda body: (
        fake_say("Dạ, em mời anh/chị hỏi tiếp.")
        if body["postback"]
        else fake_say("Em chuyển người trực.", route="handoff", handoff={"reason": "muốn gặp người"})
    )
    received = await core.inbox.receive(write("cho gặp người thật"))
    await settle(core)
    await core.inbox.receive(write("có ai không?"))
    await settle(core)
    await core.inbox.receive(write("alo"))
    await settle(core)
    assert len(fake_bot.asked) == 1
    assert len(provider.taken) == 2
    assert "vị trí số 1" in provider.texts[1]
    assert provider.taken[1].buttons[0].payload == "/return_to_bot"
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert conversation.unread == 3
    await core.inbox.receive(write("/return_to_bot", postback=True))
    await settle(core)
    assert fake_bot.asked[-1]["text"] == "/return_to_bot"
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert (conversation.owner, conversation.waiting_since) == ("bot", None)


async def test_waiting_citizens_are_told_after_a_minute_once(
    core: ConversationCore, fake_bot: Any, provider: Any, clock: Any, write: Write
):
    fake_bot.status = 500
    for user in ("a", "b"):
        await core.inbox.receive(write("xin chào", user=user))
        await settle(core)
        clock.forward(seconds=1)
    assert await core.desk.tell_waiting() == 0
    clock.forward(seconds=61)
    assert await core.desk.tell_waiting() == 2
    assert await core.desk.tell_waiting() == 0
    await core.outbox.settle()
    told = {message.external_user_id: message.text for message in provider.taken[-2:]}
    assert "vị trí số 1" in told["a"]
    assert "vị trí số 2" in told["b"]


async def test_postback_only_when_it_was_offered(core: ConversationCore, fake_bot: Any, write: Write):
    fake_bot.reply = lambda body: fake_say("Cần gì nữa?", buttons=(("Lệ phí", "/hỏi lệ phí"),))
    received = await core.inbox.receive(write("/hỏi lệ phí", postback=True))
    await settle(core)
    await core.inbox.receive(write("/hỏi lệ phí", postback=True))
    await core.inbox.receive(write("/ask_human", postback=True))
    await settle(core)
    assert [(a["text"], a["postback"]) for a in fake_bot.asked] == [
        ("/hỏi lệ phí", False),
        ("/hỏi lệ phí", True),
        ("/ask_human", True),  # the greeting offers it
    ]
    shown = [m for m in await core.inbox.history(received.conversation_id) if m.direction == "in"]
    assert [m.text for m in shown] == ["/hỏi lệ phí", "Lệ phí", "Gặp người trực"]


async def test_postback_offered_to_somebody_else_is_typed_text(
    core: ConversationCore, fake_bot: Any, write: Write
):
    fake_bot.reply = lambda body: fake_say("Chọn", buttons=(("Hộ tịch", '/choose{"n": 1}'),))
    await core.inbox.receive(write("khai sinh?", user="a"))
    await settle(core)
    await core.inbox.receive(write('/choose{"n": 1}', user="b", postback=True))
    await settle(core)
    assert fake_bot.asked[-1]["postback"] is False


async def test_pictures_and_voice(core: ConversationCore, fake_bot: Any, provider: Any, write: Write):
    picture = Attachment(kind="image", url="https://example.org/a.jpg")
    await core.inbox.receive(write("", kind="image", attachments=(picture,)))
    await settle(core)
    assert "ảnh" in provider.texts[-1]
    voice = Attachment(kind="voice", url="https://example.org/a.ogg")
    received = await core.inbox.receive(write("", kind="voice", attachments=(voice,)))
    await settle(core)
    assert fake_bot.asked == []
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert conversation.owner == "queue"


async def test_location_reaches_the_bot(core: ConversationCore, fake_bot: Any, write: Write):
    await core.inbox.receive(write("", location=Location(latitude=13.98, longitude=108.0)))
    await settle(core)
    assert fake_bot.asked[0]["metadata"]["location"] == {"latitude": 13.98, "longitude": 108.0}
    assert "13.98" in fake_bot.asked[0]["text"]


async def test_a_day_of_silence_starts_a_new_session(
    core: ConversationCore, fake_bot: Any, clock: Any, write: Write
):
    received = await core.inbox.receive(write("lệ phí khai sinh?"))
    await settle(core)
    clock.forward(hours=23)
    await core.inbox.receive(write("còn kết hôn?"))
    await settle(core)
    clock.forward(hours=25)
    await core.inbox.receive(write("xin chào"))
    await settle(core)
    sessions = [asked["conversation"].rsplit("-", 1)[1] for asked in fake_bot.asked]
    assert sessions == ["1", "1", "2"]
    assert len(await core.inbox.history(received.conversation_id)) == 6


async def test_long_answers_are_split_and_choices_numbered_where_there_are_no_buttons(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    from conversations.schemas import Capabilities

    provider.capabilities = Capabilities(max_text=120, buttons=False)
    long = "Thành phần hồ sơ:\n" + "\n".join(f"- Giấy tờ số {n}" for n in range(1, 20))
    fake_bot.reply = lambda body: fake_say(long, buttons=(("Lệ phí", "/ask_fee"), ("Thời hạn", "/ask_time")))
    await core.inbox.receive(write("khai sinh cần gì?"))
    await settle(core)
    assert all(len(text) <= 120 for text in provider.texts)
    assert "2. Thời hạn" in provider.texts[-1]
    together = "\n".join(provider.texts)
    assert all(f"- Giấy tờ số {n}\n" in together for n in range(1, 20))


# --- people -------------------------------------------------------------------------------------------------


async def test_operator_takes_answers_and_gives_back(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    fake_bot.status = 500
    received = await core.inbox.receive(write("xin chào"))
    await settle(core)
    conversation_id = received.conversation_id
    [waiting] = (await core.desk.inbox(ConversationFilter(owner="queue"))).conversations
    assert waiting.id == conversation_id
    with pytest.raises(NotHeldError):
        await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    taken = await core.desk.claim(conversation_id, "op1")
    assert (taken.owner, taken.assigned_to) == ("person", "op1")
    with pytest.raises(HeldByOtherError) as raised:
        await core.desk.claim(conversation_id, "op2")
    assert raised.value.held_by == "op1"
    with pytest.raises(HeldByOtherError):
        await core.desk.reply(conversation_id, "op2", "Chào", key="k0")
    first = await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    again = await core.desk.reply(conversation_id, "op1", "Chào anh/chị", key="k1")
    assert first.id == again.id
    await core.outbox.settle()
    assert provider.texts.count("Chào anh/chị") == 1
    await core.inbox.receive(write("dạ cảm ơn"))
    await settle(core)
    assert len(provider.taken) == 2  # the bot says nothing while a person holds it
    fake_bot.status = 200
    back = await core.desk.hand_back(conversation_id, "op1")
    assert (back.owner, back.assigned_to) == ("bot", None)
    await core.inbox.receive(write("lệ phí?"))
    await settle(core)
    assert provider.texts[-1] == "bot: lệ phí?"


@pytest.mark.parametrize("text", ["", "   ", "a" * 4_001, "\ud800", "\x00"])
async def test_impossible_replies_are_refused(core: ConversationCore, write: Write, text: str):
    received = await core.inbox.receive(write("xin chào"))
    await settle(core)
    await core.desk.claim(received.conversation_id, "op1")
    with pytest.raises(InvalidReplyError):
        await core.desk.reply(received.conversation_id, "op1", text, key="k")


async def test_take_over_release_and_close(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    received = await core.inbox.receive(write("xin chào"))
    await settle(core)
    conversation_id = received.conversation_id
    await core.desk.claim(conversation_id, "op1")
    taken = await core.desk.claim(conversation_id, "boss", take_over=True)
    assert taken.assigned_to == "boss"
    released = await core.desk.release(conversation_id, "boss")
    assert released.owner == "queue"
    await core.desk.claim(conversation_id, "op1")
    closed = await core.desk.close(conversation_id, "op1")
    assert (closed.owner, closed.closed_at is not None) == ("bot", True)
    await core.inbox.receive(write("lệ phí?"))
    await settle(core)
    assert fake_bot.asked[-1]["conversation"].endswith("-2")
    conversation = await core.inbox.conversation(conversation_id)
    assert conversation is not None
    assert conversation.closed_at is None


async def test_bot_says_nothing_when_a_person_took_over_meanwhile(
    core: ConversationCore, fake_bot: Any, provider: Any, write: Write
):
    import asyncio

    fake_bot.gate.clear()
    received = await core.inbox.receive(write("lệ phí?"))
    work = asyncio.create_task(core.worker.work_off())
    while not fake_bot.asked:  # noqa: ASYNC110 - the request comes over HTTP
        await asyncio.sleep(0)
    await core.desk.claim(received.conversation_id, "op1")
    fake_bot.gate.set()
    await work
    await core.outbox.settle()
    assert provider.taken == []
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert conversation.owner == "person"


async def test_of_two_operators_one_gets_it(core: ConversationCore, write: Write):
    import asyncio

    received = await core.inbox.receive(write("xin chào"))
    await settle(core)
    results = await asyncio.gather(
        *(core.desk.claim(received.conversation_id, f"op{n}") for n in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(result, Exception) for result in results) == 1
    held_by = {result.held_by for result in results if isinstance(result, HeldByOtherError)}
    assert len(held_by) == 1


async def test_lists_mask_personal_numbers(core: ConversationCore, write: Write):
    received = await core.inbox.receive(write("số của tôi là 0905123456 nhé"))
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert "0905123456" not in conversation.last_message


def fake_say(*texts: str, buttons: tuple[tuple[str, str], ...] = (), **turn: Any) -> dict[str, Any]:
    record = {"route": "answer", "aspect": None, "aspects": [], "procedures": [], "handoff": None, **turn}
    return {
        "intent": {"name": "ask_fee", "confidence": 0.9},
        "messages": [
            {"text": text, "buttons": [{"title": t, "payload": p} for t, p in buttons], "turn": record}
            for text in texts
        ],
    }


async def test_order_holds_when_the_clock_is_set_back(
    core: ConversationCore, clock: Any, provider: Any, write: Write
):
    await core.inbox.receive(write("một?"))
    clock.forward(seconds=-30)
    await core.inbox.receive(write("hai?"))
    clock.forward(seconds=60)
    await settle(core)
    assert provider.texts == ["bot: một?", "bot: hai?"]
