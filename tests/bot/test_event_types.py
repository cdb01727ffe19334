"""Event classes are found by a table, as Rasa finds them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from rasa.shared.core.events import ActionExecuted, Event, UserUttered

from bot.event_types import look_up_events_once


@pytest.fixture(autouse=True)
def _rasas_own_afterwards() -> Iterator[None]:
    own = Event.resolve_by_type
    look_up_events_once()
    yield
    Event.resolve_by_type = staticmethod(own)


def test_events_are_found() -> None:
    assert Event.resolve_by_type("user") is UserUttered
    stored = ActionExecuted("action_listen", timestamp=1.0).as_dict()
    assert Event.from_parameters(stored) == ActionExecuted("action_listen", timestamp=1.0)


def test_what_is_not_in_the_table_is_treated_as_before() -> None:
    assert Event.resolve_by_type("topic") is None
    assert Event.resolve_by_type("nothing", ActionExecuted) is ActionExecuted
    with pytest.raises(ValueError, match="Unknown event name"):
        Event.resolve_by_type("nothing")
