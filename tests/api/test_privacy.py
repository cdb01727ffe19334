"""A person's data: found, exported, erased on request and by rule; no table of words is forgotten."""

from __future__ import annotations

import json
import zipfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Boolean, Connection, Date, DateTime, Integer, inspect, select, text, update

from accounts.schemas import AuditFilter
from accounts.service import AccountService
from api.privacy import FREE_OF_CITIZENS, InvalidClueError, PersonalData
from api.retention import Periods, Retention
from conversations.desk.personal_data import DeskHolder
from conversations.intake_personal_data import IntakeHolder
from conversations.media.service import Media
from conversations.media.service import Person as Sender
from conversations.models import ConversationRow, MessageRow
from database.base import new_id
from database.engine import Database
from database.personal_data import Found
from tickets.models import TicketEventRow, TicketRow
from vntext.catalogue import say

START = datetime(2024, 1, 1, tzinfo=UTC)
ALLEY = "nhà tôi ở hẻm kín"
SECRETS = ("Lê Thị Mật", "0905123456", "12 Trần Phú", ALLEY, "zalo-user-77", "anh-mat.txt", "H21.20.15-1")


class HandClock:
    def __init__(self) -> None:
        self.time = START

    def now(self) -> datetime:
        return self.time


@dataclass
class Office:
    """Everything that is kept about people, on one database."""

    database: Database
    clock: HandClock
    media: Media
    accounts: AccountService
    data: PersonalData

    def retention(self, conversations: int | None = None, tickets: int | None = None) -> Retention:
        days = [timedelta(days=count) if count else None for count in (conversations, tickets)]
        return Retention(self.data, self.clock, self.accounts, Periods(*days))

    async def talk(
        self,
        user: str = "zalo-user-77",
        *,
        said: int = 2,
        files: int = 0,
        owner: str = "bot",
        state: str = "done",
    ) -> str:
        """Store a conversation of some messages, an hour apart, from now on; return its id."""
        conversation_id, now = new_id(), self.clock.now()
        last = now + timedelta(hours=said)
        rows: list[Any] = [
            ConversationRow(
                id=conversation_id, channel="zalo", external_user_id=user, owner=owner, session=1,
                next_sequence=said + 1, last_activity_at=last, last_message=ALLEY,
                last_author="citizen", unread=0, handoff_reason=ALLEY, created_at=now,
            )
        ]  # fmt: skip
        attached = [{"file_id": await self.upload(user), "name": "anh-mat.txt"} for _ in range(files)]
        turn = {"route": "answer", "procedures": [{"code": "1.001193"}], "ticket": "GL-2024-000001"}
        for number in range(said):
            rows.append(
                MessageRow(
                    id=new_id(), conversation_id=conversation_id, sequence=number + 1, session=1,
                    direction="in", author="citizen", channel="zalo", kind="text", state=state, attempts=0,
                    provider_message_id=f"zalo-user-77:{conversation_id}:{number}",
                    text="nhà tôi ở hẻm kín, gọi 0905123456",
                    payload={"attachments": attached},
                    turn=turn,
                    error="0905123456", provider_timestamp=now, created_at=now + timedelta(hours=number),
                    handled_at=now + timedelta(hours=number),
                )
            )  # fmt: skip
        async with self.database.write() as session:
            for row in rows:
                session.add(row)
                await session.flush()
        return conversation_id

    async def upload(self, user: str = "zalo-user-77") -> str:
        stored = await self.media.add(
            Sender("zalo", user), client_id=new_id(), name="anh-mat.txt", content=f"của {user}".encode()
        )
        return stored.id

    async def report(
        self,
        conversation_id: str,
        number: int = 1,
        *,
        state: str = "closed",
        attachments: tuple[str, ...] = (),
    ) -> str:
        """Store a ticket with its first event; return its id."""
        now = self.clock.now()
        row = TicketRow(
            id=new_id(), code=f"GL-2024-{number:06d}", origin_key=new_id(), kind="report", state=state,
            content="Tôi là Lê Thị Mật, 12 Trần Phú, sđt 0905 123 456: cống nghẹt", place=ALLEY,
            place_unit="Phường Pleiku", name="Lê Thị Mật", phone="0905123456", address="12 Trần Phú",
            channel="zalo", conversation_id=conversation_id, dossier_code="H21.20.15-1",
            attachments=list(attachments), field="thoat-nuoc",
            consented_at=now, opened_at=now, state_since=now,
        )  # fmt: skip
        async with self.database.write() as session:
            session.add(row)
            await session.flush()
            session.add(
                TicketEventRow(ticket_id=row.id, sequence=1, kind="opened", actor="citizen", at=now, data={})
            )
        return row.id

    async def everything(self) -> str:
        """Return the whole database and all stored files as one text."""
        parts = []
        async with self.database.read() as session:
            for table in await session.run_sync(lambda sync: _table_names(sync.connection())):
                parts.append(str((await session.execute(text(f'SELECT * FROM "{table}"'))).all()))
        parts += [path.read_text() for path in sorted(self.folder.rglob("*")) if path.is_file()]
        return "\n".join(parts)

    @property
    def folder(self) -> Path:
        return self.media._store._folder


