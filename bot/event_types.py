"""Finds the class of a stored event by its name, without walking all classes for each event.

Rasa does so for every event of a tracker it reads; that was a tenth of a whole turn. There is no setting.
"""

from __future__ import annotations

from rasa.shared.core.events import Event
from rasa.shared.utils.common import all_subclasses


def look_up_events_once() -> None:
    """Let Rasa find event classes in a table that is made now; what is not in it is looked for as before."""
    known: dict[str, type[Event]] = {}
    for kind in all_subclasses(Event):
        known.setdefault(kind.type_name, kind)
    search = Event.resolve_by_type

    def resolve_by_type(type_name: str, default: type[Event] | None = None) -> type[Event] | None:
        return known.get(type_name) or search(type_name, default)

    Event.resolve_by_type = staticmethod(resolve_by_type)
