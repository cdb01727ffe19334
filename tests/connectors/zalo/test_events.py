"""Every documented event of Zalo, from recorded shapes, and what hostile or older shapes become."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from actions.report_extract import extract
from connectors.zalo import events
from conversations.channel_events import Echo, OtherEvent, Receipt, Relation, Withdrawal
from conversations.schemas import InboundMessage

PAYLOADS = Path(__file__).parent / "payloads"
OA = "2210000000001022"
USER = "1234567890123456789"
NOW = datetime(2026, 11, 22, 1, 0, tzinfo=UTC)
AT = datetime.fromtimestamp(1763774400.123, UTC)


def payload(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text("utf-8"))
    return found


def read(body: dict[str, Any]) -> Any:
    return events.read(body, json.dumps(body).encode(), oa_id=OA, now=NOW)


def message(name: str) -> InboundMessage:
    found = read(payload(name))
    assert isinstance(found, InboundMessage)
    assert found.channel == "zalo" and found.provider_timestamp == AT
    return found


def test_text():
    found = message("user_send_text")
    assert (found.external_user_id, found.provider_message_id) == (USER, "f7c2c0f1b0a1d2e3")
    assert (found.kind, found.text, found.postback) == ("text", "Làm lại thẻ căn cước ở đâu?", False)


def test_a_tapped_button_is_a_postback():
    body = payload("user_send_text")
    body["message"]["text"] = '/choose{"index": 1}'
    assert read(body).postback
    body["message"]["text"] = "/choose là gì vậy"
    assert not read(body).postback


@pytest.mark.parametrize(
    ("name", "kind", "url"),
    [
        ("user_send_image", "image", "https://f.zalo.example/a.jpg"),
        ("user_send_gif", "image", "https://f.zalo.example/a.gif"),
        ("user_send_audio", "voice", "https://f.zalo.example/a.amr"),
        ("user_send_video", "video", "https://f.zalo.example/a.mp4"),
        ("user_send_sticker", "sticker", "https://f.zalo.example/s.png"),
        ("user_send_file", "file", "https://f.zalo.example/don.pdf"),
    ],
)
def test_pictures_sounds_and_files(name: str, kind: str, url: str):
    found = message(name)
    assert found.kind == kind
    assert [(one.kind, one.url) for one in found.attachments] == [(kind, url)]


def test_a_pictures_text_comes_with_it():
    assert message("user_send_image").text == "Rác đổ ở đây"


def test_a_file_has_name_and_size():
    (file,) = message("user_send_file").attachments
    assert (file.name, file.size) == ("don.pdf", 20_480)


@pytest.mark.parametrize("name", ["user_send_location", "user_send_location_flat"])
def test_location_in_both_documented_shapes(name: str):
    found = message(name)
    assert found.kind == "location" and found.location is not None
    assert (found.location.latitude, found.location.longitude) == (13.9833, 108.0)


def test_a_link_is_text_with_its_description():
    assert message("user_send_link").text == "https://dichvucong.gov.vn\nCổng dịch vụ công"


def test_a_business_card_is_text_people_can_read():
    assert (
        message("user_send_business_card").text == "Danh thiếp của Nguyễn Văn An, số điện thoại 0905123456."
    )


@pytest.mark.parametrize("name", ["user_submit_info", "user_submit_info_older"])
def test_shared_contact_data_is_understood_by_the_report_form(name: str):
    found = message(name)
    understood = extract(found.text)
    assert understood.name == "Nguyễn Văn An"
    assert understood.phone is not None and understood.phone.e164 == "+84905123456"
    assert understood.address == "12 Hùng Vương, phường Diên Hồng"
    assert not understood.content
    # The event has no id of its own: the same event repeated has the same one.
    assert read(payload(name)).provider_message_id == found.provider_message_id


def test_shared_contact_data_with_nothing_in_it_is_kept():
    body = {**payload("user_submit_info"), "info": {}}
    assert isinstance(read(body), OtherEvent)


def test_somebody_unknown_is_somebody_else_than_a_user_of_the_same_number():
    found = message("anonymous_send_text")
    assert found.external_user_id == "anonymous:998877:c77"
    assert message("anonymous_send_image").external_user_id == found.external_user_id


@pytest.mark.parametrize(
    ("name", "mid", "from_elsewhere", "files"),
    [
        ("oa_send_text_ours", "e1", False, 0),
        ("oa_send_text_person", "e2", True, 0),
        ("oa_send_image", "e3", False, 1),
        ("oa_send_gif", "e4", False, 1),
        ("oa_send_list", "e5", False, 1),
        ("oa_send_file", "e6", False, 1),
        ("oa_send_sticker", "e7", False, 1),
    ],
)
def test_echoes_tell_whether_a_person_answered_in_zalos_own_tool(
    name: str, mid: str, from_elsewhere: bool, files: int
):
    found = read(payload(name))
    assert isinstance(found, Echo)
    assert (found.external_user_id, found.provider_message_id, found.at) == (USER, mid, AT)
    assert (found.from_elsewhere, len(found.attachments)) == (from_elsewhere, files)


def test_receipts():
    delivered = read(payload("user_received_message"))
    assert delivered == Receipt("zalo", USER, "delivered", AT, ("e1",))
    assert read(payload("user_seen_message")) == Receipt("zalo", USER, "read", AT, ("e1", "e2"))


def test_follow_and_unfollow():
    assert read(payload("follow")) == Relation("zalo", USER, "follow", AT)
    assert read(payload("unfollow")) == Relation("zalo", USER, "unfollow", AT)


def test_withdrawal():
    assert read(payload("user_withdraw")) == Withdrawal("zalo", USER, "f7c2c0f1b0a1d2e3", AT)


def test_a_withdrawal_of_nothing_named_is_kept_for_people():
    body = payload("user_withdraw")
    del body["message"]
    found = read(body)
    assert isinstance(found, OtherEvent) and not found.known


@pytest.mark.parametrize(
    ("name", "known"), [("user_click_chatnow", True), ("user_reacted_message", True), ("unknown", False)]
)
def test_what_we_have_no_use_for_is_kept_whole(name: str, known: bool):
    body = payload(name)
    found = read(body)
    assert found == OtherEvent("zalo", body["event_name"], body, AT, known)


@pytest.mark.parametrize("name", ["user_send_text", "oa_send_text_person", "follow", "user_submit_info"])
def test_what_concerns_another_account_is_not_ours(name: str):
    body = json.loads(json.dumps(payload(name)).replace(OA, "999"))
    assert isinstance(read(body), OtherEvent)
    assert not isinstance(events.read(body, b"", oa_id="", now=NOW), OtherEvent)


def test_a_message_without_id_gets_one_that_its_repeat_has_too():
    body = payload("user_send_text")
    del body["message"]["msg_id"]
    assert read(body).provider_message_id == read(body).provider_message_id
    other = json.loads(json.dumps(body))
    other["message"]["text"] = "khác"
    assert read(other).provider_message_id != read(body).provider_message_id


@pytest.mark.parametrize("given", [None, "", "hôm qua", "99999999999999999999", [], {}])
def test_an_impossible_timestamp_is_the_moment_of_receiving(given: Any):
    assert read({**payload("user_send_text"), "timestamp": given}).provider_timestamp == NOW


def test_halves_of_surrogate_pairs_and_long_texts_can_be_stored():
    body = payload("user_send_text")
    body["message"]["text"] = "\ud83d chào \ude00" + "a" * 10_000
    found = read(body)
    found.text.encode()
    assert len(found.text) == 4_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
NAMES = sorted(path.stem for path in PAYLOADS.glob("*.json"))


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(NAMES), st.data())
def test_no_shape_is_taken_for_granted(name: str, data: st.DataObject):
    """Any field of any event may be missing or be something else."""
    body = payload(name)
    nodes: list[Any] = [body]
    for node in nodes:
        children = node.values() if isinstance(node, dict) else node
        nodes += [child for child in children if isinstance(child, dict | list) and child]
    node = data.draw(st.sampled_from([one for one in nodes if isinstance(one, dict)]))
    field = data.draw(st.sampled_from(sorted(node)))
    if data.draw(st.booleans()):
        node[field] = data.draw(json_values)
    else:
        del node[field]
    assert read(body) is not None


@pytest.mark.parametrize("raw", [b"", b"[]", b"null", b"{", b"\xff", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_object_is_none(raw: bytes):
    assert events.parse(raw) is None
