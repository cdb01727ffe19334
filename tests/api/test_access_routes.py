"""Every route of the console with every role: let in or refused, never anything between.

A route without a guard, or one that is new and not in the lists below, makes these tests fail.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import update

from accounts.access import ALLOWED, DANGEROUS, Action
from accounts.models import SessionRow
from accounts.schemas import ROLES, OpenedSession, Visit
from api.access import Rule, rule_of
from api.settings import Settings
from conversations.schemas import InboundMessage
from tests.api.conftest import make_app
from tickets.schemas import TicketDraft, TicketKind

PASSWORD = "sông Ba mùa nước nổi"
OPEN = {
    ("GET", "/console/login"),
    ("POST", "/console/login"),
    ("POST", "/console/login/code"),
    ("GET", "/console/set-password"),
    ("POST", "/console/set-password"),
    # Zalo sends the browser here, without our cookie: it leads on to a page that asks for the session.
    ("GET", "/console/channels/connect/zalo/callback"),
}
"""Routes for those who have no session, or not yet."""
STREAMS = {"/console/events"}
"""Routes that go on as long as the page is open; their guard is looked at, they are not opened."""
HTML = {"accept": "text/html"}


@dataclass
class Console:
    """The app with one logged-in person for each role."""

    app: FastAPI
    client: httpx.AsyncClient
    sessions: dict[str, OpenedSession]
    records: dict[str, str]
    """Records of somebody else, by the name of the path's parameter."""

    async def ask(
        self, method: str, path: str, role: str | None, *, csrf: bool = True, headers: Any = None
    ) -> httpx.Response:
        self.client.cookies.clear()
        sent = dict(headers or {})
        if role is not None:
            opened = self.sessions[role]
            sent["cookie"] = f"console_session={opened.token}"
            if csrf:
                sent["x-csrf"] = opened.csrf
        return await self.client.request(method, path, headers=sent)


def all_routes(routes: Iterable[Any]) -> list[Any]:
    """Return the routes, those of routers that were included too."""
    found = []
    for route in routes:
        inner = getattr(route, "original_router", None)
        if inner is None:
            found.append(route)
        else:
            assert not route.include_context.prefix, "a router has its whole path by itself"
            found += all_routes(inner.routes)
    return found


def console_routes(app: FastAPI) -> list[APIRoute]:
    return [
        route
        for route in all_routes(app.routes)
        if isinstance(route, APIRoute) and route.path.startswith("/console")
    ]


def rules(route: APIRoute) -> list[Rule]:
    """What a route's dependencies ask for, the dependencies of dependencies included."""
    found, left = [], [route.dependant]
    while left:
        dependant = left.pop()
        rule = rule_of(dependant.call)
        found += [rule] if rule is not None else []
        left += dependant.dependencies
    return found


def guarded(app: FastAPI) -> list[tuple[str, APIRoute, Rule]]:
    return [
        (method, route, rules(route)[0])
        for route in console_routes(app)
        for method in sorted(route.methods)
        if (method, route.path) not in OPEN
    ]


def filled(path: str, records: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)(?::\w+)?\}", lambda match: records.get(match[1], "khong-co"), path)


async def people(app: FastAPI, client: httpx.AsyncClient) -> Console:
    """Log one person of each role in, and somebody else whose records they must not touch."""
    services = app.state.services
    accounts = services.accounts
    first = await accounts.create_first_admin()
    assert first is not None
    await accounts.set_password(first, PASSWORD)
    sessions = {}
    for role in (*ROLES, "stranger"):
        roles = ("operator",) if role == "stranger" else (role,)
        _, link = await accounts.users.invite(
            login=role, name=f"Người {role}", roles=roles, agency="so-y-te", actor="test"
        )
        await accounts.set_password(link, PASSWORD)
        opened = await accounts.log_in(role, PASSWORD, Visit(f"10.0.0.{len(sessions)}"))
        assert isinstance(opened, OpenedSession)
        sessions[role] = opened
    stranger = sessions.pop("stranger")
    (line,) = await accounts.own.sessions(stranger.user.id)
    draft = TicketDraft(
        kind=TicketKind.REPORT,
        content="Đèn đường hỏng",
        name="Lê An",
        phone="0905123456",
        address="12 Trần Phú",
        consent=True,
        channel="webchat",
        conversation_id="c-of-another",
    )
    ticket = await services.tickets.open(draft, origin_key="a")
    received = await services.inbox.receive(
        InboundMessage(
            channel="webchat", external_user_id="v", provider_message_id="1", text="Lệ phí khai sinh?"
        )
    )
    async with asyncio.timeout(60):
        while len(await services.desk.history(received.conversation_id)) < 2:  # noqa: ASYNC110 - a row
            await asyncio.sleep(0.01)
    await services.desk.claim(received.conversation_id, stranger.user.id)
    answer = await services.core.canned.add(stranger.user.id, "Chào", "Dạ chào anh/chị", shared=False)
    records = {
        "user_id": stranger.user.id,
        "key": line.key,
        "code": ticket.code,
        "conversation_id": received.conversation_id,
        "answer_id": answer.id,
    }
    return Console(app, client, sessions, records)


