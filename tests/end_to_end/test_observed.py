"""The whole running system, watched: one id through every process, and nothing of what people said."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import httpx

from tests.end_to_end.conftest import Running

PHONE, IDENTITY, NAME = "0905 123 457", "052099001235", "Phạm Thị Ngọc Trâm"


class Citizen:
    """Talks over HTTP, as the widget does."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http
        token = http.post("/chat/session", json={}).json()["token"]
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, text: str) -> str:
        """Say `text`, wait for an answer, return the id of the message."""
        before = len(self._answers())
        body = {"client_id": str(uuid4()), "text": text}
        taken = self._http.post("/chat/messages", json=body, headers=self._headers)
        assert taken.status_code == 202
        deadline = time.monotonic() + 120
        while len(self._answers()) == before:
            assert time.monotonic() < deadline, "no answer"
        return str(taken.json()["message_id"])

    def _answers(self) -> list[dict[str, Any]]:
        messages = self._http.get("/chat/messages", headers=self._headers).json()["messages"]
        return [message for message in messages if message["author"] != "citizen"]


def test_one_id_joins_the_processes_and_no_log_holds_what_was_said(system: Running, http: httpx.Client):
    citizen = Citizen(http)
    asked = citizen.ask("làm giấy khai sinh cho con cần giấy tờ gì")
    for said in (
        "tôi muốn phản ánh đèn đường hỏng trước số 12 Trần Phú, phường Pleiku",
        f"tôi tên {NAME}, số điện thoại {PHONE}, căn cước {IDENTITY}",
        f"gọi cho tôi theo số {PHONE} nhé",
        "đồng ý",
        f"{IDENTITY} cháy nhà rồi cứu với {NAME}",
    ):
        citizen.ask(said)
    logs = {file.stem: file.read_text("utf-8") for file in (system.stack.data_dir / "logs").glob("*.log")}
    everything = "\n".join([*logs.values(), *system.printed])
    for secret in (
        PHONE,
        PHONE.replace(" ", ""),
        IDENTITY,
        NAME,
        "Ngọc Trâm",
        "12 Trần Phú",
        system.stack.token,
    ):
        assert secret not in everything, secret
    way = [line for line in logs["app"].splitlines() if asked in line]
    for event in ("message_received", "message_handled", "message_sent"):
        assert any(event in line for line in way), event
    searched = [line for line in logs["actions"].splitlines() if asked in line]
    assert any("/internal/actions/webhook" in line for line in searched)
    assert any("turn answered" in line for line in logs["bot"].splitlines() if asked in line)
    shown = http.get("/metrics").text
    assert 'hotline_emergencies_total{kind="114"}' in shown
    shown = httpx.get(f"http://127.0.0.1:{system.stack.actions_port}/metrics").text
    assert "hotline_knowledge_entries" in shown
    for line in shown.splitlines():
        if line.startswith(("hotline_search_seconds_count", "hotline_action_seconds_count")):
            assert float(line.split()[-1]) >= 1
    assert http.get("/ready").json()["parts"]["knowledge"] == "up"