def _table_names(connection: Any) -> list[str]:
    return list(connection.dialect.get_table_names(connection))


@pytest.fixture
async def office(migrated_url: str, tmp_path: Path) -> AsyncIterator[Office]:
    """Each test runs on both databases."""
    database, clock = Database(migrated_url), HandClock()
    media = Media(database, clock, tmp_path / "files")
    accounts = AccountService(database, clock)
    more = (IntakeHolder(database), DeskHolder(database))
    yield Office(database, clock, media, accounts, PersonalData(database, clock, media, accounts, more))
    await database.close()


def names(found: list[Found]) -> list[str]:
    return [f"{record.kind}:{record.id}" for record in found]


def _columns(connection: Connection) -> dict[str, set[str]]:
    """Return by table the columns that can hold words or places: all but dates, integers and switches."""
    found = {}
    inspector = inspect(connection)
    tables = inspector.get_table_names()
    for table in tables:
        # The tables inside which SQLite keeps a search index are looked at as one, by its name.
        if any(table.startswith(f"{other}_") and f"{other}_docsize" in tables for other in tables):
            continue
        found[table] = {
            column["name"]
            for column in inspector.get_columns(table)
            if not isinstance(column["type"], (Boolean, Date, DateTime, Integer))
        }
    return found


async def test_every_column_that_could_tell_about_a_person_is_with_a_holder(office: Office):
    erased: dict[str, set[str]] = {}
    kept: dict[str, set[str]] = {}
    for holder in office.data.holders:
        for target, by_table in ((erased, holder.erased), (kept, holder.kept)):
            for table, columns in by_table.items():
                target.setdefault(table, set()).update(columns)
    async with office.database.engine.connect() as connection:
        known = await connection.run_sync(_columns)
    assert set(FREE_OF_CITIZENS) <= set(known)
    is_sqlite = office.database.engine.dialect.name == "sqlite"
    # PostgreSQL has its indexes of words in the tables themselves.
    elsewhere = set() if is_sqlite else {"search_words", "ticket_search_fts"}
    assert set(erased) | set(kept) <= set(known) | elsewhere
    for name, told in known.items():
        if name in FREE_OF_CITIZENS:
            assert name not in erased, name
            continue
        forgotten = told - erased.get(name, set()) - kept.get(name, set())
        assert not forgotten, f"{name}: nobody says whether these tell about a person: {sorted(forgotten)}"
        assert not erased.get(name, set()) & kept.get(name, set()), name


async def test_a_person_is_found_by_phone_code_and_channel_user(office: Office):
    talk = await office.talk()
    ticket = await office.report(talk)
    other = await office.talk("zalo-user-88")
    wanted = {f"conversation:{talk}", f"ticket:{ticket}"}
    for way, value in (
        ("phone", "0905 123 456"),
        ("phone", "+84905123456"),
        ("ticket", "gl 2024 1"),
        ("user", "zalo-user-77"),
        ("user", talk),
    ):
        assert set(names(await office.data.find(way, value))) == wanted, (way, value)  # type: ignore[arg-type]
    assert names(await office.data.find("user", "zalo-user-88")) == [f"conversation:{other}"]
    assert await office.data.find("phone", "0905999888") == []
    assert await office.data.find("user", " ") == []
    for way, value in (("phone", "không có số"), ("phone", ""), ("ticket", "0905123456")):
        with pytest.raises(InvalidClueError):
            await office.data.find(way, value)  # type: ignore[arg-type]


async def test_the_copy_holds_everything_in_words_and_files(office: Office):
    talk = await office.talk(files=1)
    ticket = await office.report(talk, attachments=(await office.upload(),))
    await office.talk("zalo-user-88", files=1)
    selection = await office.data.select([f"conversation:{talk}", f"ticket:{ticket}", "ticket:unknown", "x"])
    path = await office.data.export(selection.person)
    assert path.stat().st_mode & 0o077 == 0
    with zipfile.ZipFile(path) as archive:
        data = json.loads(archive.read("du-lieu.json"))
        assert "Luật Bảo vệ dữ liệu cá nhân" in archive.read("DOC-TRUOC.txt").decode()
        files = [name for name in archive.namelist() if name.startswith("tep/")]
        assert {archive.read(name).decode() for name in files} == {"của zalo-user-77"}
    path.unlink()
    assert len(files) == 2
    assert data["tickets"][0]["name"] == "Lê Thị Mật"
    assert data["tickets"][0]["timeline"][0]["kind"] == "opened"
    assert [message["text"] for message in data["conversations"][0]["messages"]] == [
        "nhà tôi ở hẻm kín, gọi 0905123456"
    ] * 2
    assert "zalo-user-88" not in json.dumps(data)


