"""What arrives on the citizen's phone, and what Meta's refusals become."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from connectors.base import Connector, OutboundMessage
from connectors.messenger.client import GraphClient
from connectors.messenger.connector import Messenger
from conversations.schemas import OutboundFile
from tests.providers.messenger.server import PlayedMessenger

Make = Callable[..., OutboundMessage]
MakeFile = Callable[..., OutboundFile]


def screen(played: PlayedMessenger, user: str = "lan") -> list[dict[str, Any]]:
    return played.state.person(user).shown()


def texts(played: PlayedMessenger, user: str = "lan") -> list[str]:
    return [item["text"] for item in screen(played, user) if item["kind"] == "text"]


def calls(played: PlayedMessenger, path: str) -> list[dict[str, Any]]:
    return [
        entry for entry in played.state.record if entry["kind"] == "call" and entry["path"].endswith(path)
    ]


def test_it_is_a_connector(messenger: Messenger) -> None:
    assert isinstance(messenger, Connector)
    assert messenger.capabilities.window == timedelta(hours=24)
    assert messenger.capabilities.person_window == timedelta(days=7)


async def test_a_text_arrives_and_bears_our_id(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    message = outbound("Dạ, lệ phí là 8.000 đồng.")
    result = await messenger.send(message)
    assert result.status == "accepted"
    (shown,) = screen(played)
    assert (shown["text"], shown["mid"]) == ("Dạ, lệ phí là 8.000 đồng.", result.provider_id)
    (call,) = calls(played, "/messages")
    assert call["body"]["message"]["metadata"] == message.id
    assert (call["body"]["messaging_type"], "tag" in call["body"]) == ("RESPONSE", False)


async def test_short_choices_are_quick_replies(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    buttons = (("Lệ phí", "/ask_fee"), ("Thời hạn giải quyết?", "/ask_time"))
    assert (await messenger.send(outbound("Anh/chị hỏi gì?", buttons=buttons))).status == "accepted"
    (shown,) = screen(played)
    assert shown["text"] == "Anh/chị hỏi gì?"
    assert [(b["title"], b["payload"]) for b in shown["buttons"]] == list(buttons)


async def test_long_choices_are_numbered_in_the_text(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    buttons = (("Đăng ký khai sinh có yếu tố nước ngoài", "/a"), ("Đăng ký lại khai sinh", "/b"))
    assert (await messenger.send(outbound("Ý anh/chị là:", buttons=buttons))).status == "accepted"
    (shown,) = screen(played)
    assert shown["text"] == (
        "Ý anh/chị là:\n\n1. Đăng ký khai sinh có yếu tố nước ngoài\n2. Đăng ký lại khai sinh"
    )
    assert [(b["title"], b["payload"]) for b in shown["buttons"]] == [("1", "/a"), ("2", "/b")]


async def test_choices_that_are_numbered_already_are_not_numbered_again(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    text = "Ý nào?\n\n1. Đăng ký khai sinh có yếu tố nước ngoài\n2. Đăng ký lại khai sinh"
    buttons = (("Đăng ký khai sinh có yếu tố nước ngoài", "/a"), ("Đăng ký lại khai sinh", "/b"))
    await messenger.send(outbound(text, buttons=buttons))
    assert texts(played) == [text]


async def test_more_choices_than_fit(messenger: Messenger, played: PlayedMessenger, outbound: Make) -> None:
    buttons = tuple((f"Mục {n}", f"/m{n}") for n in range(1, 21))
    assert (await messenger.send(outbound("Chọn:", buttons=buttons))).status == "accepted"
    (shown,) = screen(played)
    assert shown["text"].endswith("20. Mục 20")
    assert [b["title"] for b in shown["buttons"]] == [str(n) for n in range(1, 14)]


@pytest.mark.parametrize(
    "text", ["ấ" * 1_800, "😀" * 1_800, "một câu. " * 700, "x" * 5_000], ids=["vn", "emoji", "words", "long"]
)
async def test_nothing_of_a_long_text_is_lost(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, text: str
) -> None:
    buttons = (("Một lựa chọn dài hơn hai mươi chữ", "/a"),)
    assert (await messenger.send(outbound(text, buttons=buttons))).status == "accepted"
    shown = "".join(texts(played)).replace(" ", "").replace("\n", "")
    assert shown == text.replace(" ", "") + "1.Mộtlựachọndàihơnhaimươichữ"
    assert [bool(item["buttons"]) for item in screen(played)][-1] is True
    assert not any(item["buttons"] for item in screen(played)[:-1])


async def test_files_go_before_the_text(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, a_file: MakeFile
) -> None:
    files = (a_file(b"\x89PNG", "image"), a_file())
    message = outbound("Biên nhận của anh/chị.", files=files, buttons=(("Cảm ơn", "/thanks"),))
    result = await messenger.send(message)
    assert [item["kind"] for item in screen(played)] == ["image", "file", "text"]
    assert result.provider_id == screen(played)[-1]["mid"]
    assert screen(played)[1]["name"] == "biên nhận.pdf"
    contents = [content for content, _kind in played.state.media.values()]
    assert contents == [b"\x89PNG", b"%PDF-1.4 x"]
    references = [call["body"]["message"]["metadata"] for call in calls(played, "/messages")]
    assert references == [f"{message.id}:0", f"{message.id}:1", message.id]


async def test_a_second_try_sends_only_what_was_not_taken(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, a_file: MakeFile
) -> None:
    message = outbound("Xong.", files=(a_file(b"\x89PNG", "image"), a_file()))
    played.state.faults.error_code, played.state.faults.error_after, played.state.faults.error_times = 2, 1, 1
    assert (await messenger.send(message)).status == "transient"
    assert [item["kind"] for item in screen(played)] == ["image"]
    assert (await messenger.send(message)).status == "accepted"
    assert [item["kind"] for item in screen(played)] == ["image", "file", "text"]


async def test_an_upload_is_used_again_when_the_send_failed(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, a_file: MakeFile
) -> None:
    message = outbound("", files=(a_file(),))
    played.state.faults.error_code, played.state.faults.error_times = 2, 1
    assert (await messenger.send(message)).status == "transient"
    assert (await messenger.send(message)).status == "accepted"
    assert len(calls(played, "/message_attachments")) == 1


async def test_an_upload_that_meta_has_forgotten_is_made_again(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, a_file: MakeFile
) -> None:
    file = a_file()
    await messenger.send(outbound("", files=(file,)))
    played.state.attachments.clear()
    message = outbound("", files=(file,))
    forgotten = await messenger.send(message)
    assert (forgotten.status, forgotten.error) == ("transient", "attachment_gone")
    assert (await messenger.send(message)).status == "accepted"


async def test_what_cannot_be_sent_at_all(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, a_file: MakeFile
) -> None:
    large = await messenger.send(outbound(files=(a_file(size=26 * 1024 * 1024),)))
    assert (large.status, large.error) == ("permanent", "attachment_too_large")
    empty = await messenger.send(outbound(" "))
    assert (empty.status, empty.error) == ("permanent", "empty")
    gone = a_file()
    gone.path.unlink()
    unreadable = await messenger.send(outbound(files=(gone,)))
    assert (unreadable.status, unreadable.error) == ("permanent", "file_unreadable")
    assert screen(played) == []


async def test_typing_is_its_own_request(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    message = outbound()
    await messenger.typing(message.external_user_id)
    assert screen(played) == [{"from": "page", "kind": "typing"}]
    await messenger.send(message)
    assert [item["kind"] for item in screen(played)] == ["text"]
    played.state.faults.down = True
    await messenger.typing(message.external_user_id)


@pytest.mark.parametrize(
    ("author", "hours", "status", "error"),
    [
        ("bot", 23.9, "accepted", None),
        ("bot", 24.1, "permanent", "outside_window"),
        ("operator", 24.1, "accepted", None),
        ("operator", 167.9, "accepted", None),
        ("operator", 168.1, "permanent", "outside_window"),
    ],
)
async def test_windows(
    messenger: Messenger,
    played: PlayedMessenger,
    outbound: Make,
    shifted_clock: Any,
    author: str,
    hours: float,
    status: str,
    error: str | None,
) -> None:
    message = outbound(author=author)
    played.state.offset = shifted_clock.offset = timedelta(hours=hours)
    result = await messenger.send(message)
    assert (result.status, result.error) == (status, error)
    tagged = [call["body"].get("tag") for call in calls(played, "/messages")]
    assert tagged == ([] if error else ["HUMAN_AGENT" if hours > 24 else None])


async def test_meta_s_own_word_on_the_window_counts(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    """Our clock thinks that there is time left; Meta's does not."""
    message = outbound()
    played.state.offset = timedelta(hours=25)
    result = await messenger.send(message)
    assert (result.status, result.error) == ("permanent", "outside_window")


