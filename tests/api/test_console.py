"""The desk's routes: the list page by page, answers once, notes apart, knowledge beside, live events."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, select

from accounts.models import SessionRow, UserRow
from accounts.schemas import OpenedSession, Visit
from api.routers.console.events import _notes
from api.routers.console.feed import Screen
from api.routers.console.opened import draft_key
from api.routers.console.shown import pieces
from conversations.desk.ownership import operator_topic
from conversations.events import DESK
from conversations.media.service import LARGEST_FILE
from conversations.schemas import InboundMessage
from kb_index.importers import read_path
from kb_index.importing import import_records
from kb_index.service import KnowledgeBase
from tests.actions.conftest import ARTICLES, PROCEDURES

PASSWORD = "sông Ba mùa nước nổi"


@dataclass
class Operator:
    """Somebody at the desk."""

    client: httpx.AsyncClient
    session: OpenedSession

    @property
    def id(self) -> str:
        return self.session.user.id

    async def get(self, path: str) -> httpx.Response:
        return await self.client.get(path, headers=self._headers())

    async def post(self, path: str, **more: Any) -> httpx.Response:
        headers = {**self._headers(), "x-csrf": self.session.csrf}
        return await self.client.post(path, headers=headers, **more)

    def _headers(self) -> dict[str, str]:
        self.client.cookies.clear()
        return {"cookie": f"console_session={self.session.token}"}


@pytest.fixture
def more_settings(database_url: str) -> dict[str, Any]:
    """Each test runs on both databases."""
    return {"database_url": database_url}


@pytest.fixture
async def operators(app: FastAPI, client: httpx.AsyncClient) -> list[Operator]:
    accounts = app.state.services.accounts
    first = await accounts.create_first_admin()
    admin = await accounts.set_password(first, PASSWORD)
    found = []
    for number, name in enumerate(("Nguyễn Thị Hoà", "Trần Văn Bình")):
        login = f"truc{number}"
        _, link = await accounts.users.invite(login=login, name=name, roles=("operator",), actor=admin.id)
        await accounts.set_password(link, PASSWORD)
        opened = await accounts.log_in(login, PASSWORD, Visit(f"10.0.0.{number}"))
        assert isinstance(opened, OpenedSession)
        found.append(Operator(client, opened))
    return found


async def in_queue(app: FastAPI, texts: list[str]) -> list[str]:
    """Let people write who want a person; return their conversations once all wait."""
    services = app.state.services
    ids = []
    for text in texts:
        received = await services.inbox.receive(
            InboundMessage(
                channel="webchat", external_user_id=uuid4().hex, provider_message_id=uuid4().hex, text=text
            )
        )
        ids.append(received.conversation_id)
    async with asyncio.timeout(60):
        while (await services.desk.counts("")).queue < len(ids):  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
    return ids


@pytest.fixture
def waits(bot: Any) -> None:
    bot.turn = {"route": "handoff", "handoff": {"reason": "muốn gặp người"}, "procedures": []}


def listed(html: str) -> list[str]:
    return re.findall(r'data-id="(\w+)"', html)


@pytest.mark.usefixtures("waits")
async def test_the_list_goes_on_where_the_page_before_ended(app: FastAPI, operators: list[Operator]):
    ids = await in_queue(app, [f"câu thứ {number}" for number in range(45)])
    first = await operators[0].get("/console/list")
    following = re.search(r'data-next="([^"]+)"', first.text)
    assert following is not None
    second = await operators[0].get(f"/console/list?after={following[1]}")
    assert 'data-next=""' in second.text
    shown = listed(first.text) + listed(second.text)
    assert len(shown) == len(set(shown))
    assert set(shown) == set(ids)
    assert (await operators[0].get("/console/list?after=khong-co")).status_code < 500


@pytest.mark.usefixtures("waits")
async def test_a_longer_list_asks_the_database_no_more_often(app: FastAPI, operators: list[Operator]):
    engine = app.state.services.database.engine.sync_engine
    counted = 0
    mine = asyncio.current_task()

    def count(*_: Any) -> None:
        nonlocal counted
        # Other tasks of the application go about their own business.
        counted += asyncio.current_task() is mine

    async def asked() -> int:
        nonlocal counted
        counted = 0
        event.listen(engine, "before_cursor_execute", count)
        await operators[0].get("/console/list?show=all")
        event.remove(engine, "before_cursor_execute", count)
        return counted

    ids = await in_queue(app, ["một", "hai"])
    for each, operator in zip(ids, operators, strict=True):
        await app.state.services.desk.claim(each, operator.id)
    few = await asked()
    more = await in_queue(app, [f"câu {number}" for number in range(20)])
    for number, each in enumerate(more):
        await app.state.services.desk.claim(each, operators[number % 2].id)
    assert await asked() == few > 0


@pytest.mark.usefixtures("waits")
async def test_the_same_key_answers_once_and_another_holder_is_named(app: FastAPI, operators: list[Operator]):
    (conversation,) = await in_queue(app, ["cho gặp người"])
    path = f"/console/conversations/{conversation}"
    one, other = operators
    refused = await one.post(f"{path}/reply", data={"text": "Dạ", "key": "k"})
    assert (refused.status_code, refused.json()["error"]) == (409, "not_held")
    assert (await one.post(f"{path}/claim")).status_code == 200
    taken = await other.post(f"{path}/claim")
    assert taken.status_code == 409
    assert "Nguyễn Thị Hoà" in taken.json()["message"]
    for _ in range(3):
        assert (await one.post(f"{path}/reply", data={"text": "Dạ", "key": "k"})).status_code == 200
    said = await app.state.services.desk.history(conversation)
    assert [message.text for message in said if message.author == "operator"] == ["Dạ"]


@pytest.mark.usefixtures("waits")
async def test_a_note_is_read_by_colleagues_and_no_message(app: FastAPI, operators: list[Operator]):
    (conversation,) = await in_queue(app, ["cho gặp người"])
    path = f"/console/conversations/{conversation}"
    before = [message.id for message in await app.state.services.desk.history(conversation)]
    written = await operators[0].post(f"{path}/note", data={"text": "Khách quen", "key": "n"})
    assert "Khách quen" in written.text
    assert "Khách quen" in (await operators[1].get(f"{path}/thread")).text
    assert [message.id for message in await app.state.services.desk.history(conversation)] == before


async def test_a_file_that_is_too_large_is_refused_before_it_is_read(operators: list[Operator]):
    files = {"file": ("to.png", b"0" * (LARGEST_FILE + 100_000), "image/png")}
    refused = await operators[0].post("/console/files", data={"client_id": str(uuid4())}, files=files)
    assert (refused.status_code, refused.json()["error"]) == (413, "file_too_large")


@pytest.fixture
async def knowledge(app: FastAPI) -> AsyncIterator[KnowledgeBase]:
    services = app.state.services
    for file in (PROCEDURES, ARTICLES):
        await import_records(services.database, read_path(file, yaml_layer="starter"))
    services.knowledge = await KnowledgeBase.open(services.database, services.settings.data_dir)
    yield services.knowledge
    services.knowledge = None


@pytest.mark.usefixtures("waits", "knowledge")
async def test_the_knowledge_base_suggests_finds_and_reads(app: FastAPI, operators: list[Operator]):
    (conversation,) = await in_queue(app, ["làm giấy khai sinh cho con cần giấy tờ gì"])
    suggested = await operators[0].get(f"/console/knowledge?conversation={conversation}")
    assert "1.001193" in suggested.text
    found = await operators[0].get("/console/knowledge?q=khai+sinh")
    assert "1.001193" in found.text
    entry = await operators[0].get("/console/knowledge/1.001193?aspect=fee")
    assert entry.status_code == 200
    assert 'aria-current="true"' in entry.text
    gone = await operators[0].get("/console/knowledge/0.000000")
    assert (gone.status_code, gone.json()["error"]) == (404, "entry_gone")


async def test_a_wrong_answer_is_kept_for_learning_and_noted(app: FastAPI, operators: list[Operator]):
    services = app.state.services
    received = await services.inbox.receive(
        InboundMessage(
            channel="webchat", external_user_id="v", provider_message_id="1", text="lệ phí khai sinh?"
        )
    )
    async with asyncio.timeout(60):
        while len(await services.desk.history(received.conversation_id)) < 2:  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
    page = await operators[0].get(f"/console/conversations/{received.conversation_id}/thread")
    path = f"/console/messages/{received.message_id}/wrong"
    assert path in page.text
    data = {"conversation": received.conversation_id}
    for _ in range(2):
        assert (await operators[0].post(path, data=data)).status_code == 204
    page = await operators[1].get(f"/console/conversations/{received.conversation_id}/thread")
    assert page.text.count('class="note"') == 1
    unknown = await operators[0].post("/console/messages/khong-co/wrong", data=data)
    assert unknown.status_code == 404


class Page:
    """What an open page is told, as it would read it.

    Args:
        app: the application.
        operator: whose page it is.
    """

    def __init__(self, app: FastAPI, operator: Operator) -> None:
        self._notes = _notes(app.state.services, operator.id, operator.session.token)
        self._told: list[tuple[str, dict[str, Any]]] = []

    async def next(self, kind: str) -> dict[str, Any]:
        """Return the next thing of a kind that the page is told; what is told between is passed over."""
        async with asyncio.timeout(20):
            while True:
                while self._told:
                    name, data = self._told.pop(0)
                    if name == kind:
                        return data
                note = (await anext(self._notes)).decode()
                self._told += [
                    (name, json.loads(data))
                    for name, data in re.findall(r"event: (\w+)\ndata: (.*)\n\n", note)
                ]

    async def row(self, conversation: str) -> tuple[dict[str, Any], dict[str, int]]:
        """Return the next row of a conversation that the page is told, with the numbers told with it."""
        while True:
            told = await self.next("changed")
            for row in told["rows"]:
                if row["id"] == conversation:
                    return row, told["counts"]

    async def rest(self) -> bytes:
        """Return everything else that is told until the stream ends."""
        async with asyncio.timeout(20):
            return b"".join([note async for note in self._notes])

    async def close(self) -> None:
        await self._notes.aclose()


@pytest.fixture
async def pages(app: FastAPI, operators: list[Operator]) -> AsyncIterator[list[Page]]:
    opened = [Page(app, operator) for operator in operators]
    for page in opened:
        await page.next("ready")
    yield opened
    for page in opened:
        await page.close()


@pytest.mark.usefixtures("waits")
async def test_open_pages_receive_what_has_changed_as_the_list_shows_it(
    app: FastAPI, operators: list[Operator], pages: list[Page]
):
    services = app.state.services
    (conversation,) = await in_queue(app, ["cho gặp người"])
    row, counts = await pages[0].row(conversation)
    while row["owner"] != "queue":
        row, counts = await pages[0].row(conversation)
    assert counts == {"Waiting": 1, "Mine": 0, "Unread": 0}
    listed = (await operators[0].get("/console/list?show=waiting")).text
    assert row["html"].replace(f"{conversation}?show=waiting", "").split() == (
        re.search(r"<li .*</li>", listed, re.DOTALL)[0].replace(f"{conversation}?show=waiting", "").split()  # type: ignore[index]
    )

    await services.desk.claim(conversation, operators[0].id)
    shown = []
    for page in pages:
        while row["owner"] != "person":
            row, counts = await page.row(conversation)
        shown.append((row["isMine"], counts["Mine"], counts["Waiting"]))
        assert ("Tôi đang trả lời" in row["html"]) == row["isMine"]
        assert ("Nguyễn Thị Hoà đang trả lời" in row["html"]) != row["isMine"]
        row = {"owner": ""}
    assert shown == [(True, 1, 0), (False, 0, 0)]

    before = services.clock.now()
    await services.desk.reply(conversation, operators[0].id, "Dạ em nghe", key="k")
    while "Dạ em nghe" not in row.get("html", ""):
        row, _ = await pages[1].row(conversation)
    assert int(re.search(r'data-activity-order="(\d+)"', row["html"])[1]) >= before.timestamp() * 1e6 - 1  # type: ignore[index]


@pytest.mark.usefixtures("waits", "pages")
async def test_what_has_changed_is_looked_up_once_however_many_pages_are_open(
    app: FastAPI, operators: list[Operator]
):
    services = app.state.services
    engine = services.database.engine.sync_engine
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == "desk-feed":
            asked.append(statement)

    async def told(count: int) -> int:
        """Return how many statements it takes to tell so many pages of one change."""
        more = [Page(app, operators[number % 2]) for number in range(count)]
        for page in more:
            await page.next("ready")
        asked.clear()
        event.listen(engine, "before_cursor_execute", note)
        await services.desk.mark_urgent(conversation, operators[0].id, urgent=count > 1)
        for page in more:
            await page.row(conversation)
        event.remove(engine, "before_cursor_execute", note)
        for page in more:
            await page.close()
        return len(asked)

    (conversation,) = await in_queue(app, ["cho gặp người"])
    await told(1)
    few = await told(1)
    assert await told(20) == few > 0


async def test_a_page_that_reads_too_slowly_is_told_to_ask_anew():
    screen = Screen("u", "t")
    for number in range(1_000):
        screen.tell(b"event: changed\ndata: %d\n\n" % number)
    told = await screen.next()
    assert told is not None
    assert told.startswith(b"event: gap\n")
    assert told.endswith(b"data: 999\n\n")
    assert told.count(b"event: ") < 100


async def test_what_other_processes_may_have_told_meanwhile_is_asked_for_anew(
    app: FastAPI, pages: list[Page]
):
    await app.state.services.events.publish(DESK, type="gap")
    for page in pages:
        await page.next("gap")


async def test_what_is_of_one_person_is_told_on_their_page_alone(
    app: FastAPI, operators: list[Operator], pages: list[Page]
):
    events = app.state.services.events
    await events.publish(operator_topic(operators[0].id), type="mentioned", conversation="c")
    assert await pages[0].next("mine") == {"type": "mentioned", "conversation": "c"}
    await events.publish(DESK, type="presence", conversation="c")
    async with asyncio.timeout(20):
        told = await anext(pages[1]._notes)
    assert b'"conversations":["c"]' in told
    assert b"event: mine" not in told


async def test_a_silent_line_shows_that_it_is_alive(app: FastAPI, operators: list[Operator]):
    app.state.services.settings.event_heartbeat = 0.2
    page = Page(app, operators[0])
    for _ in range(2):
        assert await page.next("alive") == {}
    await page.close()


@pytest.mark.parametrize("is_busy", [False, True])
@pytest.mark.parametrize("ends", ["logged out", "deactivated", "another role"])
async def test_the_stream_ends_when_its_reader_may_see_nothing_more(
    app: FastAPI, operators: list[Operator], ends: str, is_busy: bool
):
    services = app.state.services
    services.settings.event_heartbeat = 0.2 if not is_busy else 60.0
    first, second = (Page(app, operator) for operator in operators)
    for page in (first, second):
        await page.next("ready")
    received = await services.inbox.receive(
        InboundMessage(
            channel="webchat", external_user_id="v", provider_message_id="1", text="chuyện riêng của tôi"
        )
    )
    await first.row(received.conversation_id)
    async with services.database.read() as session:
        admin = (await session.scalars(select(UserRow.id).where(UserRow.login == "admin"))).one()
    if ends == "logged out":
        await services.accounts.log_out(operators[0].session.token)
    elif ends == "deactivated":
        await services.accounts.users.deactivate(operators[0].id, actor=admin)
    else:
        async with services.database.write() as session:
            (await session.get(UserRow, operators[0].id)).roles = ["auditor"]
    if is_busy:
        await services.desk.mark_urgent(received.conversation_id, operators[1].id, urgent=True)
        while "urgent" not in (await second.row(received.conversation_id))[0]["html"]:
            continue
    told = await first.rest()
    assert "Khẩn".encode() not in told
    assert (await second.next("alive")) == {} if not is_busy else True
    await second.close()


async def test_a_page_that_only_stands_open_keeps_no_session_alive(app: FastAPI, operators: list[Operator]):
    accounts, token = app.state.services.accounts, operators[0].session.token
    opened = await accounts.find_session(token, is_used=False)
    async with app.state.services.database.write() as session:
        row = (await session.scalars(select(SessionRow).where(SessionRow.user_id == operators[0].id))).one()
        row.seen_at = row.seen_at - timedelta(hours=1)
    assert (await accounts.find_session(token, is_used=False)).expires_at == opened.expires_at
    assert (await accounts.find_session(token)).expires_at > opened.expires_at
    again = await accounts.find_session(token, is_used=False)
    assert again.expires_at > opened.expires_at


def test_drafts_of_two_people_have_different_keys():
    assert draft_key("secret", "a") != draft_key("secret", "b")
    assert draft_key("secret", "a") != draft_key("other", "a")


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("nguyen thi hoa", ["Nguyễn", "Thị", "Hoà"]),
        ("CỐNG", ["cống"]),
        ("khong co", []),
        ("(.*", []),
    ],
)
def test_what_was_looked_for_is_marked_with_and_without_marks(asked: str, expected: list[str]):
    found = pieces("Tôi là Nguyễn Thị Hoà, báo cống nghẹt", asked)
    assert "".join(text for text, _ in found) == "Tôi là Nguyễn Thị Hoà, báo cống nghẹt"
    assert [text for text, is_hit in found if is_hit] == expected
