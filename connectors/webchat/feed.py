"""What is new in one visitor's chat, in order and once, for whichever connection carries it.

Every open page of a process hangs on the same few things: one Redis subscription (in `LiveEvents`), and one
`Pulse`, the single timer that wakes all feeds to show that they live. A page costs a queue, not a task.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Literal

from connectors.webchat.connector import CHANNEL, visible
from connectors.webchat.links import FileLinks
from conversations.events import Event, LiveEvents
from conversations.schemas import MessageView
from conversations.service import Inbox
from conversations.topics import conversation_topic, visitor_topic

_PAGE = 100
_LOOK_EVERY = 4
"""Every so many heartbeats the database is asked even when nobody has told anything: an event may be lost."""

_BEAT: Event = {"type": "beat"}
_TICKS_A_BEAT = 5


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell a page.

    Attributes:
        kind: `message` and `typing` and `owner` as they stand in the protocol; `caught_up` when everything
            said before is told; `beat` when nothing was told for a heartbeat.
        data: what the page reads.
        sequence: of a message, its place in the conversation.
    """

    kind: Literal["message", "typing", "owner", "caught_up", "beat"]
    data: dict[str, Any]
    sequence: int | None = None


class Pulse:
    """Wakes feeds a heartbeat after they last told something; one task for all of them.

    Args:
        heartbeat: seconds.
    """

    def __init__(self, heartbeat: float) -> None:
        self.heartbeat = heartbeat
        self._feeds: set[Feed] = set()
        self._task: asyncio.Task[None] | None = None

    def add(self, feed: Feed) -> None:
        """Begin to wake a feed."""
        self._feeds.add(feed)
        if self._task is None:
            self._task = asyncio.create_task(self._beat_for_ever(), name="chat-pulse")

    def remove(self, feed: Feed) -> None:
        """Stop waking a feed; with the last one the timer ends."""
        self._feeds.discard(feed)
        if not self._feeds and self._task is not None:
            self._task.cancel()
            self._task = None

    async def _beat_for_ever(self) -> None:
        while True:
            # Looked at often enough that a beat is late by a fifth at most, and the feeds that came at once
            # are not all woken at once for long.
            await asyncio.sleep(self.heartbeat / _TICKS_A_BEAT)
            now = time.monotonic()
            for feed in self._feeds:
                feed.wake(now, self.heartbeat)


class Feed:
    """One page's view of a visitor's conversation.

    The order is the database's. A live event that brings the very next message is passed on as it is;
    anything else makes the feed read the database, so that nothing is missed and nothing comes twice. A page
    that reads slowly is not waited for: its events are dropped, and it reads on from the database.

    Args:
        inbox: reads the conversation.
        events: tells that there is something to read.
        pulse: tells that nothing happened.
        links: makes the addresses of files.
        visitor: whose chat.
        after: the last sequence the page has.
    """

    def __init__(
        self, inbox: Inbox, events: LiveEvents, pulse: Pulse, links: FileLinks, visitor: str, *, after: int
    ) -> None:
        self._inbox = inbox
        self._events = events
        self._pulse = pulse
        self._links = links
        self._visitor = visitor
        self._last = after
        self._conversation_id = ""
        self._queue: asyncio.Queue[Event] | None = None
        self._silent_since = time.monotonic()

    def wake(self, now: float, heartbeat: float) -> None:
        """Let the feed tell a beat when it has told nothing for a heartbeat."""
        if now - self._silent_since >= heartbeat and self._queue is not None and self._queue.empty():
            self._queue.put_nowait(_BEAT)

    async def notes(self) -> AsyncGenerator[Note]:
        """Yield what the page does not have yet, then everything new, for ever."""
        self._pulse.add(self)
        try:
            async with aclosing(self._notes()) as notes:
                async for note in notes:
                    self._silent_since = time.monotonic()
                    yield note
        finally:
            self._pulse.remove(self)

    async def _notes(self) -> AsyncGenerator[Note]:
        async with aclosing(self._before_the_first_message()) as notes:
            async for note in notes:
                yield note
        conversation_id = self._conversation_id
        beats = 0
        async with self._events.subscribe(conversation_topic(conversation_id)) as self._queue:
            # Subscribed before reading, so that nothing falls in between.
            state = await self._inbox.state(CHANNEL, self._visitor, after=self._last, limit=_PAGE)
            assert state is not None  # conversations are kept for ever
            for message in state.messages:
                yield self._message(message)
            if len(state.messages) == _PAGE:
                async for note in self._newer(conversation_id):
                    yield note
            yield Note("caught_up", {"owner": state.conversation.owner, "position": state.position})
            while True:
                event = await self._queue.get()
                if event["type"] == "beat":
                    beats += 1
                    yield Note("beat", {})
                    if beats % _LOOK_EVERY:
                        continue
                async for note in self._told(conversation_id, event):
                    yield note

    async def _before_the_first_message(self) -> AsyncGenerator[Note]:
        """Yield signs of life until there is a conversation to listen to."""
        beats = 0
        has_told = False
        async with self._events.subscribe(visitor_topic(CHANNEL, self._visitor)) as self._queue:
            while True:
                if beats % _LOOK_EVERY == 0:
                    found = await self._inbox.conversation_of(CHANNEL, self._visitor)
                    if found is not None:
                        self._conversation_id = found.id
                        return
                    if not has_told:
                        yield Note("caught_up", {"owner": "bot"})
                        has_told = True
                event = await self._queue.get()
                if event["type"] == "beat":
                    beats += 1
                    yield Note("beat", {})
                else:
                    beats = 0

    async def _told(self, conversation_id: str, event: Event) -> AsyncGenerator[Note]:
        match event["type"]:
            case "typing":
                yield Note("typing", {})
            case "owner":
                yield Note("owner", {"owner": event["owner"]})
            case "message" if event["sequence"] == self._last + 1 and "message" in event:
                self._last = event["sequence"]
                yield Note("message", event["message"], self._last)
            case "message" if event["sequence"] <= self._last:
                pass
            case "message" | "beat":
                async for note in self._newer(conversation_id):
                    yield note

    async def _newer(self, conversation_id: str) -> AsyncGenerator[Note]:
        while True:
            page = await self._inbox.history(conversation_id, after=self._last, limit=_PAGE)
            for message in page:
                yield self._message(message)
            if len(page) < _PAGE:
                return

    def _message(self, message: MessageView) -> Note:
        self._last = message.sequence
        return Note("message", visible(message, self._links), message.sequence)
