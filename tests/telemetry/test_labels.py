"""Whatever comes in, a metric has only the series that were foreseen."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from telemetry import labels


@given(st.text())
def test_hostile_values_are_other_or_expected(value: str):
    assert labels.channel(value) in {*labels.CHANNELS, "other"}
    assert labels.one_of(value, labels.ROUTES) in {*labels.ROUTES, "other"}
    assert labels.bot_reason(value) in {*labels.BOT_REASONS, "other"}
    assert labels.send_reason(value) in labels.SEND_REASONS
    assert labels.surface(f"/{value}") in {*labels.SURFACES, "other"}


@given(st.integers())
def test_statuses_are_counted_by_their_hundred(status: int):
    assert labels.status_class(status) in {"1xx", "2xx", "3xx", "4xx", "5xx", "other"}


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("timeout", "timeout"),
        ("ServerTimeoutError", "timeout"),
        ("http_429", "rate_limited"),
        ("http_502", "http_5xx"),
        ("http_403", "http_4xx"),
        ("ClientConnectorError", "connection"),
        ("no_connector", "no_connector"),
        ("190/463", "other"),
        (None, "other"),
    ],
)
def test_reasons_a_channel_gives(said: str | None, label: str):
    assert labels.send_reason(said) == label


@pytest.mark.parametrize(
    ("said", "label"),
    [("bot_timeout", "bot_timeout"), ("bot_error_500", "bot_error_5xx"), ("bot_error_503", "bot_error_503"),
     ("bot_error_422", "bot_error_4xx"), ("bot_error_999", "other")],
)  # fmt: skip
def test_reasons_of_the_bot(said: str, label: str):
    assert labels.bot_reason(said) == label


def test_parts_of_the_application():
    assert labels.surface("/") == "home"
    assert labels.surface("/chat/messages?after=1") == "chat"
    assert labels.surface("/wp-login.php") == "other"


def test_routes_are_those_the_system_gives():
    """Every route that a turn record can have is counted under its own name."""
    import re
    from pathlib import Path

    root = Path(__file__).parents[2]
    said = set()
    for folder in ("actions", "conversations"):
        for file in (root / folder).rglob("*.py"):
            said |= set(re.findall(r"_turn\(\"([a-z_0-9]+)\"", file.read_text("utf-8")))
            said |= set(re.findall(r"route=\"([a-z_0-9]+)\"", file.read_text("utf-8")))
    assert said
    assert said <= labels.ROUTES
