"""The operators' ticket pages: who may, what a click does, what two at once see, how many queries."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import event, update

from accounts.models import UserRow
from accounts.schemas import Visit
from api.access import COOKIE
from api.services import Services
from tickets.desk import Click
from tickets.schemas import Ticket, TicketDraft, TicketKind

PASSWORD = "mot con meo ngu tren mai"


class Console:
    """Somebody logged in."""

    def __init__(self, client: httpx.AsyncClient, csrf: str, user: Any) -> None:
        self.client = client
        self.csrf = csrf
        self.user = user

    async def get(self, path: str, **params: str) -> httpx.Response:
        return await self.client.get(path, params=params or None, headers={"Accept": "text/html"})

    async def post(self, path: str, **form: str) -> httpx.Response:
        form = {"csrf": self.csrf, **form}
        return await self.client.post(path, data=form, headers={"Accept": "text/html"})

    async def click(self, ticket: Ticket, name: str, **form: str) -> httpx.Response:
        page = (await self.get(f"/console/tickets/{ticket.code}")).text
        form = {"key": hidden(page, "key"), "version": hidden(page, "version"), **form}
        return await self.post(f"/console/tickets/{ticket.code}/{name}", **form)


def hidden(page: str, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]*)"', page)
    assert found is not None
    return found[1]


@pytest.fixture
def more_settings(database_url: str) -> dict[str, Any]:
    """Each test runs on both databases."""
    return {"database_url": database_url}


@pytest.fixture
def parts(app: FastAPI) -> Services:
    services: Services = app.state.services
    return services


@pytest.fixture
async def log_in(app: FastAPI, parts: Services) -> AsyncIterator[Callable[..., Any]]:
    opened: list[httpx.AsyncClient] = []

    async def make(*roles: str, login: str = "hoa") -> Console:
        _, link = await parts.accounts.users.invite(login=login, name=login, roles=("operator",), actor="x")
        user = await parts.accounts.set_password(link, PASSWORD)
        async with parts.database.write() as session:
            await session.execute(update(UserRow).where(UserRow.id == user.id).values(roles=list(roles)))
        log_in = await parts.accounts.log_in(login, PASSWORD, Visit("a"))
        client = httpx.AsyncClient(
            transport=httpx.ASGITransport(app, raise_app_exceptions=False),
            base_url="http://1022",
            cookies={COOKIE: log_in.token},
        )
        opened.append(client)
        return Console(client, log_in.csrf, log_in.user)

    yield make
    for client in opened:
        await client.aclose()


@pytest.fixture
async def operator(log_in: Callable[..., Any]) -> Console:
    made: Console = await log_in("operator")
    return made


@pytest.fixture
def open_ticket(parts: Services) -> Callable[..., Any]:
    count = iter(range(1, 1_000))

    async def make(**changes: object) -> Ticket:
        values: dict[str, object] = {
            "kind": TicketKind.REPORT,
            "content": "Đèn đường hỏng trước số 12 Trần Phú",
            "place": "12 Trần Phú, phường Pleiku",
            "name": "Nguyễn Thị Hoà",
            "phone": "0905123456",
            "address": "4 Hai Bà Trưng",
            "consent": True,
            "channel": "webchat",
            "conversation_id": "",
        }
        draft = TicketDraft.model_validate(values | changes)
        return await parts.tickets.open(draft, origin_key=str(next(count)))

    return make


ROUTES = [
    ("get", "/console/tickets", {"operator", "supervisor", "administrator"}),
    ("get", "/console/tickets/{code}", {"operator", "supervisor", "administrator"}),
    ("get", "/console/tickets/{code}/print", {"operator", "supervisor", "administrator"}),
    ("post", "/console/tickets/{code}/sender", {"operator", "supervisor", "administrator"}),
    ("post", "/console/tickets/{code}/note", {"operator", "supervisor", "administrator"}),
    ("post", "/console/tickets/{code}/correct", {"operator", "supervisor", "administrator"}),
]


@pytest.mark.parametrize("role", ["operator", "supervisor", "administrator", "auditor"])
@pytest.mark.parametrize(("method", "path", "allowed"), ROUTES)
async def test_each_page_opens_for_its_roles_alone(
    log_in: Any, open_ticket: Any, role: str, method: str, path: str, allowed: set[str]
) -> None:
    ticket = await open_ticket()
    somebody: Console = await log_in(role)
    path = path.format(code=ticket.code)
    if method == "get":
        response = await somebody.get(path)
    else:
        response = await somebody.post(path, key="k", version="1", text="đã gọi")
    assert (response.status_code in (200, 303)) == (role in allowed)
    assert role in allowed or response.status_code == 403


@pytest.mark.parametrize(("method", "path", "_allowed"), ROUTES)
async def test_strangers_and_other_sites_are_refused(
    client: httpx.AsyncClient, operator: Console, open_ticket: Any, method: str, path: str, _allowed: set[str]
) -> None:
    ticket = await open_ticket()
    path = path.format(code=ticket.code)
    stranger = await client.request(method, path, headers={"Accept": "text/html"})
    assert (stranger.status_code, stranger.headers["location"]) == (303, "/console/login")
    if method == "post":
        assert (await operator.client.post(path, data={"csrf": "guessed"})).status_code == 403


async def test_only_a_supervisor_reopens_what_was_refused(
    operator: Console, log_in: Any, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    refused = await operator.click(ticket, "refuse", reason="out_of_scope")
    assert refused.status_code == 303
    page = (await operator.get(f"/console/tickets/{ticket.code}")).text
    assert f"/console/tickets/{ticket.code}/reopen" not in page
    assert (await operator.click(ticket, "reopen", text="nhầm")).status_code == 422
    supervisor: Console = await log_in("supervisor", login="minh")
    assert (await supervisor.click(ticket, "reopen", text="nhầm")).status_code == 303
    found = await parts.tickets.find(ticket.code)
    assert found is not None
    assert found.state == "new"


async def test_the_sender_is_shown_when_asked_for_and_that_is_on_record(
    operator: Console, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    path = f"/console/tickets/{ticket.code}"
    for page in (await operator.get(path), await operator.get(f"{path}/print")):
        assert "Nguyễn Thị Hoà" not in page.text
        assert "0905123456" not in page.text
    assert "ticket.sender_viewed" not in {line.action for line in await parts.accounts.audit(ticket.id)}
    shown = await operator.post(f"{path}/sender")
    assert "Nguyễn Thị Hoà" in shown.text
    assert "0905123456" in shown.text
    lines = [line for line in await parts.accounts.audit(ticket.id) if line.action == "ticket.sender_viewed"]
    assert [line.actor for line in lines] == [operator.user.id]


async def test_a_click_that_comes_twice_is_done_once(
    operator: Console, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    form = {"key": "click-1", "version": "1", "agency": "Điện lực Gia Lai"}
    for _ in range(2):
        response = await operator.post(f"/console/tickets/{ticket.code}/transfer", **form)
        assert response.status_code == 303
    assert [each.kind for each in await parts.tickets.timeline(ticket)] == ["opened", "transferred"]


async def test_who_comes_second_is_told_and_what_they_wrote_is_still_there(
    operator: Console, log_in: Any, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    other: Console = await log_in("operator", login="lan")
    path = f"/console/tickets/{ticket.code}/answer"
    assert (await other.post(path, key="a", version="1", text="Đã sửa đèn sáng nay.")).status_code == 303
    second = await operator.post(path, key="b", version="1", text="Mai sẽ có người đến sửa đèn.")
    assert second.status_code == 409
    assert 'role="alert"' in second.text
    assert "Trả lời người gửi" in second.text
    assert [each.text for each in await parts.tickets.timeline(ticket)] == [None, "Đã sửa đèn sáng nay."]
    # The action has no form any more where the ticket stands now: the words are kept where they can be read.
    assert "Mai sẽ có người đến sửa đèn." in second.text


async def test_a_form_that_is_not_filled_in_says_what_is_missing(operator: Console, open_ticket: Any) -> None:
    ticket = await open_ticket()
    response = await operator.click(ticket, "transfer", agency=" ", text="gấp lắm")
    assert response.status_code == 422
    assert "Cơ quan xử lý" in response.text
    assert "gấp lắm" in response.text


@pytest.mark.parametrize("code", ["GL-2026-999999", "x", "GL-2026-000001-0", "%00", "../../etc"])
async def test_an_unknown_ticket_is_a_page_that_says_so(
    operator: Console, open_ticket: Any, code: str
) -> None:
    await open_ticket()
    response = await operator.get(f"/console/tickets/{code}")
    assert response.status_code in (404, 409)
    assert "<h1>" in response.text


async def test_the_list_is_searched_filtered_and_paged(operator: Console, open_ticket: Any) -> None:
    lamp = await open_ticket()
    water = await open_ticket(content="Mất nước sinh hoạt ba ngày", name="Trần Văn Bình", phone="0912345678")

    async def found(**params: str) -> list[str]:
        page = (await operator.get("/console/tickets", **params)).text
        return re.findall(r"<b>(GL-[\d-]+)</b>", page)

    assert await found() == [water.code, lamp.code]
    assert await found(q="nguyen thi hoa") == [lamp.code]
    assert await found(q="0912345678") == [water.code]
    assert await found(q=lamp.code.lower().replace("-", " ")) == [lamp.code]
    assert await found(field="Cấp nước") == [water.code]
    assert await found(state="closed") == []
    assert await found(state="no such state", before="x", first="31-31-31", last="9999-12-31") == [
        water.code,
        lamp.code,
    ]
    assert await found(first="2001-01-01", last="2001-02-01") == []
    many = [await open_ticket() for _ in range(51)]
    page = (await operator.get("/console/tickets")).text
    older = re.search(r'href="(/console/tickets\?[^"]*before=[^"]*)"', page)
    assert older is not None
    rest = (await operator.get(older[1].replace("&amp;", "&"))).text
    assert re.findall(r"<b>(GL-[\d-]+)</b>", rest)[-1] == lamp.code
    assert many[0].code not in re.findall(r"<b>(GL-[\d-]+)</b>", page)


@contextmanager
def counted(parts: Services) -> Iterator[list[str]]:
    """Collect the statements of what is asked here; what the app does meanwhile by itself is left out."""
    statements: list[str] = []
    asking = asyncio.current_task()

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if asyncio.current_task() is asking:
            statements.append(statement)

    engine = parts.database.engine.sync_engine
    event.listen(engine, "before_cursor_execute", note)
    yield statements
    event.remove(engine, "before_cursor_execute", note)


async def test_the_number_of_queries_does_not_grow(
    operator: Console, open_ticket: Any, parts: Services
) -> None:
    first = await open_ticket()
    click = Click(operator.user, "k1")

    async def queries(path: str) -> int:
        with counted(parts) as statements:
            assert (await operator.get(path)).status_code == 200
        return len([each for each in statements if "SELECT" in each])

    await queries("/console/tickets")  # a log-in that is used is noted now and then
    few = await queries("/console/tickets"), await queries(f"/console/tickets/{first.code}")
    for number in range(12):
        other = await open_ticket()
        await parts.ticket_desk.act(first.code, "note", {"text": "xem lại"}, Click(click.user, f"n{number}"))
        if number < 3:
            await parts.ticket_desk.link(first.code, other.code, Click(click.user, f"l{number}"))
    many = await queries("/console/tickets"), await queries(f"/console/tickets/{first.code}")
    assert many == few
    assert max(many) <= 12
