"""The public page: what anybody sees by a code, what a sender sees and may do by their own link."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from accounts.schemas import User
from api.services import Services
from database.base import new_id
from tickets.desk import Click
from tickets.schemas import Ticket, TicketDraft, TicketKind

OPERATOR = User("hoa", "hoa", "Hoà", ("operator", "supervisor"), active=True, has_password=True)
SECRETS = ("Nguyễn Thị Hoà", "0905123456", "0905 123 456", "4 Hai Bà Trưng")


@pytest.fixture
def more_settings(database_url: str) -> dict[str, Any]:
    """Each test runs on both databases."""
    return {"database_url": database_url}


@pytest.fixture
def parts(app: FastAPI) -> Services:
    services: Services = app.state.services
    return services


@pytest.fixture
def open_ticket(parts: Services) -> Callable[..., Any]:
    async def make(**changes: object) -> Ticket:
        values: dict[str, object] = {
            "kind": TicketKind.REPORT,
            "content": "Đèn đường hỏng, gọi tôi số 0905 123 456",
            "place": "12 Trần Phú, phường Pleiku",
            "name": "Nguyễn Thị Hoà",
            "phone": "0905123456",
            "address": "4 Hai Bà Trưng",
            "consent": True,
            "channel": "webchat",
            "conversation_id": "",
        }
        return await parts.tickets.open(TicketDraft.model_validate(values | changes), origin_key=new_id())

    return make


async def act(parts: Services, ticket: Ticket, name: str, **given: str) -> Ticket:
    return await parts.ticket_desk.act(ticket.code, name, given, Click(OPERATOR, new_id()))


async def look(client: httpx.AsyncClient, path: str, **params: str) -> httpx.Response:
    return await client.get(path, params=params or None, headers={"Accept": "text/html"})


async def test_a_stranger_sees_where_it_stands_and_no_word_of_it(
    client: httpx.AsyncClient, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    await act(parts, ticket, "answer", text="Đã thay bóng, gọi 0911222333 nếu còn tối")
    page = await look(client, "/p", code=ticket.code.lower().replace("-", " "))
    assert page.status_code == 200
    assert "Đã có trả lời" in page.text
    for hidden in (*SECRETS, "Đèn đường hỏng", "Đã thay bóng", ticket.token or "", '<form method="post"'):
        assert hidden not in page.text


async def test_with_the_senders_agreement_content_and_answer_are_public_without_personal_data(
    client: httpx.AsyncClient, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket(public=True)
    await act(parts, ticket, "answer", text="Đã thay bóng, gọi 0911222333 nếu còn tối")
    page = (await look(client, "/p", code=ticket.code)).text
    assert "Đèn đường hỏng" in page
    assert "Đã thay bóng" in page
    for hidden in (*SECRETS, "0911222333"):
        assert hidden not in page
    await client.post(f"/p/{ticket.token}/unpublish", data={"key": "k"})
    assert "Đèn đường hỏng" not in (await look(client, "/p", code=ticket.code)).text


async def test_a_refused_request_is_never_published(
    client: httpx.AsyncClient, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket(public=True)
    await act(parts, ticket, "refuse", reason="complaint_letter")
    page = (await look(client, "/p", code=ticket.code)).text
    assert "Không tiếp nhận" in page
    assert "Đèn đường hỏng" not in page
    assert "Ban Tiếp công dân" in (await look(client, f"/p/{ticket.token}")).text


async def test_the_sender_reads_everything_but_their_own_contact(
    client: httpx.AsyncClient, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    await act(parts, ticket, "note", text="Người này hay gọi")
    await act(parts, ticket, "transfer", agency="Điện lực Gia Lai", text="làm gấp")
    await act(parts, ticket, "agency_answer", text="nháp của cơ quan")
    page = await look(client, f"/p/{ticket.token}")
    assert "Đèn đường hỏng" in page.text
    assert "Điện lực Gia Lai" in page.text
    for hidden in (*SECRETS, "Người này hay gọi", "làm gấp", "nháp của cơ quan"):
        assert hidden not in page.text
    assert page.headers["Cache-Control"] == "no-store"
    assert page.headers["Referrer-Policy"] == "no-referrer"


async def test_a_dispute_by_the_link_once_and_what_was_written_stays_when_it_is_refused(
    client: httpx.AsyncClient, open_ticket: Any, parts: Services
) -> None:
    ticket = await open_ticket()
    await act(parts, ticket, "answer", text="Đã thay bóng")
    form = {"text": "Đèn vẫn tối", "key": "k1"}
    for _ in range(2):
        done = await client.post(f"/p/{ticket.token}/dispute", data=form)
        assert (done.status_code, done.headers["location"]) == (303, f"/p/{ticket.token}?done=dispute")
    assert "Đã gửi đề nghị" in (await look(client, done.headers["location"])).text
    await act(parts, ticket, "answer", text="Đã thay lần hai")
    second = await client.post(f"/p/{ticket.token}/dispute", data={"text": "Lại tối", "key": "k2"})
    assert second.status_code == 422
    assert "Ban Tiếp công dân" in second.text
    found = await parts.tickets.find(ticket.code)
    assert found is not None
    assert (found.state, found.disputes) == ("answered", 1)


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("GL-2026-000001-0", "gõ nhầm"),
        ("GL-2026-999999", "Không có phản ánh"),
        ("xin chào", "có dạng"),
        ("<script>alert(1)</script>", "có dạng"),
    ],
)
async def test_a_code_that_finds_nothing_says_why(
    client: httpx.AsyncClient, open_ticket: Any, code: str, words: str
) -> None:
    await open_ticket()
    page = await look(client, "/p", code=code)
    assert page.status_code == 404
    assert words in page.text
    assert "<script>" not in page.text


@pytest.mark.parametrize("token", ["x", "%00", "a" * 500, "'; drop table tickets"])
async def test_a_guessed_link_finds_nothing(client: httpx.AsyncClient, open_ticket: Any, token: str) -> None:
    await open_ticket()
    assert (await look(client, f"/p/{token}")).status_code == 404
    assert (await client.post(f"/p/{token}/dispute", data={"text": "x", "key": "k"})).status_code == 404


async def test_codes_cannot_be_read_off_by_a_script(client: httpx.AsyncClient, open_ticket: Any) -> None:
    ticket = await open_ticket()
    answers = [(await look(client, "/p", code=ticket.code)).status_code for _ in range(150)]
    assert answers[0] == 200
    assert 429 in answers