async def test_after_erasing_nothing_of_the_person_is_left_anywhere(office: Office):
    talk = await office.talk(said=450, files=2)
    ticket = await office.report(talk, attachments=(await office.upload(),))
    other = await office.talk("zalo-user-88", files=1)
    before = await office.everything()
    assert all(secret in before for secret in SECRETS)
    await office.talk("unrelated")

    selection = await office.data.select([f"conversation:{talk}", f"ticket:{ticket}"])
    count = await office.data.erase(selection, actor="admin", reason="đơn số 12")
    assert count == 3 + 451 + 1

    async with office.database.write() as session:
        # What others said stays; take it away to look at the rest.
        for name in (other, *names(await office.data.find("user", "unrelated"))):
            await session.execute(
                text("DELETE FROM messages WHERE conversation_id = :id"), {"id": name.split(":")[-1]}
            )
        await session.execute(text("DELETE FROM stored_files WHERE external_user_id = 'zalo-user-88'"))
        await session.execute(
            text("UPDATE conversations SET last_message = '', handoff_reason = NULL WHERE id != :id"),
            {"id": talk},
        )
    after = await office.everything()
    assert [secret for secret in SECRETS if secret in after and secret != "zalo-user-88"] == []
    assert "của zalo-user-77" not in after
    assert "của zalo-user-88" in after

    async with office.database.read() as session:
        row = (await session.scalars(select(TicketRow))).one()
        assert (row.code, row.state, row.place_unit, row.field) == (
            "GL-2024-000001", "closed", "Phường Pleiku", "thoat-nuoc",
        )  # fmt: skip
        assert "cống nghẹt" in row.content
        assert len((await session.scalars(select(TicketEventRow))).all()) == 1
        turns = (
            await session.scalars(select(MessageRow.turn).where(MessageRow.conversation_id == talk))
        ).all()
        assert turns == [{"route": "answer", "procedures": [{"code": "1.001193"}]}] * 450
    lines = (await office.accounts.trail(AuditFilter())).entries
    assert [(line.action, line.target) for line in lines] == [
        ("person.erased", talk), ("person.erased", ticket),
        ("person.erasing", talk), ("person.erasing", ticket),
    ]  # fmt: skip
    assert lines[-1].detail == {"reason": "đơn số 12"}
    again = await office.data.select([f"conversation:{talk}", f"ticket:{ticket}"])
    assert [record.kept for record in again.refused] == ["erased", "erased"]
    assert await office.data.find("user", "zalo-user-77") == []


@pytest.mark.parametrize(
    ("given", "ticket_state", "kept"),
    [
        ({}, "new", {"ticket": "open_ticket", "conversation": "with_open_ticket"}),
        ({"owner": "person"}, "closed", {"ticket": None, "conversation": "held"}),
        ({"owner": "queue"}, "refused", {"ticket": None, "conversation": "held"}),
        ({"state": "received"}, "merged", {"ticket": None, "conversation": "under_way"}),
        ({}, "closed", {"ticket": None, "conversation": None}),
    ],
)
async def test_what_is_still_needed_is_refused_with_a_reason(
    office: Office, given: dict[str, Any], ticket_state: str, kept: dict[str, str | None]
):
    talk = await office.talk(**given)
    needed = await office.upload()
    ticket = await office.report(talk, state=ticket_state, attachments=(needed,))
    selection = await office.data.select([f"conversation:{talk}", f"ticket:{ticket}"])
    assert {record.kind: record.kept for record in selection.found} == kept
    for reason in filter(None, kept.values()):
        assert say(f"privacy.kept.{reason}")
    await office.data.erase(selection, actor="admin", reason="x")
    async with office.database.read() as session:
        names_left = (await session.scalars(select(TicketRow.name))).all()
        texts = set((await session.scalars(select(MessageRow.text))).all())
    assert (names_left == ["Lê Thị Mật"]) == (kept["ticket"] is not None)
    assert (say("privacy.erased") in texts) == (kept["conversation"] is None)
    assert (await office.media.find(needed) is not None) == (kept["ticket"] is not None)


