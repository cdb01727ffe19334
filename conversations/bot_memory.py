"""The bot's memory: what Rasa keeps in Redis of a stretch of talk, for two days after its last turn.

It holds nothing that our own tables do not hold as well, but holds it beside them: erasing reaches it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import select

from conversations.models import ConversationRow, MessageRow
from conversations.redis_link import RedisLink
from database.engine import Database
from database.personal_data import Exported, Person

TRACKER_KEY = "bot:tracker:"
"""What stands before a session's name in Redis, as `bot/tracker_store.py` writes it."""


class BotMemoryAwayError(OSError):
    """Redis is away; what the bot remembers cannot be erased now, so that nothing is taken to be."""


def bot_session(conversation_id: str, session: int) -> str:
    """Return the name the bot knows a stretch of talk by."""
    return f"{conversation_id}-{session}"


class BotMemoryHolder:
    """What the bot remembers.

    Args:
        database: tells which stretches of talk there were.
        redis: where the bot keeps them; the same that the application uses.
    """

    name = "bot_memory"
    erased: Mapping[str, frozenset[str]] = {}
    kept: Mapping[str, frozenset[str]] = {}

    def __init__(self, database: Database, redis: RedisLink) -> None:
        self._database = database
        self._redis = redis

    async def export(self, person: Person) -> Exported:
        """Return nothing: all of it is among the conversations."""
        return Exported([])

    async def erase(self, person: Person, *, before: datetime | None, limit: int) -> int:
        """Delete the memory of every stretch of talk with something to erase, whole.

        Raises:
            BotMemoryAwayError: Redis is away. It is asked before the database forgets which talks there were.
        """
        if self._redis.client is None:
            return 0
        count = 0
        for key in person.conversations:
            names = [TRACKER_KEY + bot_session(key.id, each) for each in await self._sessions(key.id, before)]
            if names:
                count += await self._delete(names)
        return count

    async def _delete(self, names: list[str]) -> int:
        deleted: int | None = await self._redis.call(lambda client: client.delete(*names))
        if deleted is None:
            raise BotMemoryAwayError
        return deleted

    async def _sessions(self, conversation_id: str, before: datetime | None) -> list[int]:
        async with self._database.read() as session:
            if before is None:
                last = await session.scalar(
                    select(ConversationRow.session).where(ConversationRow.id == conversation_id)
                )
                return list(range(1, (last or 0) + 1))
            query = (
                select(MessageRow.session)
                .where(MessageRow.conversation_id == conversation_id, MessageRow.created_at < before)
                .distinct()
            )
            return list(await session.scalars(query))
