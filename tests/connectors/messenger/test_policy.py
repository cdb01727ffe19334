"""The window and the tag: whatever happens, no message of the assistant bears a tag."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.messenger.policy import BY_PERSON, RESPONSE, Envelope, envelope
from conversations.schemas import Author

NOW = datetime(2026, 11, 22, 3, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("author", "silent", "human_agent", "expected"),
    [
        ("bot", 0 * HOUR, True, RESPONSE),
        ("bot", 24 * HOUR, True, RESPONSE),
        ("bot", 24 * HOUR + timedelta(seconds=1), True, None),
        ("system", 25 * HOUR, True, None),
        ("operator", 23 * HOUR, True, RESPONSE),
        ("operator", 25 * HOUR, True, BY_PERSON),
        ("operator", 7 * 24 * HOUR, True, BY_PERSON),
        ("operator", 7 * 24 * HOUR + timedelta(seconds=1), True, None),
        ("operator", 25 * HOUR, False, None),
        ("operator", -HOUR, True, RESPONSE),
    ],
)
def test_table(author: Author, silent: timedelta, human_agent: bool, expected: Envelope | None) -> None:
    assert envelope(author, last_heard_at=NOW - silent, now=NOW, human_agent=human_agent) == expected


def test_an_unknown_last_word_is_left_to_meta() -> None:
    assert envelope("bot", last_heard_at=None, now=NOW, human_agent=True) == RESPONSE


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(get_args(Author)),
    st.one_of(st.none(), st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=30))),
    st.booleans(),
)
def test_a_tag_only_for_people_who_are_late(
    author: Author, silent: timedelta | None, human_agent: bool
) -> None:
    heard = None if silent is None else NOW - silent
    found = envelope(author, last_heard_at=heard, now=NOW, human_agent=human_agent)
    if found is not None and found.tag is not None:
        assert (author, human_agent) == ("operator", True)
        assert silent is not None
        assert timedelta(hours=24) < silent <= timedelta(days=7)
        assert found.fields() == {"messaging_type": "MESSAGE_TAG", "tag": "HUMAN_AGENT"}
    elif found is not None:
        assert found.fields() == {"messaging_type": "RESPONSE"}
    else:
        assert silent is not None
        assert silent > timedelta(hours=24)
