"""What the desk and the channels keep about a person goes when asked for, or old, and is found no more."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, insert, select, text, update

from conversations.channel_events import OtherEvent
from conversations.core import ConversationCore
from conversations.desk.models import EventTextRow, PersonMemberRow, PersonMergeRow, PersonRow
from conversations.desk.personal_data import DeskHolder
from conversations.intake_models import ChannelEventRow
from conversations.intake_personal_data import IntakeHolder
from conversations.media.fetch_models import FetchRow
from conversations.models import ConversationRow, MessageRow
from conversations.personal_data import ConversationHolder
from conversations.schemas import ConversationFilter, InboundMessage
from database.base import new_id
from database.engine import Database
from database.personal_data import Exported, Person, TicketKey
from database.purging import purge
from tickets.models import TicketRow
from tickets.personal_data import TicketHolder
from tickets.schemas import TicketDraft, TicketKind
from tickets.service import TicketService
from vntext.catalogue import say

Write = Callable[..., InboundMessage]
SECRETS = ("Lê Thị Mật", "0905123456", "hẻm kín", "chị của người kia")


@dataclass
class Files:
    """All holders of what the desk shows, as the product asks them."""

    core: ConversationCore
    database: Database
    clock: Any

    def __post_init__(self) -> None:
        self.tickets = TicketHolder(self.database, self.clock)
        self.conversations = ConversationHolder(self.database, self.clock, self.tickets)
        self.desk, self.intake = DeskHolder(self.database), IntakeHolder(self.database)

    async def person(self, *ids: str) -> Person:
        found = await self.conversations.find(ids=ids)
        return Person(conversations=tuple(key for _, key in found))

    async def erase(self, person: Person, *, before: datetime | None = None, limit: int = 200) -> None:
        for holder in (self.intake, self.desk, self.conversations, self.tickets):
            while await holder.erase(person, before=before, limit=limit) >= limit:
                continue

    async def found(self, asked: str) -> list[str]:
        await self.core.search.catch_up()
        page = await self.core.desk.inbox(ConversationFilter(text=asked))
        return [view.id for view in page.conversations]

    async def everything(self) -> str:
        """Return what the database keeps, but the words apart from each other: search is asked for those."""
        tables = (
            "conversations", "messages", "conversation_events", "conversation_event_texts",
            "conversation_notes", "conversation_contacts", "people", "person_merges", "person_members",
            "channel_events", "tickets", "ticket_events", "ticket_event_texts", "ticket_search",
        )  # fmt: skip
        async with self.database.read() as session:
            kept = [(await session.execute(text(f"SELECT * FROM {table}"))).all() for table in tables]
        return "\n".join(map(str, kept))

    async def count(self, row: Any) -> int:
        async with self.database.read() as session:
            return int(await session.scalar(select(func.count()).select_from(row)) or 0)


@pytest.fixture
def files(core: ConversationCore, database: Database, clock: Any) -> Files:
    return Files(core, database, clock)


async def known(files: Files, write: Write, user: str = "84905123456") -> str:
    """Let somebody write about whom the desk then keeps all it can keep."""
    core = files.core
    received = await core.inbox.receive(write("tôi là Lê Thị Mật ở hẻm kín", user=user))
    conversation_id = received.conversation_id
    await core.desk.claim(conversation_id, "op1")
    await core.notes.add(conversation_id, "op1", "Lê Thị Mật ở hẻm kín", key="n1", mentions=["op2"])
    await core.people.add_contact(conversation_id, "0905123456", "operator", name="Lê Thị Mật")
    payload = {"sender": {"id": user}, "note": "hẻm kín"}
    await core.intake.note(OtherEvent("webchat", "poll", payload, files.clock.now()))
    await core.desk.release(conversation_id, "op1", reason="Lê Thị Mật cần cán bộ khác")
    return conversation_id


async def test_what_the_desk_keeps_is_in_the_copy_in_plain_words(files: Files, write: Write):
    conversation_id = await known(files, write)
    other = (await files.core.inbox.receive(write("chuyện khác", user="khac"))).conversation_id
    await files.core.people.merge([conversation_id, other], "op1", reason="chị của người kia")
    person = await files.person(conversation_id)
    desk: Exported = await files.desk.export(person)
    [row] = desk.rows
    assert [(step["kind"], step["text"]) for step in row["history"]] == [
        ("claimed", None),
        ("released", "Lê Thị Mật cần cán bộ khác"),
        ("merged", "chị của người kia"),
    ]
    assert [note["text"] for note in row["notes"]] == ["Lê Thị Mật ở hẻm kín"]
    assert [(one["phone"], one["name"]) for one in row["contacts"]] == [("0905123456", "Lê Thị Mật")]
    assert [one["reason"] for one in row["counted_as_a_person"]] == ["chị của người kia"]
    told = await files.intake.export(person)
    assert [(one["event"], one["content"]["note"]) for one in told.rows] == [("poll", "hẻm kín")]


async def test_a_conversation_is_found_by_a_number_that_was_noted(files: Files, write: Write):
    conversation_id = await known(files, write, user="u1")
    found = await files.conversations.find(phone="0905123456")
    assert [key.id for _, key in found] == [conversation_id]
    assert await files.conversations.find(phone="0905999888") == []


@pytest.mark.parametrize("limit", [1, 200])
async def test_after_erasing_nothing_of_the_person_is_left_or_found(files: Files, write: Write, limit: int):
    conversation_id = await known(files, write)
    other = (await files.core.inbox.receive(write("chuyện của người khác", user="9"))).conversation_id
    merge = await files.core.people.merge([conversation_id, other], "op1", reason="chị của người kia")
    await files.core.people.unmerge(merge.id, "op1", reason="chị của người kia")
    await files.core.people.merge([conversation_id, other], "op1", reason="chị của người kia")
    await files.core.intake.note(OtherEvent("webchat", "poll", {"sender": {"id": "9"}}, files.clock.now()))
    await files.core.worker.work_off()
    await files.core.outbox.settle()
    before = await files.everything()
    assert all(secret in before for secret in SECRETS)
    assert await files.found("le thi mat") == [conversation_id]
    history = (await files.core.desk.open(conversation_id)).events

    await files.erase(await files.person(conversation_id), limit=limit)
    after = await files.everything()
    assert [secret for secret in (*SECRETS, "84905123456") if secret in after] == []
    for asked in ("le thi mat", "hem kin", "0905123456"):
        assert await files.found(asked) == [], asked
    assert await files.found("chuyen cua nguoi khac") == [other]

    thread = await files.core.desk.open(conversation_id)
    assert [(event.kind, event.actor, event.at) for event in thread.events] == [
        (event.kind, event.actor, event.at) for event in history
    ]
    assert [note.text for note in thread.notes] == [say("privacy.erased")]
    async with files.database.read() as session:
        people = dict((await session.execute(select(ConversationRow.id, ConversationRow.person_id))).all())
        assert set(await session.scalars(select(PersonMemberRow.conversation_id))) == {other}
        assert set(await session.scalars(select(PersonRow.name))) == {""}
        assert set(await session.scalars(select(PersonMergeRow.reason))) == {say("privacy.erased")}
        assert (await session.scalars(select(ChannelEventRow.payload))).all() == [{"sender": {"id": "9"}}]
    assert people[conversation_id] is None
    assert people[other] is not None
    person = await files.core.people.person(other)
    assert person is not None
    assert [view.id for view in person.conversations] == [other]
    # The decision that stands can still be taken back for who is left.
    await files.core.people.unmerge(person.merges[0].id, "op1", reason="nhầm")
    assert await files.core.people.person(other) is None


async def test_by_age_the_old_goes_and_the_new_stays(files: Files, write: Write):
    conversation_id = await known(files, write)
    files.clock.forward(days=50)
    cutoff = files.clock.now() - timedelta(days=1)
    core = files.core
    await core.inbox.receive(write("sổ hộ khẩu mới", user="84905123456"))
    await core.desk.claim(conversation_id, "op1")
    await core.notes.add(conversation_id, "op1", "ghi chú mới", key="n2")
    await core.people.add_contact(conversation_id, "0914555666", "operator", name="Lê Thị Mới")
    await core.desk.release(conversation_id, "op1", reason="lý do mới")
    await core.worker.work_off()
    await core.outbox.settle()
    await core.search.catch_up()

    await files.erase(await files.person(conversation_id), before=cutoff)
    left = await files.everything()
    assert [secret for secret in SECRETS if secret in left] == []
    assert await files.found("hem kin") == []
    assert await files.found("so ho khau") == [conversation_id]
    for words in ("ghi chú mới", "0914555666", "Lê Thị Mới", "lý do mới", "84905123456"):
        assert words in left, words


async def test_an_event_that_only_looks_like_the_persons_stays(files: Files, write: Write):
    conversation_id = await known(files, write, user="1234")
    at = files.clock.now()
    await files.core.intake.note(OtherEvent("webchat", "poll", {"sender": {"id": "91234"}}, at))
    await files.core.intake.note(OtherEvent("webchat", "poll", {"from": 1234, "many": ["x" * 20_000]}, at))
    person = await files.person(conversation_id)
    assert len((await files.intake.export(person)).rows) == 2
    await files.erase(person)
    async with files.database.read() as session:
        assert (await session.scalars(select(ChannelEventRow.payload))).all() == [{"sender": {"id": "91234"}}]


async def test_what_was_still_to_be_fetched_is_not_fetched_for_an_erased_message(files: Files, write: Write):
    received = await files.core.inbox.receive(write("xem ảnh"))
    now = files.clock.now()
    async with files.database.write() as session:
        await session.execute(
            insert(FetchRow).values(message_id=received.message_id, number=0, attempts=1, due_at=now)
        )
    person = await files.person(received.conversation_id)
    # While it is worked on it stays.
    assert await files.intake.erase(person, before=None, limit=200) == 0
    await files.core.worker.work_off()
    await files.core.outbox.settle()
    assert await files.intake.erase(person, before=now, limit=200) == 0
    assert await files.intake.erase(person, before=None, limit=200) == 1
    assert await files.count(FetchRow) == 0


async def test_an_erased_ticket_is_not_found_at_the_desk_any_more(files: Files, write: Write):
    received = await files.core.inbox.receive(write("phản ánh"))
    draft = TicketDraft(
        kind=TicketKind.REPORT, content="Ổ gà trước nhà Siu H'Lan", name="Siu H'Lan", phone="0914555666",
        address="Ayun Pa", channel="webchat", conversation_id=received.conversation_id, consent=True,
    )  # fmt: skip
    ticket = await TicketService(files.database, files.clock).open(draft, origin_key=new_id())
    assert await files.found("siu lan") == [received.conversation_id]
    async with files.database.write() as session:
        row = await session.get(TicketRow, ticket.id)
        assert row is not None
        row.state = "closed"
    person = Person(tickets=(TicketKey(ticket.id, ticket.code),))
    assert await files.tickets.erase(person, before=None, limit=200) == 1
    for asked in ("siu lan", "0914555666", "ayun pa"):
        assert await files.found(asked) == [], asked


async def test_without_a_reason_no_words_are_kept(files: Files, write: Write):
    received = await files.core.inbox.receive(write("xin chào"))
    await files.core.desk.claim(received.conversation_id, "op1")
    assert await files.count(EventTextRow) == 0


async def test_words_erased_in_the_moment_they_are_indexed_do_not_come_back(files: Files, write: Write):
    received = await files.core.inbox.receive(write("tôi ở hẻm kín"))
    await files.core.inbox.receive(write("và còn hỏi thêm", user="u2"))
    async with files.database.write() as session:
        erase = update(MessageRow).where(MessageRow.id == received.message_id)
        await session.execute(erase.values(text=say("privacy.erased")))
        # Not committed yet: the index may see the old words, but must not take them.
        indexing = asyncio.create_task(files.core.search.index_some())
        if not files.database.is_sqlite:  # whose only writer is the one above
            assert await indexing == 1
    await indexing
    assert await files.found("hem kin") == []
    assert len(await files.found("hoi them")) == 1
    async with files.database.read() as session:
        assert not await session.scalar(
            text("SELECT count(*) FROM search_documents WHERE CAST(words AS text) LIKE '%kin%'")
        )


async def test_a_ticket_erased_in_the_moment_it_is_indexed_is_not_found_by_name(files: Files, write: Write):
    received = await files.core.inbox.receive(write("phản ánh"))
    draft = TicketDraft(
        kind=TicketKind.REPORT, content="Ổ gà", name="Siu H'Lan", phone="0914555666", address="Ayun Pa",
        channel="webchat", conversation_id=received.conversation_id, consent=True,
    )  # fmt: skip
    ticket = await TicketService(files.database, files.clock).open(draft, origin_key=new_id())
    files.clock.forward(minutes=30)
    async with files.database.write() as session:
        await session.execute(update(TicketRow).where(TicketRow.id == ticket.id).values(name="", phone=""))
        indexing = asyncio.create_task(files.core.search.index_some())
        if not files.database.is_sqlite:
            assert await indexing == 1  # the message
    await indexing
    assert await files.found("siu lan") == []
    assert await files.found(ticket.code) == [received.conversation_id]


async def test_erasing_and_indexing_at_once_leave_no_words(files: Files, write: Write):
    """Whoever of the two is first: it is the same, again and again."""
    for number in range(12):
        received = await files.core.inbox.receive(write(f"hẻm kín số {number}", user=f"u{number}"))
        await files.core.worker.work_off()
        await files.core.outbox.settle()
        person = await files.person(received.conversation_id)
        await asyncio.gather(
            files.core.search.index_some(),
            files.conversations.erase(person, before=None, limit=200),
            files.core.search.index_some(),
        )
    assert await files.found("hem kin") == []
    async with files.database.read() as session:
        assert not await session.scalar(
            text("SELECT count(*) FROM search_documents WHERE CAST(words AS text) LIKE '%kin%'")
        )


@pytest.mark.parametrize("database_kind", ["sqlite"], indirect=True)
async def test_after_the_nightly_purge_the_words_are_not_even_in_the_file(files: Files, write: Write):
    file = Path(str(files.database.url.database))

    def bytes_of() -> bytes:
        return b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))

    for number in range(30):
        await files.core.inbox.receive(write(f"chuyện thường {number}", user=f"khac{number}"))
    await files.core.search.catch_up()
    received = await files.core.inbox.receive(write("Zwykpqmật ở hẻm Zhqxkín", user="zfj-84905123456"))
    draft = TicketDraft(
        kind=TicketKind.REPORT, content="Ổ gà", name="Zvbnhlan", phone="0914555666", address="Zgtdpa",
        channel="webchat", conversation_id=received.conversation_id, consent=True,
    )  # fmt: skip
    ticket = await TicketService(files.database, files.clock).open(draft, origin_key=new_id())
    await files.core.worker.work_off()
    await files.core.outbox.settle()
    await files.core.search.catch_up()
    for number in range(30):
        await files.core.inbox.receive(write(f"chuyện khác {number}", user=f"moi{number}"))
    await files.core.search.catch_up()
    async with files.database.write() as session:
        await session.execute(update(TicketRow).where(TicketRow.id == ticket.id).values(state="closed"))
    secrets = [
        each.encode() for each in ("Zwykpqmật", "zwykpqmat", "Zhqxkín", "zhqxkin", "Zvbnhlan", "zvbnhlan",
                                   "Zgtdpa", "zfj-84905123456")
    ]  # fmt: skip
    assert [word for word in secrets if word not in bytes_of()] == []

    person = await files.person(received.conversation_id)
    await files.erase(Person(person.conversations, (TicketKey(ticket.id, ticket.code),)))
    # Deleting alone does not do it, nor does it when the log is cut off.
    assert await files.database.shorten_log()
    assert [word for word in secrets if word in bytes_of()] != []
    await purge(files.database)
    assert [word for word in secrets if word in bytes_of()] == []
    assert await files.found("chuyen khac 7") != []
    assert await files.found("chuyen thuong 7") != []
