"""Recorded deliveries of every kind, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.base import InboundMessage
from connectors.messenger.events import Account, HeardBack, NotAWebhookError, parse
from conversations.channel_events import Echo, OtherEvent, Receipt, Withdrawal
from conversations.schemas import MAX_TEXT

ACCOUNT = Account("108800000001022", "1022000000000001")
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PSID = "7311846298873120"

Read = Callable[[str], bytes]


def events(body: bytes) -> list[Any]:
    return parse(body, ACCOUNT, NOW)


def one(body: bytes) -> Any:
    (found,) = events(body)
    return found


def of_text(text: str) -> bytes:
    item = {"sender": {"id": "5"}, "message": {"mid": "m_1", "text": text}}
    return json.dumps({"object": "page", "entry": [{"id": ACCOUNT.page_id, "messaging": [item]}]}).encode()


def test_text(payload: Read) -> None:
    message = one(payload("text"))
    assert message == InboundMessage(
        channel="messenger",
        external_user_id=PSID,
        provider_message_id="m_text",
        text="Thủ tục khai sinh cần giấy tờ gì?",
        provider_timestamp=message.provider_timestamp,
    )
    assert message.provider_timestamp == datetime.fromtimestamp(1763769600.123, UTC)


def test_a_quick_reply_is_its_payload(payload: Read) -> None:
    message = one(payload("quick_reply"))
    assert (message.text, message.postback, message.kind) == ("/ask_time", True, "text")


def test_a_reply_to_a_message_is_a_message(payload: Read) -> None:
    assert one(payload("reply_to")).text == "Cái này thì sao?"


@pytest.mark.parametrize(
    ("name", "kind", "attached"),
    [
        ("image", "image", "image"),
        ("audio", "voice", "voice"),
        ("video", "video", "video"),
        ("file", "file", "file"),
        ("sticker", "sticker", "sticker"),
    ],
)
def test_attachments(payload: Read, name: str, kind: str, attached: str) -> None:
    message = one(payload(name))
    assert (message.kind, message.text) == (kind, "")
    (attachment,) = message.attachments
    assert attachment.kind == attached
    assert attachment.url.startswith("https://")


def test_pictures_with_words(payload: Read) -> None:
    message = one(payload("image_with_text"))
    assert (message.kind, message.text, len(message.attachments)) == ("text", "Ổ gà ở đây", 2)


def test_more_pictures_than_fit_one_message_of_ours_become_several(payload: Read) -> None:
    found = events(payload("many_images"))
    assert [message.provider_message_id for message in found] == ["m_many", "m_many#2", "m_many#3"]
    assert [len(message.attachments) for message in found] == [10, 10, 3]
    assert len({a.url for message in found for a in message.attachments}) == 23


def test_location(payload: Read) -> None:
    message = one(payload("location"))
    assert message.location is not None
    assert (message.location.latitude, message.location.longitude) == (13.983, 108.0)
    assert message.attachments == ()


def test_links_are_words(payload: Read) -> None:
    assert one(payload("fallback")).text == "https://gialai.gov.vn/tin"
    assert one(payload("shared_post")).text == "Bài viết của xã https://www.facebook.com/1/posts/2"


def test_unsent(payload: Read) -> None:
    withdrawn = one(payload("unsent"))
    assert isinstance(withdrawn, Withdrawal)
    assert (withdrawn.external_user_id, withdrawn.provider_message_id) == (PSID, "m_text")


def test_postbacks(payload: Read) -> None:
    message = one(payload("postback"))
    assert (message.text, message.postback, message.provider_message_id) == ("/ask_human", True, "m_postback")
    first, again = one(payload("postback_without_mid")), one(payload("postback_without_mid"))
    assert first.provider_message_id == again.provider_message_id != ""
    started, referral = events(payload("postback_with_referral"))
    assert started.text == "/ask_capabilities"
    assert isinstance(referral, OtherEvent)
    assert (referral.name, referral.known) == ("referral", True)


def test_receipts(payload: Read) -> None:
    delivered = one(payload("delivery"))
    assert isinstance(delivered, Receipt)
    assert (delivered.kind, delivered.provider_message_ids) == ("delivered", ("m_out1", "m_out2"))
    assert delivered.watermark == datetime.fromtimestamp(1763769600.118, UTC)
    bare = one(payload("delivery_without_mids"))
    assert (bare.provider_message_ids, bare.watermark) == ((), delivered.watermark)
    read = one(payload("read"))
    assert (read.kind, read.external_user_id, read.watermark) == ("read", PSID, delivered.watermark)


def test_an_echo_of_ours_is_known_by_our_id(payload: Read) -> None:
    heard, echo = events(payload("echo_ours"))
    assert heard == HeardBack("0123456789abcdef0123456789abcdef", "m_out")
    assert isinstance(echo, Echo)
    assert (echo.our_id, echo.from_elsewhere) == ("0123456789abcdef0123456789abcdef", False)
    assert (echo.external_user_id, echo.provider_message_id) == (PSID, "m_out")


def test_only_the_last_part_tells_that_a_message_is_there(payload: Read) -> None:
    heard, echo = events(payload("echo_ours_part"))
    assert heard.reference == "0123456789abcdef0123456789abcdef:0"
    assert (echo.our_id, echo.from_elsewhere) == (None, False)


def test_an_echo_of_our_app_without_metadata_is_ours(payload: Read) -> None:
    echo = one(payload("echo_ours_by_app"))
    assert (echo.our_id, echo.from_elsewhere) == (None, False)


@pytest.mark.parametrize(
    "name", ["echo_page_inbox", "echo_without_app", "echo_other_metadata", "standby_echo"]
)
def test_an_echo_of_somebody_else_means_that_a_person_answered(payload: Read, name: str) -> None:
    echo = one(payload(name))
    assert isinstance(echo, Echo)
    assert (echo.from_elsewhere, echo.our_id, echo.external_user_id) == (True, None, PSID)
    assert echo.text


@pytest.mark.parametrize(
    "name",
    [
        "standby", "reaction", "optin", "referral", "pass_thread_control", "take_thread_control",
        "message_edit", "changes",
    ],
)  # fmt: skip
def test_known_events_without_meaning_are_kept(payload: Read, name: str) -> None:
    event = one(payload(name))
    assert isinstance(event, OtherEvent)
    assert (event.name, event.known) == (name, True)
    assert event.payload


@pytest.mark.parametrize(("name", "called"), [("new_event", "hologram"), ("other_page", "other_account")])
def test_unknown_events_are_kept_and_said_to_be_unknown(payload: Read, name: str, called: str) -> None:
    event = one(payload(name))
    assert (event.name, event.known) == (called, False)


def test_every_item_of_every_entry(payload: Read) -> None:
    found = events(payload("batch"))
    assert [getattr(e, "provider_message_id", "read") for e in found] == ["m_b1", "m_b2", "m_b3", "read"]
    assert found[2].external_user_id == "555"


def test_a_broken_item_stops_no_other(payload: Read) -> None:
    *broken, message = events(payload("broken_items"))
    assert len(broken) == 3
    assert all(isinstance(event, OtherEvent) and not event.known for event in broken)
    assert message.text == "Vẫn phải nhận"


@pytest.mark.parametrize("body", [b"", b"\xff", b"nonsense", b"[]", b'{"object":"page"}', b'{"entry":{}}'])
def test_what_is_no_envelope(body: bytes) -> None:
    with pytest.raises(NotAWebhookError):
        events(body)


def test_words_that_no_database_takes() -> None:
    assert one(of_text("a\ud83d b\x00c")).text == "a\ufffd bc"
    assert len(one(of_text("ấ" * 9_000)).text) == MAX_TEXT


json_values = st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just([1, {"id": None}])
names = st.sampled_from(
    [
        "sender",
        "recipient",
        "timestamp",
        "message",
        "postback",
        "delivery",
        "read",
        "reaction",
        "id",
        "mid",
        "text",
    ]
)
items = st.dictionaries(names, json_values | st.dictionaries(names, json_values, max_size=4), max_size=5)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(items, max_size=4))
def test_whatever_comes_every_item_is_accounted_for(given_items: list[dict[str, Any]]) -> None:
    entry = {"id": ACCOUNT.page_id, "time": 1, "messaging": given_items}
    found = events(json.dumps({"object": "page", "entry": [entry]}).encode())
    assert len([event for event in found if not isinstance(event, HeardBack)]) >= max(len(given_items), 1)
