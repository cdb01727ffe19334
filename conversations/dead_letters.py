"""Messages that were given up: what they are, and another try.

Inbound: it has brought the process down, or could not be finished, several times; the citizen was told that a
person will answer. Outbound: the provider refused it for good, or took it at none of many tries.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from conversations import dead_repository, repository
from conversations.schemas import MessageView
from database.clock import Clock
from database.engine import Database


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One message that was given up.

    Attributes:
        attempts: how often it was tried.
        error: what the provider said last, or the bot's failure.
    """

    message: MessageView
    channel: str
    attempts: int
    error: str
    given_up_at: datetime | None


class DeadLetters:
    """Lists and replays them.

    Args:
        database: where they are.
        clock: the time of a replay.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def list(self, *, direction: str | None = None, limit: int = 100) -> list[DeadLetter]:
        """Return dead letters, the latest first; `direction` is "in", "out" or None for both."""
        async with self._database.read() as session:
            return [_letter(row) for row in await dead_repository.dead(session, direction, limit)]

    async def find(self, message_id: str) -> DeadLetter | None:
        """Return one by its message's id; None when there is no such dead letter."""
        async with self._database.read() as session:
            row = await dead_repository.find_dead(session, message_id)
            return _letter(row) if row else None

    async def replay(self, message_id: str) -> bool:
        """Let a message be tried again as if it were new; False when it is not (or no longer) a dead letter.

        The workers' and the outbox's sweeps take it up within seconds. An inbound one goes to the bot again,
        unless a person holds the conversation, who then simply sees it as unread.
        """
        async with self._database.write() as session:
            row = await dead_repository.find_dead(session, message_id)
            if row is None:
                return False
            conversation = await repository.lock(session, row["conversation_id"])
            assert conversation is not None
            if row["direction"] == "out":
                await dead_repository.send_again(session, message_id)
                return True
            await dead_repository.handle_again(session, message_id)
            if conversation["owner"] == "queue":
                await repository.change_conversation(
                    session,
                    conversation["id"],
                    owner="bot",
                    waiting_since=None,
                    handoff_reason=None,
                    queue_told_at=None,
                )
            return True


def _letter(row: repository.Row) -> DeadLetter:
    turn: dict[str, Any] = row["turn"] or {}
    return DeadLetter(
        message=repository.message_view(row),
        channel=row["channel"],
        attempts=row["attempts"],
        error=row["error"] or str(turn.get("failure") or ""),
        given_up_at=row["handled_at"],
    )
