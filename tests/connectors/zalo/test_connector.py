"""Sending by Zalo: what the citizen's phone shows, and what every refusal means for the message."""

from __future__ import annotations

import io
import random
import unicodedata
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from connectors.base import Connector
from connectors.credentials import ChannelCredentials
from connectors.zalo import errors
from connectors.zalo.channel import ZaloChannel, build_zalo
from connectors.zalo.connector import SHARE_CONTACT
from connectors.zalo.settings import CHANNEL, ZaloSettings
from conversations.reasons import in_words
from conversations.schemas import Button, OutboundFile, OutboundMessage
from database.base import new_id
from database.engine import Database
from tests.connectors.zalo.conftest import ShiftedClock
from tests.providers.zalo.server import PlayedZalo

Write = Callable[..., OutboundMessage]


@pytest.fixture
def write(zalo_clock: ShiftedClock, played: PlayedZalo) -> Write:
    """Make a message to somebody who has just written."""
    person = played.state.person("An")
    person.last_heard = played.state.now()

    def make(text: str = "Dạ, em nghe.", **more: Any) -> OutboundMessage:
        values: dict[str, Any] = {
            "id": new_id(),
            "conversation_id": "c",
            "channel": CHANNEL,
            "external_user_id": person.id,
            "sequence": 2,
            "text": text,
            "buttons": (),
            "author": "bot",
            "attempt": 1,
            "created_at": zalo_clock.now(),
        }
        return OutboundMessage(**{**values, **more})

    return make


def screen(played: PlayedZalo) -> list[dict[str, Any]]:
    return played.state.person("An").screen


def picture(path: Path, *, side: int, format_: str = "PNG") -> OutboundFile:
    noise = random.Random(1).randbytes(side * side * 3)
    Image.frombytes("RGB", (side, side), noise).save(path, format_)
    size = path.stat().st_size
    return OutboundFile(new_id(), "image", path.name, f"image/{format_.lower()}", size, path)


def document(path: Path, content_type: str = "application/pdf", size: int = 2_000) -> OutboundFile:
    path.write_bytes(b"%PDF-1.7" + b" " * size)
    return OutboundFile(new_id(), "file", path.name, content_type, path.stat().st_size, path)


async def test_it_is_a_connector(channel: ZaloChannel):
    assert isinstance(channel.connector, Connector)


async def test_a_text_arrives_and_has_the_providers_id(
    connected: ZaloChannel, played: PlayedZalo, write: Write
):
    result = await connected.connector.send(write("Lệ phí: 8.000 đồng."))
    (shown,) = screen(played)
    assert result.status == "accepted" and result.provider_id == shown["mid"]
    assert shown["text"] == "Lệ phí: 8.000 đồng."


async def test_texts_are_sent_as_nfc_up_to_the_limit(
    connected: ZaloChannel, played: PlayedZalo, write: Write
):
    decomposed = unicodedata.normalize("NFD", "hỏi ạ")
    assert (await connected.connector.send(write(decomposed))).status == "accepted"
    assert screen(played)[0]["text"] == "hỏi ạ"
    assert connected.connector.capabilities.max_text == 2_000
    assert (await connected.connector.send(write("ỏ" * 2_000))).status == "accepted"
    assert (await connected.connector.send(write("ỏ" * 2_001))).status == "permanent"


async def test_without_a_connection_messages_wait(channel: ZaloChannel, write: Write):
    result = await channel.connector.send(write())
    assert (result.status, result.error) == ("auth", "not_connected")


@pytest.mark.parametrize(("code", "kind"), sorted(errors.CODES.items()))
async def test_every_known_code(
    connected: ZaloChannel, played: PlayedZalo, write: Write, code: int, kind: str
):
    played.control.set_faults(error_code=code)
    result = await connected.connector.send(write())
    assert (result.status, result.error) == (kind, f"zalo_{-code}")
    assert str(-code) not in in_words(result.error or "", CHANNEL), "it has a sentence of its own"


async def test_an_unknown_code_is_shown_to_people(connected: ZaloChannel, played: PlayedZalo, write: Write):
    played.control.set_faults(error_code=-99_999)
    result = await connected.connector.send(write())
    assert (result.status, result.error) == ("permanent", "zalo_99999")


@pytest.mark.parametrize(
    ("faults", "error"),
    [
        ({"down": True}, "http_502"),
        ({"drop_connection": True}, "ServerDisconnectedError"),
        ({"drop_connection": "after"}, "ServerDisconnectedError"),
    ],
)
async def test_a_provider_in_trouble_is_asked_again_later(
    connected: ZaloChannel, played: PlayedZalo, write: Write, faults: dict[str, Any], error: str
):
    played.control.set_faults(**faults)
    result = await connected.connector.send(write())
    assert (result.status, result.error) == ("transient", error)


