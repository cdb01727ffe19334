"""Reads how much of Meta's rate limits is used up, and says when to call again.

Source: https://developers.facebook.com/docs/graph-api/overview/rate-limiting
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

HEADERS = ("X-App-Usage", "X-Page-Usage", "X-Business-Use-Case-Usage")

FULL = 100.0
"""Per cent at which Meta begins to refuse."""

PAUSE_SECONDS = 60.0
"""How long nothing is sent when a limit is used up and Meta does not say until when."""

_MEASURES = ("call_count", "total_time", "total_cputime")
_LONGEST_PAUSE = 3_600.0


def pause(headers: Mapping[str, str]) -> float:
    """Return for how many seconds nothing should be sent; 0: go on.

    `headers` are those of any answer; each is JSON, and one that cannot be read says nothing.
    """
    longest = 0.0
    for name in HEADERS:
        for usage in _entries(headers.get(name)):
            # Minutes, in the business header only.
            regained = _number(usage.get("estimated_time_to_regain_access")) * 60
            if regained > 0:
                longest = max(longest, regained)
            elif max((_number(usage.get(measure)) for measure in _MEASURES), default=0.0) >= FULL:
                longest = max(longest, PAUSE_SECONDS)
    return min(longest, _LONGEST_PAUSE)


def _entries(header: str | None) -> Iterator[dict[str, Any]]:
    """The business header holds lists of usages by business; the other two are one usage."""
    if header is None:
        return
    try:
        value = json.loads(header)
    except ValueError:
        return
    if not isinstance(value, dict):
        return
    yield value
    for usages in value.values():
        if isinstance(usages, list):
            yield from (usage for usage in usages if isinstance(usage, dict))


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else 0.0
