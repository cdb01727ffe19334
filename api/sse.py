"""The stream of a web chat's live events: what is new, told as it happens (Server-Sent Events)."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import structlog

from connectors.webchat.feed import Feed
from database.engine import STORAGE_DOWN

log = structlog.get_logger(__name__)

_ALIVE = b": alive\n\n"


def frame(event: str, data: dict[str, Any], id_: int | None = None) -> bytes:
    """Return one event in the stream's format."""
    lines = [f"event: {event}", f"data: {json.dumps(data, ensure_ascii=False)}"]
    if id_ is not None:
        lines.insert(0, f"id: {id_}")
    return ("\n".join(lines) + "\n\n").encode("utf-8")


async def visitor_events(feed: Feed) -> AsyncIterator[bytes]:
    """Yield a feed's notes as events, for ever; ends when the database is away, and the page comes again."""
    yield b"retry: 2000\n\n"
    try:
        async with aclosing(feed.notes()) as notes:
            async for note in notes:
                match note.kind:
                    case "beat":
                        yield _ALIVE
                    case "caught_up":
                        yield frame("ready", note.data)
                    case kind:
                        yield frame(kind, note.data, note.sequence)
    except STORAGE_DOWN as error:
        log.warning("events_ended", error=type(error).__name__)
