"""A real database with what people said in it, and a clock that stands still until it is moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import actions.learning.models  # noqa: F401 - defines the tables
from actions.learning.samples import LearningSamples
from conversations import repository
from database.base import new_id
from database.engine import Database

RETENTION = timedelta(days=180)


class HandClock:
    def __init__(self) -> None:
        self.time = datetime(2026, 11, 2, 1, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.time

    def forward(self, **span: float) -> None:
        self.time += timedelta(**span)


class Talk:
    """Writes conversations into the database, as dispatch leaves them."""

    def __init__(self, database: Database, clock: HandClock) -> None:
        self._database = database
        self._clock = clock
        self._sequences: dict[str, int] = {}

    async def said(self, text: str, route: str, *, user: str = "u1", kind: str = "text", **turn: Any) -> str:
        """Write a message that was handled now; return its id."""
        now = self._clock.now()
        message_id = new_id()
        record = {
            "route": route,
            "intent": "ask_overview",
            "confidence": 0.4,
            "model": "m1",
            "ranking": [{"name": "ask_overview", "confidence": 0.4}, {"name": "ask_fee", "confidence": 0.3}],
            "procedures": [],
            "handoff": None,
            **turn,
        }
        async with self._database.write() as session:
            conversation = await repository.lock_by_user(session, "webchat", user)
            if conversation is None:
                values = {"id": new_id(), "channel": "webchat", "external_user_id": user, "owner": "bot"}
                values |= {"session": 1, "next_sequence": 1, "last_activity_at": now, "created_at": now}
                values |= {"last_message": "", "last_author": "citizen", "unread": 0}
                await repository.create_conversation(session, values)
                conversation = values
            sequence = self._sequences[user] = self._sequences.get(user, 0) + 1
            row = {
                "id": message_id,
                "conversation_id": conversation["id"],
                "sequence": sequence,
                "session": 1,
                "direction": "in",
                "author": "citizen",
                "channel": "webchat",
                "provider_message_id": message_id,
                "kind": kind,
                "text": text,
                "payload": {},
                "state": "processing",
                "attempts": 1,
                "provider_timestamp": now,
                "created_at": now,
            }
            await repository.add_inbound(session, row)
            await repository.start_attempt(session, [message_id], read_with=message_id)
            await repository.finish_inbound(session, message_id, state="done", turn=record, at=now)
        self._clock.forward(seconds=20)
        return message_id


def procedures(*codes: str) -> list[dict[str, Any]]:
    return [{"code": code, "score": 0.5} for code in codes]


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
def talk(database: Database, clock: HandClock) -> Talk:
    return Talk(database, clock)


@pytest.fixture
def samples(database: Database, clock: HandClock) -> LearningSamples:
    return LearningSamples(database, clock, RETENTION)


@pytest.fixture
def offered() -> Any:
    """Make the records of procedures that were offered, best first."""
    return procedures