async def test_the_typed_code_means_these_records_and_no_others(office: Office):
    first, second = await office.talk(), await office.talk("b")
    one = await office.data.select([f"conversation:{first}"])
    both = await office.data.select([f"conversation:{second}", f"conversation:{first}"])
    same = await office.data.select([f"conversation:{first}", f"conversation:{second}"])
    assert one.code != both.code == same.code
    assert len(one.code) == 6


async def test_files_of_a_ticket_that_goes_on_stay_when_the_talk_is_old(office: Office):
    talk = await office.talk(files=1)
    needed = await office.upload()
    await office.report(talk, state="closed", attachments=(needed,))
    office.clock.time += timedelta(days=100)
    assert (await office.retention(conversations=90).run()).conversations == 1
    assert await office.media.find(needed) is not None
    async with office.database.read() as session:
        assert len((await session.scalars(text("SELECT id FROM stored_files"))).all()) == 1


async def test_by_rule_the_old_goes_and_the_new_stays(office: Office):
    old = await office.talk("old", said=3)
    office.clock.time += timedelta(days=50)
    going_on = await office.talk("going-on", said=2)
    waiting = await office.talk("waiting", owner="queue")
    async with office.database.write() as session:
        await session.execute(
            update(MessageRow)
            .where(MessageRow.conversation_id == going_on, MessageRow.sequence == 2)
            .values(created_at=START + timedelta(days=140))
        )
        await session.execute(
            update(ConversationRow)
            .where(ConversationRow.id == going_on)
            .values(last_activity_at=START + timedelta(days=140))
        )
    retention = office.retention(conversations=90)

    async def left() -> dict[str, int]:
        query = select(MessageRow.conversation_id).where(MessageRow.text != say("privacy.erased"))
        async with office.database.read() as session:
            found = (await session.scalars(query)).all()
        return {name: found.count(talk) for name, talk in (("old", old), ("on", going_on), ("wait", waiting))}

    assert (await retention.run()).rows == 0
    office.clock.time = START + timedelta(days=100)
    would = await retention.run(dry=True)
    assert (would.conversations, await left()) == (1, {"old": 3, "on": 2, "wait": 2})
    assert (await retention.run()).rows == 4
    assert await left() == {"old": 0, "on": 2, "wait": 2}
    assert (await retention.run()).conversations == 0

    office.clock.time = START + timedelta(days=150)
    assert (await retention.run()).rows == 1
    assert await left() == {"old": 0, "on": 1, "wait": 2}
    async with office.database.read() as session:
        users = dict(
            (await session.execute(select(ConversationRow.id, ConversationRow.external_user_id))).all()
        )
    assert (users[old], users[going_on]) == (f"erased-{old}", "going-on")
    assert (await retention.run()).rows == 0

    office.clock.time = START + timedelta(days=240)
    await retention.run()
    assert await left() == {"old": 0, "on": 0, "wait": 2}


async def test_by_rule_the_contact_data_of_old_finished_tickets_goes(office: Office):
    talk = await office.talk()
    finished = await office.report(talk, 1)
    await office.report(talk, 2, state="transferred")
    office.clock.time += timedelta(days=400)
    await office.report(talk, 3)
    retention = office.retention(tickets=365)
    assert (await retention.run(dry=True)).tickets == 1
    assert (await retention.run()).tickets == 1
    assert (await retention.run()).tickets == 0
    async with office.database.read() as session:
        phones = dict((await session.execute(select(TicketRow.code, TicketRow.phone))).all())
    assert phones == {"GL-2024-000001": "", "GL-2024-000002": "0905123456", "GL-2024-000003": "0905123456"}
    (line,) = await office.accounts.audit(finished)
    assert (line.actor, line.action) == ("retention", "retention.erased")


async def test_without_periods_everything_stays(office: Office):
    talk = await office.talk()
    await office.report(talk)
    office.clock.time += timedelta(days=10_000)
    outcome = await office.retention().run()
    assert (outcome.conversations, outcome.tickets) == (0, 0)


async def test_a_run_that_was_broken_off_is_finished_by_the_next(office: Office):
    talks = [await office.talk(f"user-{number}", said=1) for number in range(52)]
    office.clock.time += timedelta(days=100)
    found = await office.data.conversations.due(office.clock.now() - timedelta(days=90), "", 50)
    assert len(found) == 50
    # What a process that ended in the middle leaves: some are done and noted, one is done in part.
    retention = office.retention(conversations=90)
    await office.data.conversations.erase(
        (await office.data.select([f"conversation:{talks[0]}"])).person, before=office.clock.now(), limit=1
    )
    assert (await retention.run()).conversations == 52
    async with office.database.read() as session:
        texts = set((await session.scalars(select(MessageRow.text))).all())
    assert texts == {say("privacy.erased")}
    assert (await retention.run()).conversations == 0
