"""The command that answers evaluation rows: the whole pipeline, every row, or a loud failure."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from api.predict import PredictionError, Provider, Row, main, predict_rows, read_rows, served
from api.services import build_services
from api.settings import Settings
from api.startup import prepare_database
from tests.api.conftest import free_port
from tests.providers.messenger.server import PlayedMessenger
from tests.providers.messenger.state import Options as MessengerOptions
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options as ZaloOptions


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(app_port=free_port(), join_pieces=False)


async def test_every_row_goes_through_gates_and_bot(settings: Settings, bot: Any):
    rows = [
        Row(id="P1", text="lệ phí khai sinh"),
        Row(id="P2", text="cháy nhà ở đường Hùng Vương, cứu với"),
        Row(id="P3", text="How do I register my newborn child at the office here?"),
        Row(id="P4", text="cho em hỏi"),
        Row.model_validate({"id": "D1", "turns": [{"text": "lệ phí khai sinh?"}, {"text": "thời hạn?"}]}),
    ]
    services = build_services(settings)
    async with served(settings, services):
        predictions = await predict_rows(services, rows, concurrency=3)
    assert [prediction["id"] for prediction in predictions] == ["P1", "P2", "P3", "P4", "D1"]
    routes = [[turn["route"] for turn in prediction["turns"]] for prediction in predictions]
    assert routes == [["answer"], ["redirect_114"], ["not_vietnamese"], ["answer"], ["answer", "answer"]]
    answered = predictions[0]["turns"][0]
    assert answered["intent"] == "ask_fee"
    assert answered["procedures"] == [{"code": "1", "score": 0.9}]
    assert answered["reply"] == "trả lời: lệ phí khai sinh"
    assert answered["aspect"] == "fee"
    assert answered["latency_ms"] >= 0
    assert predictions[1]["turns"][0]["procedures"] == []
    assert "114" in predictions[1]["turns"][0]["reply"]
    conversations = {asked["conversation"] for asked in bot.asked}
    assert len(conversations) == 3  # the dialogue's two turns share one


@pytest.fixture(params=["zalo", "messenger"])
async def channel(
    request: pytest.FixtureRequest, make_settings: Callable[..., Settings]
) -> AsyncIterator[tuple[str, str, Settings]]:
    """A channel with its provider played and an app connected to it."""
    port = free_port()
    webhook = f"http://127.0.0.1:{port}/webhooks/{request.param}"
    played: PlayedZalo | PlayedMessenger = (
        PlayedZalo(ZaloOptions(webhook=webhook))
        if request.param == "zalo"
        else PlayedMessenger(MessengerOptions(webhook=webhook))
    )
    await played.start()
    own = {name.lower(): value for name, value in played.settings().items()}
    settings = make_settings(app_port=port, join_pieces=False, secret_key="k" * 32, **own)
    if isinstance(played, PlayedZalo):
        pair = played.state.new_pair()
        services = build_services(settings)
        await prepare_database(services.database)
        await services.credentials.put(
            "zalo",
            account="1022",
            values={name: pair[name] for name in ("access_token", "refresh_token")},
            expires_at=services.clock.now() + timedelta(hours=25),
        )
        await services.database.close()
    yield request.param, played.url, settings
    await played.stop()


async def test_through_a_channel_rows_get_the_same_routes(channel: tuple[str, str, Settings], bot: Any):
    name, control_url, settings = channel
    rows = [
        Row(id="P1", text="lệ phí khai sinh"),
        Row(id="P2", text="cháy nhà ở đường Hùng Vương, cứu với"),
        Row(id="P3", text="How do I register my newborn child at the office here?"),
        Row.model_validate({"id": "D1", "turns": [{"text": "lệ phí khai sinh?"}, {"text": "thời hạn?"}]}),
    ]
    services = build_services(settings)
    async with served(settings, services), Provider(name, control_url) as provider:
        predictions = await predict_rows(services, rows, concurrency=3, provider=provider)
    routes = [[turn["route"] for turn in prediction["turns"]] for prediction in predictions]
    assert routes == [["answer"], ["redirect_114"], ["not_vietnamese"], ["answer", "answer"]]
    assert "trả lời: lệ phí khai sinh" in predictions[0]["turns"][0]["reply"]
    assert "114" in predictions[1]["turns"][0]["reply"]
    assert {asked["metadata"]["channel"] for asked in bot.asked} == {name}


async def test_a_bot_that_fails_fails_the_command(settings: Settings, bot: Any):
    bot.is_broken = True
    services = build_services(settings)
    async with served(settings, services):
        with pytest.raises(ExceptionGroup) as raised:
            await predict_rows(services, [Row(id="P1", text="lệ phí?")], concurrency=1)
    assert raised.group_contains(PredictionError, match="row P1: the bot failed")


async def test_a_taken_port_is_a_clear_failure(settings: Settings):
    async with served(settings, build_services(settings)):
        with pytest.raises(PredictionError, match=str(settings.app_port)):
            async with served(settings, build_services(settings)):
                pass


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"id": "a"}',
        '{"id": "a", "text": "x", "turns": [{"text": "y"}]}',
        '{"id": "a", "text": "x"}\n' * 2,
    ],
)
def test_rows_that_are_none_are_named(tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]):
    file = tmp_path / "rows.jsonl"
    file.write_text(content, encoding="utf-8")
    with pytest.raises(PredictionError, match=r"rows\.jsonl"):
        read_rows(file)
    assert main(["--in", str(file), "--out", str(tmp_path / "out.jsonl"), "--data-dir", str(tmp_path)]) == 1
    assert "rows.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_a_missing_file_is_a_clear_failure(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    assert main(["--in", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == 1
    assert "none" in capsys.readouterr().err


def test_rows_are_read(tmp_path: Path):
    file = tmp_path / "rows.jsonl"
    rows = [{"id": "a", "text": "x", "routes": ["answer"]}, {"id": "b", "turns": [{"text": "y"}]}]
    file.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n", encoding="utf-8")
    assert [row.texts for row in read_rows(file)] == [["x"], ["y"]]
