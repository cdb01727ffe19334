"""The desk's routes: the list page by page, answers once, notes apart, knowledge beside, live events."""

from __future__ import annotations

import asyncio
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

from accounts.models import SessionRow
from accounts.schemas import OpenedSession, Visit
from api.routers.console.events import _notes
from api.routers.console.opened import draft_key
from api.routers.console.shown import pieces
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
    for each in ids:
        await app.state.services.desk.claim(each, operators[0].id)
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


@pytest.mark.usefixtures("waits")
async def test_pages_are_told_what_happens_and_that_the_line_is_alive(
    app: FastAPI, operators: list[Operator]
):
    services = app.state.services
    services.settings.event_heartbeat = 0.2
    notes = _notes(services, operators[0].id, operators[0].session.token)
    assert await anext(notes) == b"retry: 2000\n\n"
    async with asyncio.timeout(60):
        assert (await anext(notes)).startswith(b"event: alive\n")
        (conversation,) = await in_queue(app, ["cho gặp người"])
        while conversation.encode() not in (note := await anext(notes)):
            continue
        assert note.startswith(b"event: changed\n")
    await notes.aclose()


@pytest.mark.usefixtures("waits")
@pytest.mark.parametrize("is_busy", [False, True])
async def test_the_stream_ends_when_the_session_has(app: FastAPI, operators: list[Operator], is_busy: bool):
    services = app.state.services
    services.settings.event_heartbeat = 0.2
    first, second = (_notes(services, each.id, each.session.token) for each in operators)
    for notes in (first, second):
        await anext(notes)
    await services.accounts.log_out(operators[0].session.token)

    async def publish() -> None:
        while True:
            await services.events.publish(DESK, type="changed", conversation="c", owner="queue")
            await asyncio.sleep(0.01)

    busy = asyncio.create_task(publish()) if is_busy else None
    async with asyncio.timeout(60):
        told = [note async for note in first]
        while not (await anext(second)).startswith(b"event: changed" if is_busy else b"event: alive"):
            continue
    assert not any(note.startswith(b"event: alive") for note in told)
    if busy is not None:
        busy.cancel()
    await second.aclose()


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
