"""The stream of a web chat's live events: what is new, told as it happens (Server-Sent Events)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from connectors.webchat.connector import visible
from conversations.events import LiveEvents
from conversations.service import Inbox, conversation_topic, visitor_topic

_PAGE = 100
_LOOK_EVERY = 4
"""Every so many heartbeats the database is asked even when nobody has told anything: an event may be lost."""


def frame(event: str, data: dict[str, Any], id_: int | None = None) -> bytes:
    """Return one event in the stream's format."""
    lines = [f"event: {event}", f"data: {json.dumps(data, ensure_ascii=False)}"]
    if id_ is not None:
        lines.insert(0, f"id: {id_}")
    return ("\n".join(lines) + "\n\n").encode("utf-8")


async def visitor_events(
    inbox: Inbox, events: LiveEvents, channel: str, visitor: str, *, after: int, heartbeat: float
) -> AsyncIterator[bytes]:
    """Yield a visitor's events as `chat_events` does; before the first message only signs of life."""
    async with events.subscribe(visitor_topic(channel, visitor)) as queue:
        while (conversation := await inbox.conversation_of(channel, visitor)) is None:
            yield b": alive\n\n"
            with suppress(TimeoutError):
                async with asyncio.timeout(heartbeat):
                    await queue.get()
    async for event in chat_events(inbox, events, conversation.id, after=after, heartbeat=heartbeat):
        yield event


async def chat_events(
    inbox: Inbox, events: LiveEvents, conversation_id: str, *, after: int, heartbeat: float
) -> AsyncIterator[bytes]:
    """Yield a conversation's messages after a sequence, then everything new, for ever.

    The order is the database's. A live event that brings the very next message is passed on as it is;
    anything else makes the stream read the database, so that nothing is missed and nothing comes twice.
    """
    last = after
    silent = 0
    async with events.subscribe(conversation_topic(conversation_id)) as queue:
        # Subscribed before reading, so that nothing falls in between.
        yield b"retry: 2000\n\n"
        async for message in _newer(inbox, conversation_id, last):
            last = message["sequence"]
            yield frame("message", message, last)
        while True:
            try:
                async with asyncio.timeout(heartbeat):
                    event = await queue.get()
            except TimeoutError:
                yield b": alive\n\n"
                silent += 1
                event = {"type": "message", "sequence": 0} if silent % _LOOK_EVERY == 0 else {}
            match event.get("type"):
                case "typing":
                    yield frame("typing", {})
                case "owner":
                    yield frame("owner", {"owner": event["owner"]})
                case "message" if event["sequence"] == last + 1 and "message" in event:
                    last = event["sequence"]
                    yield frame("message", event["message"], last)
                case "message" if event["sequence"] > last or event["sequence"] == 0:
                    async for message in _newer(inbox, conversation_id, last):
                        last = message["sequence"]
                        yield frame("message", message, last)


async def _newer(inbox: Inbox, conversation_id: str, after: int) -> AsyncIterator[dict[str, Any]]:
    while True:
        page = await inbox.history(conversation_id, after=after, limit=_PAGE)
        for message in page:
            after = message.sequence
            yield visible(message)
        if len(page) < _PAGE:
            return
