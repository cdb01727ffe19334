"""The pages about accounts, the trail and personal data, as a browser uses them but without one."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from fastapi import FastAPI
from pyotp import TOTP
from sqlalchemy import update

from accounts.models import SessionRow
from accounts.schemas import CodeAsked, Visit
from accounts.service import AccountService
from api.routers.console.audit import csv_row
from tickets.models import TicketRow
from vntext.catalogue import say

PASSWORD = "sông Ba mùa nước nổi"


@dataclass
class Desk:
    """A browser that is logged in as the administrator."""

    app: FastAPI
    client: httpx.AsyncClient
    accounts: AccountService
    user_id: str
    csrf: str

    async def get(self, path: str) -> str:
        response = await self.client.get(path, headers={"accept": "text/html"})
        assert response.status_code == 200, response.text
        return html.unescape(response.text)

    async def post(self, path: str, *, expect: int = 200, **fields: object) -> str:
        data = {"csrf": self.csrf, **fields}
        response = await self.client.post(path, data=data, headers={"accept": "text/html"})
        assert response.status_code == expect, response.text
        return html.unescape(response.text)

    async def forget_proof(self) -> None:
        async with self.app.state.services.database.write() as session:
            await session.execute(update(SessionRow).values(proved_at=None))


@pytest.fixture
def more_settings(database_url: str) -> dict[str, Any]:
    """Each test runs on both databases."""
    return {"database_url": database_url}


@pytest.fixture
async def desk(app: FastAPI, client: httpx.AsyncClient) -> Desk:
    services = app.state.services
    accounts = services.accounts
    link = await accounts.create_first_admin()
    assert link is not None
    user = await accounts.set_password(link, PASSWORD)
    response = await client.post("/console/login", data={"login": "admin", "password": PASSWORD})
    assert (response.status_code, response.headers["location"]) == (303, "/console")
    for cookie in response.headers.get_list("set-cookie"):
        assert "HttpOnly" in cookie
        assert "SameSite=strict" in cookie
    found = await accounts.find_session(client.cookies["console_session"])
    assert found is not None
    return Desk(app, client, accounts, user.id, found.csrf)


async def test_who_is_invited_gets_a_link_that_sets_the_password(desk: Desk):
    await desk.get("/console/users/new")
    refused = await desk.post(
        "/console/users", expect=422, login="lan", name="Lan <b>", roles="contact_point"
    )
    assert say("accounts.errors.invalid_agency") in refused
    assert 'value="Lan <b>"' in refused
    shown = await desk.post("/console/users", login="lan", name="Lan", roles=["operator", "auditor"])
    match = re.search(r'value="(http[^"]+/console/set-password\?token=[^"]+)"', shown)
    assert match is not None
    token = parse_qs(urlsplit(match[1]).query)["token"][0]
    response = await desk.client.post(
        "/console/set-password",
        data={"token": token, "password": "lan lan lan lan", "again": "lan lan lan lan"},
    )
    assert response.status_code == 422
    response = await desk.client.post(
        "/console/set-password", data={"token": token, "password": PASSWORD, "again": PASSWORD}
    )
    assert response.status_code == 200
    assert "Lan" in await desk.get("/console/users")


async def test_an_account_is_changed_shut_and_opened_again(desk: Desk):
    user, link = await desk.accounts.users.invite(login="lan", name="Lan", roles=("operator",), actor="x")
    await desk.accounts.set_password(link, PASSWORD)
    page = f"/console/users/{user.id}"
    assert say("accounts.users.deactivate") in await desk.get(page)
    await desk.post(page, name="Chị Lan", roles="agency_head", agency="so-y-te")
    assert say("accounts.users.link_title") in await desk.post(f"{page}/reset")
    await desk.post(f"{page}/deactivate")
    assert say("accounts.users.reactivate") in await desk.get(page)
    assert say("accounts.users.link_title") in await desk.post(f"{page}/reactivate")
    own = f"/console/users/{desk.user_id}"
    assert say("accounts.errors.own_account") in await desk.post(f"{own}/deactivate", expect=409)
    assert say("accounts.errors.unknown_user") in await desk.post("/console/users/x/reset", expect=404)


async def test_the_password_is_asked_for_again_and_leads_back(desk: Desk):
    await desk.forget_proof()
    response = await desk.client.get("/console/users/new", headers={"accept": "text/html"})
    assert response.headers["location"] == "/console/prove?next=%2Fconsole%2Fusers%2Fnew"
    page = await desk.get(response.headers["location"])
    assert 'name="next" value="/console/users/new"' in page
    assert say("accounts.prove.wrong") in await desk.post(
        "/console/prove", expect=422, secret="x", next="/console"
    )
    response = await desk.client.post(
        "/console/prove", data={"csrf": desk.csrf, "secret": PASSWORD, "next": "/console/users/new"}
    )
    assert response.headers["location"] == "/console/users/new"
    await desk.get("/console/users/new")


@pytest.mark.parametrize(
    "target",
    ["https://elsewhere.example/console/", "//elsewhere.example/console/x", "/\\elsewhere.example", "x", ""],
)
async def test_the_way_back_never_leads_elsewhere(desk: Desk, target: str):
    response = await desk.client.post(
        "/console/prove", data={"csrf": desk.csrf, "secret": PASSWORD, "next": target}
    )
    location = response.headers["location"]
    assert urlsplit(location).netloc == ""
    assert location.startswith("/console/")


async def test_one_time_codes_are_set_up_and_asked_for(desk: Desk):
    page = await desk.get("/console/account/totp")
    assert "<svg" in page
    match = re.search(r"<code>([A-Z2-7 ]+)</code>", page)
    assert match is not None
    phone = TOTP(match[1].replace(" ", ""))
    assert say("accounts.errors.wrong_code") in await desk.post("/console/account/totp", expect=422, code="1")
    now = desk.app.state.services.clock.now()
    shown = await desk.post("/console/account/totp", code=phone.at(now))
    recovery = re.findall(r"<code>([a-z2-9-]{14})</code>", shown)
    assert len(recovery) == 10
    assert recovery[0] not in await desk.get("/console/account/totp")

    stranger = httpx.AsyncClient(transport=httpx.ASGITransport(desk.app), base_url="http://1022")
    async with stranger:
        response = await stranger.post("/console/login", data={"login": "admin", "password": PASSWORD})
        assert response.status_code == 200
        assert "console_session" not in stranger.cookies
        match = re.search(r'name="asked" value="([^"]+)"', response.text)
        assert match is not None
        asked = {"asked": match[1]}
        assert (await stranger.post("/console/login/code", data={**asked, "code": "abc"})).status_code == 403
        response = await stranger.post("/console/login/code", data={**asked, "code": recovery[3]})
        assert response.status_code == 303
        assert "console_session" in stranger.cookies
    await desk.post("/console/account/totp/recovery")
    await desk.post("/console/account/totp/off", expect=303)
    first = await desk.accounts.log_in("admin", PASSWORD, Visit("x"))
    assert not isinstance(first, CodeAsked)


async def test_one_changes_ones_password_and_ends_ones_sessions(desk: Desk):
    await desk.accounts.log_in(
        "admin", PASSWORD, Visit("10.0.0.9", "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0")
    )
    page = await desk.get("/console/account")
    assert "Firefox, Windows" in page
    assert "10.0.0.9" in page
    await desk.post("/console/account/sessions/others")
    assert "10.0.0.9" not in await desk.get("/console/account")
    new = "một câu hoàn toàn khác"
    different = {"current": PASSWORD, "password": new, "again": "x"}
    assert say("console.first.different") in await desk.post(
        "/console/account/password", expect=422, **different
    )
    await desk.post("/console/account/password", expect=422, current="x", password=new, again=new)
    await desk.post("/console/account/password", current=PASSWORD, password=new, again=new)


async def test_the_trail_is_filtered_paged_and_taken_as_a_table(desk: Desk):
    for number in range(120):
        await desk.accounts.record(desk.user_id, "ticket.viewed", f"t{number}", {"note": "=1+1"})
    page = await desk.get("/console/audit?action=ticket.viewed&since=2026-01-01&until=&person=")
    seen = re.findall(r">(t\d+)<", page)
    while match := re.search(r'href="(/console/audit\?[^"]*after=[^"]+)"', page):
        page = await desk.get(match[1])
        seen += re.findall(r">(t\d+)<", page)
    assert seen == [f"t{number}" for number in reversed(range(120))]
    assert say("accounts.audit.empty") in await desk.get("/console/audit?record=nothing")
    for odd in ("since=x", "after=1", "after=9-9-9", "until=9999-12-31", f"record={'a' * 121}"):
        assert (await desk.client.get(f"/console/audit?{odd}")).status_code == 422, odd

    response = await desk.client.get(f"/console/audit/lines.csv?action=ticket.viewed&person={desk.user_id}")
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(response.content.decode("utf-8-sig"))))
    assert len(rows) == 121
    assert rows[1][1:4] == ["Quản trị viên", "Xem phiếu phản ánh", "t119"]
    assert (await desk.accounts.audit("audit"))[0].action == "audit.exported"


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1"])
def test_no_cell_of_a_table_is_a_formula(cell: str):
    (row,) = csv.reader(io.StringIO(csv_row([cell, "an,toan", 'ngoặc "kép"']).decode(), newline=""))
    assert row == [f"'{cell}", "an,toan", 'ngoặc "kép"']


async def test_a_person_is_found_copied_and_erased(desk: Desk):
    now = desk.app.state.services.clock.now()
    async with desk.app.state.services.database.write() as session:
        session.add(
            TicketRow(
                id="t" * 32, code="GL-2026-000009", origin_key="k", kind="report", state="closed",
                content="Cống nghẹt", name="Lê Mật", phone="0905123456", address="12 Trần Phú",
                channel="webchat", conversation_id="none", attachments=[],
                consented_at=now, opened_at=now, state_since=now,
            )
        )  # fmt: skip
    assert say("privacy.search.invalid") in await desk.post(
        "/console/privacy", expect=422, by="phone", value="x"
    )
    assert say("privacy.search.nothing") in await desk.post("/console/privacy", by="user", value="nobody")
    page = await desk.post("/console/privacy", by="phone", value="0905 123 456")
    assert "Lê Mật" in page
    (record,) = re.findall(r'name="record" value="([^"]+)"', page)
    (line,) = [entry for entry in await desk.accounts.audit("person") if entry.detail["found"] == 1]
    assert "0905" not in str(line.detail)

    response = await desk.client.post("/console/privacy/export", data={"csrf": desk.csrf, "record": record})
    with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
        assert "Lê Mật" in archive.read("du-lieu.json").decode()
    assert say("privacy.found.none_chosen") in await desk.post("/console/privacy/export", expect=422)

    page = await desk.post("/console/privacy/erase", record=record)
    match = re.search(r"Gõ lại mã ([0-9A-F]{6})", page)
    assert match is not None
    confirmed = "/console/privacy/erase/confirmed"
    wrong = await desk.post(confirmed, expect=422, record=record, reason="đơn số 1", code="000000")
    assert say("privacy.erase.wrong_code") in wrong
    await desk.post(confirmed, expect=422, record=record, reason=" ", code=match[1])
    assert "Lê Mật" in await desk.post("/console/privacy", by="ticket", value="GL-2026-000009")
    done = await desk.post(confirmed, record=record, reason="đơn số 1", code=match[1].lower())
    assert say("privacy.erase.done", count=1) in done
    page = await desk.post("/console/privacy", by="ticket", value="GL-2026-000009")
    assert "Lê Mật" not in page
    assert say("privacy.kept.erased") in page
    await desk.post(confirmed, expect=409, record=record, reason="đơn số 1", code=match[1])
