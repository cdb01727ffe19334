"""Sends by another channel what one cannot carry any more: the same person's other conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from conversations import repository, windows
from conversations.reasons import channel_name
from conversations.repository import Row
from conversations.schemas import BotMessage, Capabilities
from conversations.writing import say_in
from database.clock import Clock
from database.engine import Database
from vntext.catalogue import say

log = structlog.get_logger(__name__)


class People(Protocol):
    """Who knows which conversations are one person's."""

    async def other_conversations(self, conversation_id: str) -> Sequence[str]:
        """Return the same person's other conversations, the one used last first; never a guess."""
        ...


class Rerouting:
    """Finds the next channel that can, and writes the message there.

    Args:
        database: where the conversations are.
        clock: the time of writing.
        people: who knows a person's conversations.
        capabilities: what a channel can do, by its name.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        people: People,
        capabilities: Callable[[str], Capabilities],
    ) -> None:
        self._database = database
        self._clock = clock
        self._people = people
        self._capabilities = capabilities

    async def move(self, conversation: Row, row: Row) -> Row | None:
        """Write what cannot be sent into another conversation of the same person; return that one's row.

        Returns:
            None when there is none that can. Doing it again after a crash writes nothing twice.
        """
        for other in await self._people.other_conversations(conversation["id"]):
            if (target := await self._write(other, conversation, row)) is not None:
                log.info("message_moved", message_id=row["id"], to=target["channel"])
                return target
        return None

    async def _write(self, other: str, conversation: Row, row: Row) -> Row | None:
        now = self._clock.now()
        async with self._database.write() as session:
            target = await repository.lock(session, other)
            if target is None or target["channel"] == conversation["channel"]:
                return None
            key = f"moved:{row['id']}"
            if await repository.find_by_key(session, other, key) is not None:
                return target
            able = self._capabilities(target["channel"])
            if windows.refusal(target, row["author"], able, now) is not None:
                return None
            lead = say("channels.moved_lead", channel=channel_name(conversation["channel"]))
            message = BotMessage(text=f"{lead}\n\n{row['text']}", turn=row["turn"])
            await say_in(
                session,
                target,
                (message,),
                author=row["author"],
                author_id=row["author_id"],
                key=key,
                able=able,
                now=now,
            )
        return target
