"""The command of labelling: what is said goes through the app, is kept, and can be counted and refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from actions.learning.samples import SETTLED
from api.label import main
from api.services import build_services
from conversations.schemas import InboundMessage


class Clock:
    def __init__(self) -> None:
        self.time = datetime.now(UTC)

    def now(self) -> datetime:
        return self.time


async def test_what_goes_through_the_app_is_kept_without_personal_data(make_settings: Any, bot: Any):
    clock = Clock()
    services = build_services(make_settings(bot_url=bot.url, run_worker=False), clock)
    bot.turn = {"route": "unclear"}
    await services.start()
    try:
        await services.inbox.receive(
            InboundMessage(
                channel="webchat",
                external_user_id="visitor",
                provider_message_id="1",
                text="tôi tên Nguyễn Văn Tám, 0905123456, lam cai do sao",
            )
        )
        await services.core.worker.work_off()
        clock.time += SETTLED + timedelta(seconds=1)
        await services.learning.collect()
        [sample] = await services.learning.open(10)
    finally:
        await services.stop()
    assert (sample.text, sample.reason, sample.intent) == (
        "tôi (tên), (số), lam cai do sao",
        "unclear",
        "ask_fee",
    )


def test_status_of_an_instance_where_nothing_was_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["--status"]) == 0
    assert capsys.readouterr().out.split() == ["state", "reason", "texts", "said"]


def test_decisions_that_cannot_be_read_change_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    assert main(["--decisions", str(tmp_path / "none.jsonl")]) == 2
    (tmp_path / "bad.jsonl").write_text(
        '{"texts": ["a"], "intent": "greet", "drop": true}\n', encoding="utf-8"
    )
    assert main(["--decisions", str(tmp_path / "bad.jsonl")]) == 2
    assert "bad.jsonl:1" in capsys.readouterr().err
