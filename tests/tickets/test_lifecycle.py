"""The lifecycle: whatever is done, a ticket stands where its timeline says, its sender told once."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from database.base import new_id
from database.engine import Database
from tests.databases import sqlite_with_tables
from tests.tickets.conftest import OPERATOR, SUPERVISOR, FixedClock, KeptNotices, prepare
from tickets.desk import Click, TicketDesk
from tickets.errors import (
    ChangedMeanwhileError,
    DisputeUsedError,
    InvalidChangeError,
    NotPossibleNowError,
    NotYoursError,
    TicketError,
    TicketNotFoundError,
)
from tickets.flows import TRANSITIONS, possible
from tickets.follow import TicketFollow
from tickets.schemas import (
    RefusalReason,
    RefusedDraft,
    Ticket,
    TicketDraft,
    TicketFilter,
    TicketKind,
    TicketState,
)
from tickets.service import TicketService
from tickets.timeline import EventKind, recompute

GIVEN = {
    "text": "Đã kiểm tra tại chỗ",
    "agency": "Điện lực Gia Lai",
    "reason": RefusalReason.OUT_OF_SCOPE.value,
    "how": "nói trên điện thoại",
}


async def do(desk: TicketDesk, ticket: Ticket, *names: str, **given: str) -> Ticket:
    for name in names:
        click = Click(SUPERVISOR, new_id())
        ticket = await desk.act(ticket.code, name, {**GIVEN, **given}, click)
    return ticket


async def test_the_way_through_an_agency_to_an_answer(tickets, desk, notices, draft, clock) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    clock.forward(hours=1)
    ticket = await do(desk, ticket, "take", "transfer")
    assert (ticket.state, ticket.agency, ticket.assigned_to) == ("transferred", "Điện lực Gia Lai", "minh")
    ticket = await do(desk, ticket, "agency_answer")
    assert ticket.state == "answered_by_agency"
    ticket = await do(desk, ticket, "answer", "close")
    assert ticket.state == "closed"
    told = await notices.told("conversation-1")
    assert len(told) == 3
    assert "Điện lực Gia Lai" in told[0]
    assert "Đã kiểm tra tại chỗ" in told[1]
    assert all(ticket.code in each and f"https://1022.test/p/{ticket.token}" in each for each in told)


async def test_sent_on_to_another_agency_the_sender_reads_why_and_to_whom(
    tickets, desk, notices, draft
) -> None:
    ticket = await do(desk, await tickets.open(draft(), origin_key="a"), "transfer")
    with pytest.raises(InvalidChangeError):
        await do(desk, ticket, "transfer", agency="Ủy ban nhân dân phường Pleiku", text="")
    await do(desk, ticket, "transfer", agency="Ủy ban nhân dân phường Pleiku", text="Đèn do phường quản lý")
    told = (await notices.told("conversation-1"))[-1]
    for words in ("Điện lực Gia Lai", "Ủy ban nhân dân phường Pleiku", "Đèn do phường quản lý"):
        assert words in told


async def test_one_dispute_reopens_and_a_second_is_refused_with_what_else_can_be_done(
    tickets, desk, follow, draft
) -> None:
    ticket = await do(desk, await tickets.open(draft(), origin_key="a"), "answer")
    await follow.act(ticket.token, "dispute", {"text": "Đèn vẫn tối"}, key="one")
    found = await tickets.find(ticket.code)
    assert (found.state, found.disputes) == ("disputed", 1)
    await do(desk, found, "answer")
    with pytest.raises(DisputeUsedError, match="phản ánh mới"):
        await follow.act(ticket.token, "dispute", {"text": "Vẫn tối"}, key="two")
    with pytest.raises(DisputeUsedError):
        await do(desk, found, "dispute")
    assert (await tickets.find(ticket.code)).state == "answered"


@pytest.mark.parametrize("reason", list(RefusalReason))
async def test_a_refusal_is_a_ticket_with_reason_and_guidance(tickets, notices, reason) -> None:
    draft = RefusedDraft(
        kind=TicketKind.REPORT,
        content="Có đánh nhau trước quán",
        channel="webchat",
        conversation_id="c",
        reason=reason,
        name="Lê Văn Bình",
        phone="0905123456",
    )
    ticket = await tickets.open_refused(draft, origin_key="a", actor="hoa")
    assert (ticket.state, ticket.refusal) == ("refused", reason)
    # Nobody agreed to anything: nothing personal is kept.
    assert (ticket.name, ticket.phone, ticket.address, ticket.consented_at) == ("", "", "", None)
    (told,) = await notices.told("c")
    assert ticket.code in told
    assert not ticket.call_due
    number = {"police": "113", "fire": "114", "medical": "115"}.get(reason)
    assert number is None or number in told
    again = await tickets.open_refused(draft, origin_key="a", actor="hoa")
    assert again.id == ticket.id
    assert len(await notices.told("c")) == 1


async def test_what_is_asked_for_and_given_goes_on_where_it_was(tickets, desk, follow, draft) -> None:
    ticket = await do(desk, await tickets.open(draft(), origin_key="a"), "transfer", "ask_info")
    assert (ticket.state, ticket.resume) == ("needs_info", "transferred")
    await follow.act(ticket.token, "give_info", {"text": "Cột số 5"}, key="k")
    assert (await tickets.find(ticket.code)).state == "transferred"


async def test_who_cannot_be_written_to_has_to_be_called_and_it_says_so(tickets, desk, draft) -> None:
    ticket = await tickets.open(draft(channel="phone", conversation_id=""), origin_key="a", actor="hoa")
    assert not ticket.call_due
    ticket = await do(desk, ticket, "transfer")
    assert ticket.call_due
    assert (await do(desk, ticket, "called")).call_due is False
    with pytest.raises(NotPossibleNowError):
        await do(desk, ticket, "called")


async def test_a_change_made_on_an_old_version_is_told_and_nothing_is_lost(
    tickets, desk, notices, draft
) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    seen = ticket.version
    await desk.act(ticket.code, "transfer", GIVEN, Click(OPERATOR, "one", seen))
    with pytest.raises(ChangedMeanwhileError, match="Chuyển cơ quan"):
        await desk.act(ticket.code, "answer", GIVEN, Click(SUPERVISOR, "two", seen))
    # The same click again is no other change.
    again = await desk.act(ticket.code, "transfer", GIVEN, Click(OPERATOR, "one", seen))
    assert again.version == seen + 1
    assert len(await notices.told("conversation-1")) == 1


async def test_many_who_click_at_once_do_it_once(tickets, desk, notices, draft) -> None:
    ticket = await tickets.open(draft(), origin_key="a")

    async def answer(number: int) -> str:
        try:
            await desk.act(ticket.code, "answer", GIVEN, Click(OPERATOR, f"k{number}", ticket.version))
        except ChangedMeanwhileError:
            return "told"
        return "done"

    outcomes = await asyncio.gather(*(answer(number) for number in range(10)))
    assert sorted(outcomes) == ["done", *["told"] * 9]
    assert len(await notices.told("conversation-1")) == 1


async def test_when_the_notice_cannot_be_written_nothing_has_happened(
    tickets, desk, notices, draft, database
) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    notices.fails = True
    with pytest.raises(RuntimeError, match="no notice"):
        await do(desk, ticket, "transfer")
    assert await tickets.find(ticket.code) == ticket
    assert len(await tickets.timeline(ticket)) == 1


async def test_rights_are_asked_for_each_transition(tickets, desk, draft) -> None:
    ticket = await do(desk, await tickets.open(draft(), origin_key="a"), "refuse")
    with pytest.raises(NotYoursError):
        await desk.act(ticket.code, "reopen", GIVEN, Click(OPERATOR, "k"))
    auditor = OPERATOR.__class__("x", "x", "x", ("auditor",), active=True, has_password=True)
    for name in TRANSITIONS:
        with pytest.raises(TicketError):
            await desk.act(ticket.code, name, GIVEN, Click(auditor, "k"))
    assert (await tickets.find(ticket.code)) == ticket


@pytest.mark.parametrize(
    "name", ["answer", "transfer", "refuse", "close", "take", "note", "merge", "unmerge", "x"]
)
async def test_the_sender_may_only_do_what_is_theirs(tickets, follow, draft, name) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    with pytest.raises(TicketNotFoundError):
        await follow.act(ticket.token, name, GIVEN, key="k")
    assert await tickets.find(ticket.code) == ticket


@pytest.mark.parametrize("text", ["", "   ", "x" * 4_001])
async def test_nothing_and_too_much_are_refused(tickets, desk, draft, text) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    for name in ("answer", "ask_info", "note"):
        with pytest.raises(InvalidChangeError):
            await desk.act(ticket.code, name, {"text": text}, Click(OPERATOR, "k"))
    assert await tickets.find(ticket.code) == ticket


async def test_a_correction_is_on_the_timeline_and_moves_the_words_it_is_found_by(
    tickets, desk, draft
) -> None:
    ticket = await tickets.open(draft(), origin_key="a")
    given = {
        "field": "Cây xanh",
        "place": "làng Ốp, phường Pleiku",
        "point": "13.98, 108.01",
        "urgent": "yes",
    }
    ticket = await desk.correct(ticket.code, given, Click(OPERATOR, "k", ticket.version))
    assert (ticket.field, ticket.field_group, ticket.urgent, ticket.latitude) == ("Cây xanh", 3, True, 13.98)
    assert [each.code for each in (await tickets.page(TicketFilter(words="lang op cay xanh"))).tickets] == [
        ticket.code
    ]
    event = (await tickets.timeline(ticket))[-1]
    assert event.kind == "corrected"
    # A place may be somebody's home: what can never be erased does not hold it.
    assert "làng Ốp" not in str(event.data)
    with pytest.raises(InvalidChangeError):
        await desk.correct(ticket.code, {"field": "Không có lĩnh vực này"}, Click(OPERATOR, "k2"))


def test_every_state_can_be_left_or_is_an_end() -> None:
    starts = {state for each in TRANSITIONS.values() for state in each.starts if each.name != "called"}
    assert starts == set(TicketState)


class Lifecycle(RuleBasedStateMachine):
    """Commands of operators, supervisors and senders in any order, also by those who may not."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.folder: Any = None
        self.runner.run(self._start())

    async def _start(self) -> None:
        self.folder = TemporaryDirectory()
        self.database = Database(sqlite_with_tables(Path(self.folder.name) / "1022.sqlite3"))
        await prepare(self.database)
        self.clock = FixedClock(datetime(2026, 11, 20, 3, 0, tzinfo=UTC))
        self.notices = KeptNotices(self.database)
        self.tickets = TicketService(self.database, self.clock, self.notices, address="https://1022.test")
        self.desk = TicketDesk(self.database, self.clock, self.tickets)
        self.follow = TicketFollow(self.database, self.tickets)
        self.codes: list[str] = []

    @precondition(lambda self: len(self.codes) < 3)
    @rule(public=st.booleans())
    def open(self, public: bool) -> None:
        number = len(self.codes) + 1
        draft = draft_of(conversation_id=f"c{number}", public=public)
        ticket = self.runner.run(self.tickets.open(draft, origin_key=str(number), tell=True))
        self.codes.append(ticket.code)

    @precondition(lambda self: bool(self.codes))
    @rule(
        data=st.data(),
        name=st.sampled_from([name for name in TRANSITIONS if name != "merge"]),
        user=st.sampled_from([OPERATOR, SUPERVISOR]),
        twice=st.booleans(),
    )
    def act(self, data: st.DataObject, name: str, user: Any, twice: bool) -> None:
        code = data.draw(st.sampled_from(self.codes))
        self.clock.forward(minutes=7)
        click = Click(user, new_id())
        for _ in range(1 + twice):
            self._try(self.desk.act(code, name, GIVEN, click))

    @precondition(lambda self: bool(self.codes))
    @rule(data=st.data(), name=st.sampled_from(["give_info", "dispute", "publish", "unpublish"]))
    def sender(self, data: st.DataObject, name: str) -> None:
        code = data.draw(st.sampled_from(self.codes))
        self.clock.forward(minutes=7)
        ticket = self.runner.run(self.tickets.find(code))
        assert ticket is not None
        assert ticket.token is not None
        self._try(self.follow.act(ticket.token, name, GIVEN, key=new_id()))

    @precondition(lambda self: len(self.codes) > 1)
    @rule(data=st.data(), how=st.sampled_from(["merge", "link", "unlink"]))
    def join(self, data: st.DataObject, how: str) -> None:
        one, other = (data.draw(st.sampled_from(self.codes)) for _ in range(2))
        self.clock.forward(minutes=7)
        click = Click(OPERATOR, new_id())
        self._try(getattr(self.desk, how)(one, other, click))

    def _try(self, work: Any) -> None:
        try:
            self.runner.run(work)
        except TicketError as refused:
            assert refused.sentence

    @invariant()
    def what_must_always_be_true(self) -> None:
        for code in self.codes:
            ticket = self.runner.run(self.tickets.find(code))
            assert ticket is not None
            events = self.runner.run(self.tickets.timeline(ticket))
            now = recompute(events)
            assert {name: getattr(ticket, name) for name in asdict(now)} == asdict(now)
            kinds = [event.kind for event in events]
            assert kinds.count(EventKind.DISPUTED) == ticket.disputes <= 1
            assert [event.sequence for event in events] == list(range(1, ticket.version + 1))
            if ticket.state is TicketState.MERGED:
                allowed = {each.name for each in possible(now)}
                assert allowed <= {"unmerge", "called"}
                assert ticket.merged_into is not None
            else:
                assert ticket.merged_into is None
            # Every change that concerns the sender was told once: a repeated key would have failed.
            told = [event for event in events if event.data.get("told")]
            own = [
                key for key in self.runner.run(self.notices.keys(ticket.conversation_id)) if ":" not in key
            ]
            assert sorted(own) == sorted(event.id for event in told)

    def teardown(self) -> None:
        assert self.runner.run(self.tickets.broken()) == []
        self.runner.run(self.database.close())
        self.runner.close()
        self.folder.cleanup()


def draft_of(**changes: object) -> Any:
    values: dict[str, object] = {
        "kind": TicketKind.REPORT,
        "content": "Đèn đường hỏng",
        "name": "Nguyễn Văn An",
        "phone": "0905123456",
        "address": "12 Trần Phú",
        "consent": True,
        "channel": "webchat",
    }
    return TicketDraft.model_validate(values | changes)


TestLifecycle = Lifecycle.TestCase
TestLifecycle.settings = settings(
    max_examples=12,
    stateful_step_count=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
