"""What was given up is listed, shown, and tried again by a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from conversations.__main__ import _parser as parser
from conversations.__main__ import _run, main
from conversations.core import ConversationCore
from conversations.dead_letters import DeadLetters
from conversations.schemas import InboundMessage, SendResult
from database.engine import Database

Write = Callable[..., InboundMessage]


@pytest.fixture
def letters(database: Database, clock: Any) -> DeadLetters:
    return DeadLetters(database, clock)


async def work(core: ConversationCore) -> None:
    await core.worker.work_off()
    await core.outbox.settle()


async def test_what_the_provider_refused_is_sent_again(
    core: ConversationCore, letters: DeadLetters, provider: Any, clock: Any, write: Write
) -> None:
    provider.next = [SendResult.permanent("blocked")]
    await core.inbox.receive(write("lệ phí?"))
    await work(core)
    (letter,) = await letters.list()
    assert (letter.message.direction, letter.error, letter.channel) == ("out", "blocked", "webchat")
    assert await letters.replay(letter.message.id)
    assert await letters.list() == []
    clock.forward(seconds=5)
    await core.outbox.sweep()
    await core.outbox.settle()
    assert provider.texts == ["bot: lệ phí?"]
    assert not await letters.replay(letter.message.id)


async def test_a_message_that_brought_the_process_down_goes_to_the_bot_again(
    core: ConversationCore, letters: DeadLetters, fake_bot: Any, provider: Any, clock: Any, write: Write
) -> None:
    received = await core.inbox.receive(write("lệ phí?"))
    for _ in range(8):
        assert not isinstance(await core.dispatcher._take(received.conversation_id), type(None))
        clock.forward(minutes=1)  # the process died; the claim ran out
    await work(core)
    (letter,) = await letters.list(direction="in")
    assert letter.error == "too_many_attempts"
    assert fake_bot.asked == []
    assert await letters.list(direction="out") == []
    assert await letters.replay(letter.message.id)
    clock.forward(seconds=5)
    await work(core)
    assert [body["text"] for body in fake_bot.asked] == ["lệ phí?"]
    assert provider.texts[-1] == "bot: lệ phí?"
    conversation = await core.inbox.conversation(received.conversation_id)
    assert conversation is not None
    assert conversation.owner == "bot"
    assert await core.inbox.backlog() == {}


async def test_the_commands(
    core: ConversationCore,
    tables_url: str,
    provider: Any,
    write: Write,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("DATABASE_URL", tables_url)

    async def run(*arguments: str) -> tuple[int, str]:
        capsys.readouterr()  # what the core has logged
        code = await _run(parser().parse_args(["dead", *arguments]))
        said = capsys.readouterr()
        return code, said.out + said.err

    assert await run("list") == (0, "Nothing was given up.\n")
    provider.next = [SendResult.permanent("blocked")]
    await core.inbox.receive(write("lệ phí?"))
    await work(core)
    code, listed = await run("list")
    message_id = listed.split()[0]
    assert code == 0
    assert "blocked" in listed
    assert "lệ phí" not in listed
    code, shown = await run("show", message_id)
    assert code == 0
    assert "bot: lệ phí?" in shown
    assert await run("replay", "--all") == (0, "1 will be tried again.\n")
    assert await run("replay", message_id) == (
        1,
        f"0 will be tried again.\nerror: not given up: {message_id}\n",
    )
    assert (await run("show", message_id))[0] == 1


def test_a_command_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["dead"])
    assert "replay" in capsys.readouterr().err
