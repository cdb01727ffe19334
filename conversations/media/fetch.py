"""Fetches to our storage what citizens attached and their provider keeps for some days only."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import structlog

from conversations import repository
from conversations.announce import Announcer
from conversations.events import DESK, LiveEvents
from conversations.media import fetch_repository
from conversations.media.download import Downloader, DownloadError
from conversations.media.errors import FileRefusedError
from conversations.media.service import Media, Person
from conversations.repository import Row
from conversations.tasks import end_tasks
from conversations.topics import conversation_topic
from database.base import new_id
from database.clock import Clock
from database.engine import Database

log = structlog.get_logger(__name__)

_AT_ONCE = 4
_LOOK_SECONDS = 1.0
_LEASE = timedelta(seconds=60)
_MOST_ATTEMPTS = 8
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 900.0


class Fetcher:
    """Fetches attachments, some at a time, and has messages that waited for theirs worked on.

    Args:
        database: where messages are.
        clock: tells what is due.
        media: checks and keeps files as it does uploads.
        download: gets them.
        announcer: tells the workers of a message whose files have come.
        events: tells open pages.
        settle: how long a message is held anyhow.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        media: Media,
        download: Downloader,
        announcer: Announcer,
        events: LiveEvents,
        *,
        settle: timedelta,
    ) -> None:
        self._database = database
        self._clock = clock
        self._media = media
        self._download = download
        self._announcer = announcer
        self._events = events
        self._settle = settle
        self._woken = asyncio.Event()
        self._loop: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to fetch."""
        if self._loop is None:
            self._loop = asyncio.create_task(self._fetch_for_ever(), name="media-fetcher")

    async def stop(self) -> None:
        """Stop; what is under way is fetched by the next process."""
        if self._loop is not None:
            await end_tasks([self._loop])
            self._loop = None
        await self._download.close()

    def wake(self) -> None:
        """Look at once: something has come."""
        self._woken.set()

    async def fetch_due(self) -> int:
        """Fetch what is due; return how many were tried."""
        now = self._clock.now()
        lease = new_id()
        async with self._database.write(durable=False) as session:
            rows = await fetch_repository.take(session, lease, now, now + _LEASE, _AT_ONCE)
        if rows:
            await asyncio.gather(*(self._fetch(row, lease) for row in rows))
        return len(rows)

    async def _fetch_for_ever(self) -> None:
        while True:
            try:
                while await self.fetch_due():
                    pass
            except Exception as error:
                log.warning("fetching_failed", error=type(error).__name__)
            await _wait(self._woken, _LOOK_SECONDS)

    async def _fetch(self, row: Row, lease: str) -> None:
        async with self._database.read() as session:
            message = await repository.get_row(session, row["message_id"])
            conversation = await repository.find(session, message["conversation_id"]) if message else None
        file = _file(message, row["number"])
        if message is None or conversation is None or file is None or not file.get("url"):
            async with self._database.write() as session:
                await fetch_repository.done(session, row["message_id"], row["number"])
            return
        owner = Person(conversation.channel, conversation.external_user_id)
        try:
            content, name = await self._download.get(file["url"])
            stored = await self._media.add(
                owner,
                client_id=f"{row['message_id']}:{row['number']}",
                name=file.get("name") or name,
                content=content,
            )
            (kept,) = await self._media.attach(owner, [stored.id])
        except DownloadError as error:
            if not error.is_final and row["attempts"] + 1 < _MOST_ATTEMPTS:
                await self._later(row, lease, error.code)
                return
            await self._finish(message, row["number"], {"error": error.code})
            log.warning("file_not_fetched", message_id=message["id"], reason=error.code)
        except FileRefusedError as error:
            await self._finish(message, row["number"], {"error": error.code})
            log.info("file_refused", message_id=message["id"], reason=error.code)
        else:
            if not await self._finish(message, row["number"], kept.model_dump(exclude_none=True)):
                await self._media.delete(owner, [kept.file_id or ""])

    async def _later(self, row: Row, lease: str, code: str) -> None:
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** row["attempts"])
        log.info("file_tried_later", message_id=row["message_id"], reason=code, seconds=pause)
        async with self._database.write() as session:
            await fetch_repository.put_off(session, row, lease, self._clock.now() + timedelta(seconds=pause))

    async def _finish(self, message: Row, number: int, found: dict[str, Any]) -> bool:
        """Put a file's fields in place of its address; False when the message was withdrawn meanwhile."""
        async with self._database.write() as session:
            conversation = await repository.lock(session, message["conversation_id"])
            current = await repository.get_row(session, message["id"])
            file = _file(current, number)
            await fetch_repository.done(session, message["id"], number)
            if current is None or conversation is None or file is None:
                return False
            files = list(current["payload"]["attachments"])
            files[number] = {name: value for name, value in {**file, **found}.items() if name != "url"}
            changes: dict[str, Any] = {"payload": {**current["payload"], "attachments": files}}
            due: datetime | None = None
            if not await fetch_repository.left(session, message["id"]) and current["state"] == "received":
                due = max(self._clock.now(), current["created_at"] + self._settle)
                changes["next_attempt_at"] = due
            await repository.change_messages(session, [message["id"]], **changes)
        if due is not None:
            wait = (due - self._clock.now()).total_seconds()
            self._announcer.announce_later(message["conversation_id"], max(0.0, wait))
        await self._events.publish(
            conversation_topic(message["conversation_id"]),
            DESK,
            type="changed",
            conversation=message["conversation_id"],
            message_id=message["id"],
        )
        return True


def _file(message: Row | None, number: int) -> dict[str, Any] | None:
    files: list[dict[str, Any]] = ((message or {}).get("payload") or {}).get("attachments") or []
    return files[number] if number < len(files) else None


async def _wait(woken: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await woken.wait()
    except TimeoutError:
        pass
    woken.clear()