async def test_a_tag_that_was_not_granted_stops_only_its_message(
    messenger: Messenger, played: PlayedMessenger, outbound: Make, shifted_clock: Any
) -> None:
    played.options.has_human_agent = False
    message = outbound(author="operator")
    played.state.offset = shifted_clock.offset = timedelta(hours=25)
    result = await messenger.send(message)
    assert (result.status, result.error) == ("permanent", "human_agent_not_granted")


@pytest.mark.parametrize(
    ("fault", "status", "error"),
    [
        ({"down": True}, "transient", "http_503"),
        ({"expire_token": True}, "auth", "token_invalid"),
        ({"drop_connection": True}, "transient", "connection"),
        ({"error_code": 2}, "transient", "provider_fault"),
        ({"error_code": 551, "error_subcode": 1545041}, "permanent", "recipient_unavailable"),
        ({"error_code": 368}, "permanent", "refused_by_policy"),
    ],
)
async def test_faults(
    messenger: Messenger,
    played: PlayedMessenger,
    outbound: Make,
    fault: dict[str, Any],
    status: str,
    error: str,
) -> None:
    for name, value in fault.items():
        setattr(played.state.faults, name, value)
    result = await messenger.send(outbound())
    assert (result.status, result.error) == (status, error)
    assert screen(played) == []


