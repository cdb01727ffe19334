"""Marks as sent, many at a time, what a channel has taken that shows a repeat only once."""

from __future__ import annotations

import asyncio

import structlog

from conversations import repository
from conversations.tasks import end_tasks
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database

log = structlog.get_logger(__name__)

_MARK_SECONDS = 0.2


class Shown:
    """Gathers ids of messages and marks them a moment later.

    Args:
        database: where the rows are.
        clock: the time of marking.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._ids: list[str] = []
        self._marking: asyncio.Task[None] | None = None

    def add(self, message_id: str) -> None:
        """Mark a message soon."""
        self._ids.append(message_id)
        if self._marking is None:
            self._marking = asyncio.create_task(self._mark_later(), name="outbox-marks")

    async def mark_now(self) -> None:
        """Mark what has been gathered."""
        if self._marking is not None:
            await end_tasks([self._marking])
            self._marking = None
        await self._mark()

    async def _mark_later(self) -> None:
        await asyncio.sleep(_MARK_SECONDS)
        self._marking = None
        await self._mark()

    async def _mark(self) -> None:
        ids, self._ids = self._ids, []
        if not ids:
            return
        try:
            async with self._database.write(durable=False) as session:
                await repository.mark_sent(session, ids, self._clock.now())
        except STORAGE_DOWN as error:
            # They stay as they are: the sweeper sends them again, and each is shown once.
            log.warning("not_marked", count=len(ids), error=type(error).__name__)
