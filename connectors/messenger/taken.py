"""Remembers what Meta has taken, so that a second try of a message does not show it twice.

The Send API knows no idempotency key. When a connection breaks after Meta took a message, only the echo,
which gives our reference back, tells that it did; it usually comes before the next try.
"""

from __future__ import annotations

from collections import OrderedDict

_MOST = 20_000


class Taken:
    """Meta's ids by our references, of lately; of this process only."""

    def __init__(self, most: int = _MOST) -> None:
        self._ids: OrderedDict[str, str] = OrderedDict()
        self._most = most

    def get(self, reference: str) -> str | None:
        """Return Meta's id of what was taken under a reference."""
        return self._ids.get(reference)

    def put(self, reference: str, provider_id: str) -> None:
        """Remember that something was taken."""
        self._ids[reference] = provider_id
        self._ids.move_to_end(reference)
        if len(self._ids) > self._most:
            self._ids.popitem(last=False)
