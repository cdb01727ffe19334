"""What operators work with: canned answers, notes, presence, pictures in replies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conversations.core import ConversationCore
from conversations.desk.canned import filled
from conversations.desk.errors import CannedNotFoundError, InvalidCannedError, InvalidNoteError
from conversations.desk.ownership import operator_topic
from conversations.desk.presence import LIVES_SECONDS, Presence
from conversations.desk.schemas import Watcher
from conversations.errors import InvalidReplyError
from conversations.events import LiveEvents
from conversations.redis_link import RedisLink
from conversations.schemas import Attachment, InboundMessage

Write = Callable[..., InboundMessage]


async def test_canned_answers_are_found_without_marks_by_those_they_are_for(core: ConversationCore):
    shared = await core.canned.add("op1", "Chào hỏi", "Dạ chào {ten_nguoi_dan} ạ", shared=True)
    own = await core.canned.add("op1", "Lời riêng", "Dạ em là {ten_truc_vien}", shared=False)
    assert [found.id for found in await core.canned.find("op1", "chao hoi")] == [shared.id]
    assert [found.id for found in await core.canned.find("op1", "RIENG")] == [own.id]
    assert [found.id for found in await core.canned.find("op2")] == [shared.id]
    with pytest.raises(CannedNotFoundError):
        await core.canned.change(own.id, "op2", "Lấy của người", "x")
    with pytest.raises(CannedNotFoundError):
        await core.canned.remove(own.id, "op2")
    changed = await core.canned.change(own.id, "op1", "Lời riêng", "Dạ em nghe")
    assert changed.text == "Dạ em nghe"
    await core.canned.remove(own.id, "op1")
    assert [found.id for found in await core.canned.find("op1")] == [shared.id]


@pytest.mark.parametrize(
    ("title", "text", "problem", "variable"),
    [
        ("", "x", "empty", ""),
        ("x", " ", "empty", ""),
        ("x", "Chào {ten_nguoi_dann}", "unknown_variable", "ten_nguoi_dann"),
        ("x", "Chào {}", "unknown_variable", ""),
        ("x", "Chào {0}", "unknown_variable", "0"),
        ("x", "Chào {ten_nguoi_dan.x}", "unknown_variable", "ten_nguoi_dan.x"),
        ("x", "Chào {ten_nguoi_dan", "broken", ""),
        ("x", "Chào {ten_nguoi_dan!r}", "broken", ""),
        ("x" * 201, "x", "too_long", ""),
        ("x", "x" * 4_001, "too_long", ""),
        ("Chào", "x", "title_taken", ""),
    ],
)
async def test_a_canned_answer_that_cannot_work_is_refused_when_it_is_kept(
    core: ConversationCore, title: str, text: str, problem: str, variable: str
):
    await core.canned.add("op1", "Chào", "Dạ chào", shared=True)
    with pytest.raises(InvalidCannedError) as raised:
        await core.canned.add("op1", title, text, shared=True)
    assert (raised.value.problem, raised.value.variable) == (problem, variable)
    assert raised.value.sentence
    assert len(await core.canned.find("op1")) == 1


def test_variables_are_filled_in_and_missing_ones_stay_to_be_seen():
    text, missing = filled("Chào {ten_nguoi_dan}, mã {ma_phan_anh} {{x}}", {"ten_nguoi_dan": "chị Lan"})
    assert text == "Chào chị Lan, mã {ma_phan_anh} {x}"
    assert missing == ["ma_phan_anh"]


async def test_a_note_is_written_once_and_never_sent(
    core: ConversationCore, clock: Any, provider: Any, write: Write
):
    received = await core.inbox.receive(write("xin chào"))
    async with core.events.subscribe(operator_topic("op2")) as told:
        first = await core.notes.add(
            received.conversation_id, "op1", "nhờ @op2 xem", key="k1", mentions=["op2"]
        )
        assert told.get_nowait()["by"] == "op1"
    again = await core.notes.add(received.conversation_id, "op1", "nhờ @op2 xem", key="k1")
    assert first == again
    clock.forward(seconds=1)
    await core.notes.add(received.conversation_id, "op2", "đã xem", key="k1")
    thread = await core.desk.open(received.conversation_id)
    assert [note.text for note in thread.notes] == ["nhờ @op2 xem", "đã xem"]
    assert all("xem" not in message.text for message in thread.messages)
    await core.outbox.settle()
    assert provider.taken == []
    with pytest.raises(InvalidNoteError):
        await core.notes.add(received.conversation_id, "op1", " ", key="k2")


async def test_a_reply_may_carry_pictures(core: ConversationCore, provider: Any, write: Write):
    received = await core.inbox.receive(write("xin chào"))
    await core.desk.claim(received.conversation_id, "op1")
    picture = Attachment(kind="image", name="ban-do.jpg", file_id="f" * 32)
    sent = await core.desk.reply(received.conversation_id, "op1", "", key="k1", attachments=[picture])
    assert sent.kind == "image"
    assert sent.payload["attachments"] == [
        {"kind": "image", "url": "", "name": "ban-do.jpg", "file_id": "f" * 32}
    ]
    await core.outbox.settle()
    assert len(provider.taken) == 1
    with pytest.raises(InvalidReplyError):
        await core.desk.reply(received.conversation_id, "op1", " ", key="k2")


class Seconds:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def presence_runs_out(presence: Presence, other: Presence, seconds: Seconds) -> None:
    await presence.seen("c1", "op1")
    await presence.seen("c1", "op2", typing=True)
    both = [Watcher("op1", False), Watcher("op2", True)]
    assert await presence.of("c1") == await other.of("c1") == both
    seconds.now += 10
    assert await other.of("c1") == [Watcher("op1", False), Watcher("op2", False)]
    await presence.left("c1", "op2")
    assert await other.of("c1") == [Watcher("op1", False)]
    seconds.now += LIVES_SECONDS
    assert await other.of("c1") == []


async def test_presence_without_redis():
    seconds = Seconds()
    link = RedisLink(None)
    presence = Presence(link, LiveEvents(link), seconds=seconds)
    await presence_runs_out(presence, presence, seconds)


async def test_presence_between_processes(redis_server: Any):
    seconds = Seconds()
    links = [RedisLink(redis_server.url), RedisLink(redis_server.url)]
    one, other = (Presence(link, LiveEvents(link), seconds=seconds) for link in links)
    await presence_runs_out(one, other, seconds)
    for link in links:
        await link.close()
