"""Whatever happens in whatever order: one owner, only the holder writes, the bot is silent meanwhile."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from conversations.bot_client import BotRequest
from conversations.core import ConversationCore
from conversations.desk.ownership import SILENCE
from conversations.desk.schemas import Thread
from conversations.errors import BotError, HeldByOtherError, NotHeldError
from conversations.redis_link import RedisLink
from conversations.schemas import (
    BotMessage,
    BotTurn,
    Capabilities,
    InboundMessage,
    OutboundMessage,
    SendResult,
)
from database.engine import Database
from tests.databases import sqlite_with_tables

OPERATORS = st.sampled_from(["op1", "op2", "boss"])


class Hand:
    """A clock that stands still until it is moved."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time


class Bot:
    """Answers, or cannot."""

    def __init__(self) -> None:
        self.is_down = False

    async def ask(self, request: BotRequest) -> BotTurn:
        if self.is_down:
            raise BotError("down")
        return BotTurn(message_id=request.message_id, messages=[BotMessage(text="Dạ.")])


class Provider:
    """Takes everything."""

    name = "webchat"
    capabilities = Capabilities(max_text=2_000, buttons=True)

    async def send(self, message: OutboundMessage) -> SendResult:
        return SendResult.accepted(f"p-{message.id}")


class Desk(RuleBasedStateMachine):
    """One conversation, three operators, a citizen, a bot that comes and goes, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder = TemporaryDirectory()
        self.clock = Hand()
        self.bot: Any = Bot()
        self.database = Database(sqlite_with_tables(Path(self.folder.name) / "desk.sqlite3"))
        self.core = ConversationCore(
            self.database, self.clock, RedisLink(None), self.bot, channels=[Provider()], join_pieces=False
        )
        self.holder: str | None = None
        self.said = 0
        self.id = ""
        self.citizen_writes()

    def teardown(self) -> None:
        self.runner.run(self.core.stop())
        self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()

    def thread(self) -> Thread:
        return self.runner.run(self.core.desk.open(self.id))

    @rule()
    def citizen_writes(self) -> None:
        self.said += 1
        message = InboundMessage(
            channel="webchat",
            external_user_id="u1",
            provider_message_id=f"m{self.said}",
            text="lệ phí khai sinh bao nhiêu?",
        )
        before = self.thread() if self.id else None
        self.id = self.runner.run(self.core.inbox.receive(message)).conversation_id
        self.runner.run(self.core.worker.work_off())
        self.runner.run(self.core.outbox.settle())
        after = self.thread()
        if before is not None and self.holder is not None:
            began_anew = after.conversation.session > before.conversation.session
            answered = after.messages[-1].author in ("bot", "system")
            assert answered == began_anew  # silent, unless the holder lost it after a day
            if began_anew:
                self.holder = None

    @rule(operator=OPERATORS, take_over=st.booleans())
    def claim(self, operator: str, take_over: bool) -> None:
        may = take_over or self.holder in (None, operator) or self.thread().is_abandoned
        try:
            self.runner.run(self.core.desk.claim(self.id, operator, take_over=take_over))
        except HeldByOtherError as refused:
            assert not may
            assert refused.held_by == self.holder
        else:
            assert may
            self.holder = operator

    @rule(operator=OPERATORS)
    def claim_next(self, operator: str) -> None:
        waits = self.thread().conversation.owner == "queue"
        taken = self.runner.run(self.core.desk.claim_next(operator))
        assert (taken is not None) == waits
        if waits:
            self.holder = operator

    @rule(operator=OPERATORS, what=st.sampled_from(["release", "hand_back", "close"]))
    def give_away(self, operator: str, what: str) -> None:
        try:
            view = self.runner.run(getattr(self.core.desk, what)(self.id, operator))
        except NotHeldError:
            assert self.holder is None
        except HeldByOtherError as refused:
            assert refused.held_by == self.holder != operator
        else:
            assert self.holder == operator
            self.holder = None
            assert view.owner == ("queue" if what == "release" else "bot")

    @rule(operator=OPERATORS)
    def reply(self, operator: str) -> None:
        self.said += 1
        try:
            self.runner.run(self.core.desk.reply(self.id, operator, "Dạ chào", key=f"k{self.said}"))
        except (NotHeldError, HeldByOtherError):
            assert self.holder != operator
        else:
            assert self.holder == operator

    @rule(minutes=st.sampled_from([1, 4, 6, 11, 60, 1_500]))
    def time_passes(self, minutes: int) -> None:
        self.clock.time += timedelta(minutes=minutes)
        since = self.thread().conversation.silent_since
        is_too_long = since is not None and self.clock.now() - since > 2 * SILENCE
        assert self.runner.run(self.core.desk.return_silent()) == int(is_too_long)
        if is_too_long:
            self.holder = None
            assert self.thread().conversation.owner == "queue"

    @rule(is_down=st.booleans())
    def bot_changes(self, is_down: bool) -> None:
        self.bot.is_down = is_down

    @invariant()
    def one_owner(self) -> None:
        view = self.thread().conversation
        assert view.assigned_to == self.holder
        assert (view.owner == "person") == (self.holder is not None)
        assert (view.silent_since is None) or view.owner == "person"
        assert (view.owner != "queue") or view.waiting_since is not None
        assert (view.owner != "bot") or view.waiting_since is None

    @invariant()
    def history_tells_the_owner(self) -> None:
        thread = self.thread()
        owner, holder = "bot", None
        for event in thread.events:
            if event.kind in ("claimed", "reopened", "taken_over"):
                owner, holder = "person", event.actor
            elif event.kind in ("handed_over", "released", "returned"):
                owner, holder = "queue", None
            elif event.kind != "new_session" or owner == "person":
                owner, holder = "bot", None
        assert (owner, holder) == (thread.conversation.owner, thread.conversation.assigned_to)


TestOwnership = Desk.TestCase
TestOwnership.settings = settings(
    max_examples=25,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