@pytest.fixture
async def console(app: FastAPI, client: httpx.AsyncClient) -> Console:
    return await people(app, client)


def test_every_route_has_exactly_one_guard(app: FastAPI):
    routes = console_routes(app)
    assert {(method, route.path) for route in routes for method in route.methods} >= OPEN
    for route in routes:
        for method in route.methods:
            expected = 0 if (method, route.path) in OPEN else 1
            assert len(rules(route)) == expected, f"{method} {route.path}"


def test_what_is_posted_carries_the_sessions_mark(app: FastAPI):
    for method, route, rule in guarded(app):
        assert rule.changes == (method != "GET"), f"{method} {route.path}"


def test_nothing_but_the_console_has_sections_behind_its_path(app: FastAPI):
    # A page that is mounted, or a socket, would have no guard that these tests see.
    others = [route for route in all_routes(app.routes) if not isinstance(route, APIRoute)]
    assert not [route for route in others if getattr(route, "path", "").startswith("/console")]


async def test_each_role_is_let_in_or_refused_as_the_table_says(console: Console):
    for method, route, rule in guarded(console.app):
        if route.path in STREAMS or route.path in {"/console/logout", "/console/account/sessions/others"}:
            continue
        path = filled(route.path, console.records)
        for role in ROLES:
            response = await console.ask(method, path, role)
            name = f"{method} {route.path} as {role}"
            if role in ALLOWED[rule.action]:
                assert response.status_code not in {401, 403, 500}, name
            else:
                assert response.status_code == 403, name
                assert response.json()["error"] == "forbidden", name


async def test_without_a_session_there_is_the_log_in_form(console: Console):
    for method, route, _ in guarded(console.app):
        path = filled(route.path, console.records)
        response = await console.ask(method, path, None, headers=HTML)
        assert (response.status_code, response.headers["location"]) == (303, "/console/login"), path
        response = await console.ask(method, path, None)
        assert response.status_code == 401, path
        response = await console.client.request(
            method, path, headers={"cookie": "console_session=" + "x" * 43}
        )
        assert response.status_code == 401, path


async def test_a_change_without_the_sessions_mark_is_refused(console: Console):
    for method, route, rule in guarded(console.app):
        if not rule.changes:
            continue
        path = filled(route.path, console.records)
        response = await console.ask(method, path, "administrator", csrf=False)
        assert response.status_code == 403, path
        other = {"x-csrf": console.sessions["operator"].csrf}
        response = await console.ask(method, path, "administrator", csrf=False, headers=other)
        assert response.status_code == 403, path
    for opened in console.sessions.values():
        assert await console.app.state.services.accounts.find_session(opened.token) is not None


async def test_what_is_dangerous_asks_for_the_password_again(console: Console):
    services = console.app.state.services
    async with services.database.write() as session:
        await session.execute(update(SessionRow).values(proved_at=None))
    asked = 0
    for method, route, rule in guarded(console.app):
        if rule.changes and rule.action in DANGEROUS and not rule.proves:
            assert route.path == "/console/privacy", "only a search may do without"
        if not rule.proves:
            continue
        asked += 1
        path = filled(route.path, console.records)
        response = await console.ask(method, path, "administrator")
        assert (response.status_code, response.json()["error"]) == (403, "prove_first"), path
        headers = {**HTML, "referer": "http://1022/console/users?x=1"}
        response = await console.ask(method, path, "administrator", headers=headers)
        assert response.status_code == 303
        assert response.headers["location"].startswith("/console/prove?next=%2Fconsole%2F")
    assert asked >= 12


