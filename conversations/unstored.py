"""Says at once what cannot be stored: the reply to an emergency while the database is away."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

import structlog

from conversations.channel import Channel
from conversations.schemas import OutboundMessage
from conversations.tasks import end_tasks

log = structlog.get_logger(__name__)

_REMEMBERED = 1_000
_TRIES = 3
_PAUSE_SECONDS = 1.0
_STOP_SECONDS = 15.0


class Unstored:
    """Sends without the database, some tries, each message once in this process."""

    def __init__(self) -> None:
        self._told: OrderedDict[str, None] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def send(self, connector: Channel, message: OutboundMessage) -> None:
        """Send a message in the background, unless its id was sent before."""
        if message.id in self._told:
            return
        self._told[message.id] = None
        if len(self._told) > _REMEMBERED:
            self._told.popitem(last=False)
        task = asyncio.create_task(self._send(connector, message))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Let what is being said finish."""
        if self._tasks:
            _done, late = await asyncio.wait(list(self._tasks), timeout=_STOP_SECONDS)
            await end_tasks(late)

    async def _send(self, connector: Channel, message: OutboundMessage) -> None:
        reason: str | None = None
        for number in range(_TRIES):
            if number:
                await asyncio.sleep(_PAUSE_SECONDS)
            try:
                result = await connector.send(message)
            except Exception as error:
                # Nobody must die of a connector's mistake, least of all now.
                reason = type(error).__name__
                continue
            if result.status == "accepted":
                return
            reason = result.error
            if result.status == "permanent":
                break
        self._told.pop(message.id, None)
        log.error("emergency_not_sent", channel=message.channel, reason=reason)
