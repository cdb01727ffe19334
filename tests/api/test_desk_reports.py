"""A report that an operator opens beside a conversation: what the citizen sent there may go with it."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import httpx
from fastapi import FastAPI

from accounts.schemas import OpenedSession, Visit
from tests.api.conftest import Visitor, answered
from tests.api.test_chat_files import photo, upload

PASSWORD = "sông Ba mùa nước nổi"


async def logged_in(app: FastAPI) -> dict[str, str]:
    """Return the headers of an operator's browser."""
    accounts = app.state.services.accounts
    _, link = await accounts.users.invite(login="hoa", name="Hoà", roles=("operator",), actor="test")
    await accounts.set_password(link, PASSWORD)
    opened = await accounts.log_in("hoa", PASSWORD, Visit("10.0.0.1"))
    assert isinstance(opened, OpenedSession)
    return {"cookie": f"console_session={opened.token}", "x-csrf": opened.csrf}


async def test_the_citizens_pictures_go_with_the_report_and_nobody_elses(
    app: FastAPI, client: httpx.AsyncClient, visitor: Any
):
    other = Visitor(client, (await client.post("/chat/session", json={})).json()["token"])
    pictures = [(await upload(visitor, photo(), f"{name}.jpg")).json()["id"] for name in "ab"]
    foreign = (await upload(other, photo())).json()["id"]
    await visitor.say("hố ga mất nắp", str(uuid4()), attachments=pictures)
    await answered(visitor, 2)
    headers = await logged_in(app)
    services = app.state.services
    (conversation,) = (await services.desk.inbox()).conversations
    path = f"/console/conversations/{conversation.id}/tickets"
    shown = (await client.get(path, headers=headers)).text
    assert all(f'name="files" value="{each}"' in shown for each in pictures)
    assert foreign not in shown
    form = {
        "key": "k",
        "content": "Hố ga mất nắp",
        "name": "Lê Thị Mai",
        "phone": "0905222333",
        "address": "5 Lê Lợi",
        "consent": "true",
        "files": [pictures[1], foreign],
    }
    assert (await client.post(path, data=form, headers=headers)).status_code == 200
    (ticket,) = await services.tickets.of_conversation(conversation.id, limit=5)
    assert ticket.attachments == (pictures[1],)
