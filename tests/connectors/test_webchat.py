"""Visitors' tokens, limits, and delivery to the web chat."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.base import Connector, OutboundMessage
from connectors.webchat.connector import WebChat
from connectors.webchat.limits import Limit, RateLimiter
from connectors.webchat.visitors import Visitors
from conversations.events import LiveEvents
from conversations.redis_link import RedisLink
from conversations.schemas import OutboundFile


def test_tokens_are_read_by_who_issued_them():
    visitors = Visitors("secret")
    visitor, token = visitors.new()
    assert visitors.read(token) == visitor
    assert visitors.read(visitors.token(visitor)) == visitor
    assert Visitors("another").read(token) is None
    assert visitors.new()[0] != visitor


@given(st.text(max_size=400))
def test_made_up_tokens_are_nobody(token: str):
    assert Visitors("secret").read(token) is None


@given(st.integers(0, 30), st.characters(codec="ascii"))
def test_changed_tokens_are_nobody(place: int, letter: str):
    visitors = Visitors("secret")
    visitor, token = visitors.new()
    changed = token[:place] + letter + token[place + 1 :]
    assert visitors.read(changed) in ({visitor} if changed == token else {None})


def outbound(text: str, **more: Any) -> OutboundMessage:
    return OutboundMessage(
        id="m",
        conversation_id="c",
        channel="webchat",
        external_user_id="v",
        sequence=2,
        text=text,
        buttons=(),
        attempt=1,
        created_at=datetime(2026, 11, 2, tzinfo=UTC),
        **more,
    )


async def test_delivery_tells_the_open_pages():
    events = LiveEvents(RedisLink(None))
    connector = WebChat(events)
    assert isinstance(connector, Connector)
    message = outbound("Lệ phí: miễn phí", author="bot", route="answer")
    async with events.subscribe("conversation:c") as queue, events.subscribe("conversation:d") as other:
        assert (await connector.send(message)).status == "accepted"
        told = queue.get_nowait()
        assert other.empty()
    assert told["message"]["text"] == "Lệ phí: miễn phí"
    assert told["sequence"] == 2


async def test_what_has_pictures_is_read_from_where_their_addresses_are_made(tmp_path: Path):
    events = LiveEvents(RedisLink(None))
    picture = OutboundFile(
        file_id="f", kind="image", name="a.png", content_type="image/png", size=1, path=tmp_path / "a.png"
    )
    message = outbound("Anh/chị xem ảnh", author="operator", files=(picture,))
    async with events.subscribe("conversation:c") as queue:
        assert (await WebChat(events).send(message)).status == "accepted"
        told = queue.get_nowait()
    assert (told["sequence"], "message" in told) == (2, False)


@pytest.mark.parametrize("with_redis", [True, False])
async def test_limits_count_each_visitor_and_the_address(redis_url: str, with_redis: bool):
    link = RedisLink(redis_url if with_redis else "redis://127.0.0.1:1/0", instance=f"t{with_redis}")
    limiter = RateLimiter(link)
    visitor, address = Limit("visitor", 3, 1_000_000), Limit("address", 5, 1_000_000)
    results = [limiter.allow((visitor, "v1"), (address, "10.0.0.1")) for _ in range(4)]
    assert results == [None, None, None, visitor]
    # The family behind the same address goes on, until the address is full.
    assert limiter.allow((visitor, "v2"), (address, "10.0.0.1")) is None
    assert limiter.allow((visitor, "v2"), (address, "10.0.0.1")) == address
    assert limiter.allow((visitor, "v3"), (address, "10.0.0.2")) is None
    await limiter.stop()
    await link.close()


async def test_two_processes_share_the_count(redis_url: str):
    limit, link = Limit("shared", 3, 1_000_000), RedisLink(redis_url)
    one, other = RateLimiter(link), RateLimiter(link)
    assert [limiter.allow((limit, "v")) for limiter in (one, one, other)] == [None] * 3
    await one.share()
    await other.share()
    assert other.allow((limit, "v")) == limit
    # What was told once is not told again.
    await other.share()
    await one.share()
    assert one.allow((limit, "w")) is None
    for limiter in (one, other):
        await limiter.stop()
    await link.close()