async def test_slow_is_transient(played: PlayedMessenger, client: GraphClient, outbound: Make) -> None:
    client._timeout = 0.05
    played.state.faults.latency_ms = 5_000
    result = await Messenger(client, played.state).send(outbound())
    assert (result.status, result.error) == ("transient", "timeout")


async def test_nobody_answers_there(played: PlayedMessenger, messenger: Messenger, outbound: Make) -> None:
    message = outbound()
    await played.stop()
    result = await messenger.send(message)
    assert (result.status, result.error) == ("transient", "connection")


async def test_a_connection_that_broke_after_meta_took_the_message(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    """The echo tells that it arrived: the second try calls nobody."""
    message = outbound()
    played.state.faults.drop_connection = "after"
    assert (await messenger.send(message)).status == "transient"
    played.state.faults.drop_connection = False
    mid = screen(played)[0]["mid"]
    messenger.heard_back(message.id, mid)
    result = await messenger.send(message)
    assert (result.status, result.provider_id) == ("accepted", mid)
    assert len(texts(played)) == 1


async def test_rate_limits_are_obeyed_without_calling(
    messenger: Messenger, played: PlayedMessenger, outbound: Make
) -> None:
    played.options.calls_per_second = 1
    assert (await messenger.send(outbound("một"))).status == "accepted"
    refused = await messenger.send(outbound("hai"))
    assert (refused.status, refused.error) == ("transient", "rate_limited")
    assert refused.retry_after is not None
    assert 0 < refused.retry_after <= 60
    called = len(calls(played, "/messages"))
    played.options.calls_per_second = 300
    again = await messenger.send(outbound("ba"))
    assert (again.status, again.error) == ("transient", "rate_limited")
    assert len(calls(played, "/messages")) == called


async def test_no_page_is_connected(played: PlayedMessenger, outbound: Make) -> None:
    async def nothing() -> str | None:
        return None

    options = played.options
    client = GraphClient(
        page_id=options.page_id, app_id=options.app_id, app_secret=options.app_secret, token=nothing,
        api_url=played.api_url,
    )  # fmt: skip
    result = await Messenger(client, played.state).send(outbound())
    assert (result.status, result.error) == ("auth", "not_connected")
    assert calls(played, "/messages") == []


async def test_a_wrong_secret_is_a_matter_of_the_credentials(
    played: PlayedMessenger, messenger: Messenger, outbound: Make
) -> None:
    played.options.app_secret = "changed at Meta's"
    result = await messenger.send(outbound())
    assert (result.status, result.error) == ("auth", "wrong_secret_or_page")
