"""Tells people of what became of their ticket, on the channel they used: `tickets.notices.Notices`."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository
from conversations.events import DESK, LiveEvents
from conversations.outbox import Outbox
from conversations.schemas import BotMessage
from conversations.writing import say_in
from database.clock import Clock
from tickets.notices import Notice

_UNWRITTEN = frozenset({"phone"})
"""Channels on which nobody can be written to."""


class TicketNotices:
    """Writes notices as messages of the system.

    Args:
        clock: when it is said.
        outbox: sends it.
        events: tells open pages of it.
    """

    def __init__(self, clock: Clock, outbox: Outbox, events: LiveEvents) -> None:
        self._clock = clock
        self._outbox = outbox
        self._events = events

    async def write(self, session: AsyncSession, notice: Notice) -> bool:
        """Write a notice once, in the caller's unit of work; False where nobody can be written to."""
        conversation = await repository.lock(session, notice.conversation_id)
        if conversation is None or conversation["channel"] in _UNWRITTEN:
            return False
        key = f"ticket:{notice.key}"
        if await repository.find_by_key(session, notice.conversation_id, key) is None:
            await say_in(
                session,
                conversation,
                (BotMessage(text=notice.text),),
                author="system",
                key=key,
                able=self._outbox.capabilities(conversation["channel"]),
                now=self._clock.now(),
            )
        return True

    async def send(self, conversation_ids: Iterable[str]) -> None:
        """Send what was written."""
        for conversation_id in conversation_ids:
            self._outbox.kick(conversation_id)
            await self._events.publish(DESK, type="message", conversation=conversation_id)