async def test_a_provider_that_cannot_be_reached(connected: ZaloChannel, played: PlayedZalo, write: Write):
    await played.stop()
    assert (await connected.connector.send(write())).status == "transient"


async def test_the_rate_limit_of_the_headers_is_obeyed(
    connected: ZaloChannel, played: PlayedZalo, write: Write
):
    played.options.calls_per_minute = 3
    statuses = [(await connected.connector.send(write())).status for _ in range(5)]
    assert statuses[:3] == ["accepted"] * 3
    result = await connected.connector.send(write())
    assert result.status == "transient" and result.retry_after
    calls = [line for line in played.state.record if line["kind"] == "call"]
    assert not [line for line in calls if line["error"] == -32], "nothing was asked in vain"


class TestToken:
    async def test_one_that_ran_out_early_is_renewed_and_the_message_goes(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        played.control.set_faults(expire_token=True)
        assert (await connected.connector.send(write())).status == "accepted"
        assert played.state.refreshes == 1

    async def test_one_that_another_process_renewed_is_taken_over(
        self,
        connected: ZaloChannel,
        played: PlayedZalo,
        write: Write,
        zalo_database: Database,
        zalo_clock: ShiftedClock,
        credentials: ChannelCredentials,
    ):
        await connected.tokens.access()
        another = build_zalo(connected.settings, zalo_database, zalo_clock, credentials)
        assert await another.tokens.renew(1)
        await another.stop()
        assert (await connected.connector.send(write())).status == "accepted"
        assert played.state.refreshes == 1

    async def test_when_a_new_one_is_refused_too_the_message_waits(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        played.control.set_faults(error_code=-216)
        assert (await connected.connector.send(write())).status == "auth"
        assert (await connected.connector.send(write())).status == "auth"
        assert played.state.refreshes == 1, "a token of a moment ago is not renewed"


class TestWindow:
    async def test_what_zalo_refuses_after_seven_days_is_permanent(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        message = write()
        played.state.person("An").last_heard = played.state.now() - timedelta(days=7, minutes=1)
        result = await connected.connector.send(message)
        assert (result.status, result.error) == ("permanent", "zalo_230")

    async def test_free_hours_are_the_window_unless_set_otherwise(
        self, channel: ZaloChannel, zalo_settings: ZaloSettings
    ):
        assert channel.connector.capabilities.window == timedelta(hours=48)

    @pytest.mark.parametrize("user", ["stranger", "blocked"])
    async def test_who_cannot_be_written_to(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, user: str
    ):
        person = played.state.person(user)
        if user == "blocked":
            person.last_heard, person.blocked = played.state.now(), True
        result = await connected.connector.send(write(external_user_id=person.id))
        assert result.status == "permanent"

    async def test_somebody_unknown_is_answered_in_their_conversation(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        stranger = played.state.person("stranger")
        stranger.last_heard, stranger.conversation = played.state.now(), "c9"
        to = f"anonymous:{stranger.id}:c9"
        assert (await connected.connector.send(write(external_user_id=to))).status == "accepted"
        assert stranger.screen


class TestFiles:
    async def test_a_picture_goes_with_its_text_in_one_message(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        file = picture(tmp_path / "a.png", side=20)
        result = await connected.connector.send(write("Mẫu đây ạ", files=(file,)))
        text, image = screen(played)
        assert result.provider_id == text["mid"] == image["mid"]
        assert (text["text"], image["kind"]) == ("Mẫu đây ạ", "image")

    async def test_it_is_uploaded_once_however_often_it_is_sent(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        file = picture(tmp_path / "a.png", side=20)
        played.control.set_faults(error_code=-211, error_times=1)
        message = write(files=(file,))
        assert (await connected.connector.send(message)).error == "zalo_211"
        assert (await connected.connector.send(message)).status == "accepted"
        assert (await connected.connector.send(write(files=(file,)))).status == "accepted"
        assert played.state.uploaded == 1

    async def test_an_upload_that_the_provider_has_dropped_is_made_again(
        self,
        connected: ZaloChannel,
        played: PlayedZalo,
        write: Write,
        tmp_path: Path,
        zalo_clock: ShiftedClock,
    ):
        file = document(tmp_path / "a.pdf")
        assert (await connected.connector.send(write(files=(file,)))).status == "accepted"
        played.state.uploads.clear()
        assert (await connected.connector.send(write(files=(file,)))).status == "accepted"
        assert played.state.uploaded == 2
        zalo_clock.forward(days=6, minutes=1)
        await connected.tokens.renew_if_due()
        assert (await connected.connector.send(write(files=(file,)))).status == "accepted"
        assert played.state.uploaded == 3

    async def test_a_large_picture_is_made_smaller(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        file = picture(tmp_path / "a.png", side=1_500)
        assert file.size > 3_000_000
        assert (await connected.connector.send(write("", files=(file,)))).status == "accepted"
        (content, kind), *_ = played.state.media.values()
        assert (kind, len(content) <= 1024 * 1024) == ("image/jpeg", True)
        assert Image.open(io.BytesIO(content)).size[0] >= 640

    async def test_a_picture_of_another_kind_is_written_as_jpeg(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        file = picture(tmp_path / "a.webp", side=20, format_="WEBP")
        assert (await connected.connector.send(write(files=(file,)))).status == "accepted"
        assert [kind for _content, kind in played.state.media.values()] == ["image/jpeg"]

    async def test_what_cannot_go_is_told_at_once(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        broken = tmp_path / "b.webp"
        broken.write_bytes(b"no picture")
        gone = document(tmp_path / "gone.pdf")
        gone.path.unlink()
        for file, error in (
            (document(tmp_path / "a.xlsx", "application/vnd.ms-excel"), "file_type"),
            (document(tmp_path / "a.pdf", size=5 * 1024 * 1024), "file_too_large"),
            (OutboundFile(new_id(), "image", "b.webp", "image/webp", 10, broken), "picture_refused"),
            (gone, "file_gone"),
        ):
            result = await connected.connector.send(write("", files=(file,)))
            assert (result.status, result.error) == ("permanent", error)
            assert error not in in_words(error, CHANNEL)
        assert not screen(played)

    async def test_after_a_failure_in_the_middle_only_the_rest_is_sent(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write, tmp_path: Path
    ):
        files = (document(tmp_path / "a.pdf"), document(tmp_path / "b.pdf"))
        message = write("Hai mẫu đơn", files=files)
        played.state.options.uploads_a_month = 1
        assert (await connected.connector.send(message)).error == "zalo_211"
        played.state.options.uploads_a_month = 5
        result = await connected.connector.send(message)
        assert result.status == "accepted"
        assert [shown["kind"] for shown in screen(played)] == ["text", "file", "file"]
        assert result.provider_id == screen(played)[0]["mid"]


class TestButtons:
    BUTTONS = (
        Button(title="Lệ phí", payload="/ask_fee"),
        Button(title="Cổng dịch vụ công", payload="https://dichvucong.gov.vn"),
        Button(title="Gọi 1022", payload="tel:02691022"),
    )

    async def test_they_are_off_unless_the_account_is_known_to_show_them(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        assert not connected.connector.capabilities.buttons
        assert (await connected.connector.send(write(buttons=self.BUTTONS))).status == "accepted"
        assert screen(played)[0]["buttons"] == []

    async def test_they_are_mapped_to_what_they_do(
        self,
        zalo_settings: ZaloSettings,
        zalo_database: Database,
        zalo_clock: ShiftedClock,
        credentials: ChannelCredentials,
        connected: ZaloChannel,
        played: PlayedZalo,
        write: Write,
    ):
        with_buttons = build_zalo(
            replace(zalo_settings, buttons=True), zalo_database, zalo_clock, credentials
        )
        long = Button(title="d" * 150, payload="/long")
        result = await with_buttons.connector.send(write(buttons=(*self.BUTTONS, long)))
        await with_buttons.stop()
        assert result.status == "accepted"
        shown = screen(played)[0]["buttons"]
        assert [button["payload"] for button in shown] == [
            "/ask_fee",
            {"url": "https://dichvucong.gov.vn"},
            {"phone_code": "02691022"},
            "/long",
        ]
        assert len(shown[3]["title"]) == 100


class TestContact:
    BUTTON = Button(title="Chia sẻ", payload=SHARE_CONTACT)

    async def test_the_card_follows_the_question(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        assert connected.connector.capabilities.asks_contact
        await connected.connector.send(write("Anh/chị cho em xin số điện thoại?", buttons=(self.BUTTON,)))
        assert [shown["kind"] for shown in screen(played)] == ["text", "contact"]

    async def test_a_card_that_is_refused_does_not_hold_the_question_up(
        self, connected: ZaloChannel, played: PlayedZalo, write: Write
    ):
        played.options.cards_allowed = False
        result = await connected.connector.send(write("Số điện thoại?", buttons=(self.BUTTON,)))
        assert result.status == "accepted"
        assert [shown["kind"] for shown in screen(played)] == ["text"]
