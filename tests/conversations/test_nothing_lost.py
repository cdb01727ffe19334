"""Whatever is repeated or cut off between two steps: each message is answered once, and in order."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.bot_client import BotRequest
from conversations.core import ConversationCore
from conversations.redis_link import RedisLink
from conversations.schemas import (
    BotIntent,
    BotMessage,
    BotTurn,
    Capabilities,
    InboundMessage,
    OutboundMessage,
    SendResult,
)
from database.engine import Database
from tests.databases import sqlite_with_tables

USERS = st.sampled_from(["a", "b", "c"])


class PowerCutError(Exception):
    """The process ends here."""


class CutDatabase(Database):
    """A real database whose process dies at a chosen write: just before its commit, or just after."""

    left: int | None = None
    after_commit = False

    @asynccontextmanager
    async def write(self, *, durable: bool = True) -> AsyncIterator[AsyncSession]:
        cut = False
        if self.left is not None:
            self.left -= 1
            cut = self.left < 0
        async with super().write(durable=durable) as session:
            yield session
            if cut and not self.after_commit:
                raise PowerCutError
        if cut:
            raise PowerCutError


class PlayedBot:
    """Knows a message id it has answered, as the gateway does."""

    def __init__(self) -> None:
        self.answered: dict[str, str] = {}
        self.runs: list[str] = []

    async def ask(self, request: BotRequest) -> BotTurn:
        if request.message_id not in self.answered:
            self.answered[request.message_id] = request.text
            self.runs.append(request.text)
        assert self.answered[request.message_id] == request.text, "asked something else under the same id"
        reply = BotMessage(text=f"re {request.text}", turn={"route": "answer"})
        return BotTurn(message_id=request.message_id, intent=BotIntent(), messages=[reply])


class PlayedProvider:
    """Takes messages; fails now and then as it is told; notes everything it has seen."""

    name = "webchat"
    capabilities = Capabilities(max_text=1_000, buttons=True)

    def __init__(self) -> None:
        self.seen: list[OutboundMessage] = []
        self.trouble = 0

    async def send(self, message: OutboundMessage) -> SendResult:
        if self.trouble:
            self.trouble -= 1
            return SendResult.transient("busy")
        self.seen.append(message)
        return SendResult.accepted(f"p-{message.id}")

    def shown(self, user: str) -> list[str]:
        """What the user sees, a repeat of the same message counted once."""
        found = {message.id: message.text for message in self.seen if message.external_user_id == user}
        return list(found.values())


class HandClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, tzinfo=UTC)

    def now(self) -> datetime:
        self.time += timedelta(microseconds=1)
        return self.time


class NothingLost(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.runner = asyncio.Runner()
        self.clock = HandClock()
        self.bot = PlayedBot()
        self.provider = PlayedProvider()
        self.accepted: dict[str, list[str]] = {"a": [], "b": [], "c": []}
        self.delivered: list[InboundMessage] = []
        self.number = 0
        self.database = CutDatabase(sqlite_with_tables(Path(self.folder.name) / "t.sqlite3"))
        self.start()

    def start(self) -> None:
        self.core = ConversationCore(
            self.database, self.clock, RedisLink(None), self.bot, channels=[self.provider]
        )

    def run(self, work: Any) -> bool:
        """Run until it ends or the power is cut; after a cut another process starts."""
        try:
            self.runner.run(work)
            self.runner.run(self.core.outbox.settle())
        except PowerCutError:
            pass
        was_cut = self.database.left is not None and self.database.left < 0
        self.database.left = None
        if was_cut:
            self.runner.run(self.core.stop())
            self.start()
            self.runner.run(self.core.worker._free_dead_claims())
        return was_cut

    def deliver(self, message: InboundMessage) -> None:
        """The provider delivers until we have said yes, as providers do."""
        while self.run(self.core.inbox.receive(message)):
            pass

    @rule(user=USERS, cut=st.none() | st.tuples(st.integers(0, 1), st.booleans()))
    def say(self, user: str, cut: tuple[int, bool] | None) -> None:
        self.number += 1
        message = InboundMessage(
            channel="webchat",
            external_user_id=user,
            provider_message_id=f"m{self.number}",
            text=f"câu hỏi số {self.number}?",
        )
        self.cut(cut)
        self.deliver(message)
        self.accepted[user].append(message.text)
        self.delivered.append(message)

    @rule(which=st.integers(0, 50))
    def deliver_again(self, which: int) -> None:
        if self.delivered:
            self.deliver(self.delivered[which % len(self.delivered)])

    @rule(cut=st.none() | st.tuples(st.integers(0, 6), st.booleans()))
    def work(self, cut: tuple[int, bool] | None) -> None:
        self.cut(cut)
        self.run(self.core.worker.work_off())

    @rule(trouble=st.integers(1, 3))
    def provider_has_trouble(self, trouble: int) -> None:
        self.provider.trouble = trouble

    @rule(cut=st.none() | st.tuples(st.integers(0, 3), st.booleans()), minutes=st.integers(0, 30))
    def time_passes(self, cut: tuple[int, bool] | None, minutes: int) -> None:
        self.clock.time += timedelta(minutes=minutes, seconds=2)
        self.cut(cut)
        self.run(self.core.outbox.sweep())

    def cut(self, cut: tuple[int, bool] | None) -> None:
        if cut is not None:
            self.database.left, self.database.after_commit = cut

    @invariant()
    def nobody_reads_an_answer_twice_or_out_of_order(self) -> None:
        for user, texts in self.accepted.items():
            answers = [f"re {text}" for text in texts]
            shown = self.provider.shown(user)
            assert shown == answers[: len(shown)], (shown, answers)

    def teardown(self) -> None:
        try:
            self.finish()
        finally:
            self.runner.run(self.core.stop())
            self.runner.run(self.database.close())
            self.runner.close()
            self.folder.cleanup()

    def finish(self) -> None:
        self.provider.trouble = 0
        for _ in range(3):
            self.clock.time += timedelta(hours=1)
            self.run(self.core.worker.work_off())
            self.run(self.core.outbox.sweep())
        for user, texts in self.accepted.items():
            assert self.provider.shown(user) == [f"re {text}" for text in texts]
        everything = [text for texts in self.accepted.values() for text in texts]
        assert sorted(self.bot.runs) == sorted(everything)
        assert self.runner.run(self.core.inbox.backlog()) == {}


NothingLost.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None)
TestNothingLost = NothingLost.TestCase