async def test_who_must_have_a_code_sets_it_up_first(make_settings: Callable[..., Settings]):
    app = make_app(make_settings(totp_roles="administrator,auditor"))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://1022") as client,
    ):
        console = await people(app, client)
        for method, route, rule in guarded(app):
            if rule.action is Action.OWN_ACCOUNT or route.path in STREAMS:
                continue
            path = filled(route.path, console.records)
            response = await console.ask(method, path, "administrator")
            assert (response.status_code, response.json()["error"]) == (403, "enrol_first"), path
            response = await console.ask(method, path, "administrator", headers=HTML)
            assert response.headers["location"] == "/console/account/totp"
        assert (await console.ask("GET", "/console/account/totp", "administrator")).status_code == 200
        assert (await console.ask("GET", "/console/tickets", "operator")).status_code == 200


async def test_nobody_ends_another_persons_session(console: Console):
    path = filled("/console/account/sessions/{key}", console.records)
    for role in ROLES:
        assert (await console.ask("POST", path, role)).status_code == 404
    services = console.app.state.services
    assert len(await services.accounts.own.sessions(console.records["user_id"])) == 1


IN_ANOTHERS = {
    "reply": {"text": "Dạ", "key": "k"},
    "claim": {},
    "release": {},
    "hand-back": {},
    "close": {},
}
"""What is posted into a conversation by its holder alone."""


@pytest.mark.parametrize("role", ["operator", "supervisor", "administrator"])
async def test_nobody_answers_or_moves_a_conversation_that_somebody_else_holds(console: Console, role: str):
    desk, id_ = console.app.state.services.desk, console.records["conversation_id"]
    said = [message.id for message in await desk.history(id_)]
    mark = console.sessions[role].csrf
    for name, form in IN_ANOTHERS.items():
        path = f"/console/conversations/{id_}/{name}"
        headers = {"cookie": f"console_session={console.sessions[role].token}", "x-csrf": mark}
        response = await console.client.post(path, data=form, headers=headers)
        assert response.status_code == 409, name
    found = (await desk.open(id_)).conversation
    assert (found.owner, found.assigned_to) == ("person", console.records["user_id"])
    assert [message.id for message in await desk.history(id_)] == said
    taken = await console.ask("POST", f"/console/conversations/{id_}/take-over", role)
    assert taken.status_code == (403 if role == "operator" else 200)


@pytest.mark.parametrize("role", ["operator", "supervisor", "administrator"])
async def test_nobody_sees_or_changes_what_somebody_else_wrote_beforehand(console: Console, role: str):
    canned, owner = console.app.state.services.core.canned, console.records["user_id"]
    assert "Dạ chào anh/chị" not in (await console.ask("GET", "/console/canned", role)).text
    for path in ("/console/canned/{answer_id}", "/console/canned/{answer_id}/remove"):
        response = await console.ask("POST", filled(path, console.records), role)
        assert response.status_code == 409, path
    (kept,) = await canned.find(owner, "", limit=5)
    assert kept.text == "Dạ chào anh/chị"


async def test_every_record_in_an_address_is_somebody_elses_or_tried_where_it_is_made(console: Console):
    named = {name for _, route, _ in guarded(console.app) for name in re.findall(r"{(\w+)", route.path)}
    # Files and knowledge are everybody's at the desk; `name` is what is done.
    assert named - set(console.records) == {"file_id", "message_id", "name"}


async def test_a_shut_account_and_other_roles_count_at_once(console: Console):
    users = console.app.state.services.accounts.users
    operator = console.sessions["operator"].user.id
    assert (await console.ask("GET", "/console/tickets", "operator")).status_code == 200
    await users.deactivate(operator, actor="test")
    assert (await console.ask("GET", "/console/tickets", "operator")).status_code == 401
    supervisor = console.sessions["supervisor"].user.id
    await users.change(supervisor, name="A", roles=("auditor",), actor="test")
    assert (await console.ask("GET", "/console/tickets", "supervisor")).status_code == 401
