"""Keeps trackers in Redis without blocking the server, and says so when Redis is away.

Rasa's own Redis store calls Redis synchronously inside the event loop, without any timeout, and reads each
tracker back before it writes it. Here one process at a time works on a conversation: a plain write is right.
"""

from __future__ import annotations

from typing import Any

import redis.asyncio as redis
from rasa.core.brokers.broker import EventBroker
from rasa.core.tracker_store import SerializedTrackerAsText, TrackerStore
from rasa.shared.core.domain import Domain
from rasa.shared.core.trackers import DialogueStateTracker
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError


class SessionTrackerStore(TrackerStore, SerializedTrackerAsText):
    """One Redis string a session, forgotten `record_exp` seconds after its last turn."""

    def __init__(
        self,
        domain: Domain,
        redis_url: str,
        host: str | None = None,
        event_broker: EventBroker | None = None,
        record_exp: int = 172_800,
        key_prefix: str = "bot:tracker:",
        timeout: float = 3.0,
        **kwargs: Any,
    ) -> None:
        """Open the store; nothing is sent to Redis yet.

        Args:
            domain: the domain of the model.
            redis_url: with the number of the database, e.g. `redis://127.0.0.1:6022/1`.
            host: passed by Rasa for every store, not used.
            event_broker: as in the parent class.
            record_exp: seconds after which an untouched tracker is forgotten.
            key_prefix: put before the sender id.
            timeout: seconds to wait for Redis.
            **kwargs: as in the parent class.
        """
        self._redis = redis.Redis.from_url(
            redis_url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            # A connection that Redis closed meanwhile (it was restarted) is opened anew, once.
            retry=Retry(NoBackoff(), 1),
            retry_on_error=[RedisConnectionError],
        )
        self._record_exp = int(record_exp)
        self._key_prefix = key_prefix
        super().__init__(domain, event_broker, **kwargs)

    def _key(self, sender_id: str) -> str:
        return self._key_prefix + sender_id

    async def save(self, tracker: DialogueStateTracker) -> None:
        """Store `tracker`; one without events is not worth a key."""
        if tracker.events:
            await self._redis.set(
                self._key(tracker.sender_id), self.serialise_tracker(tracker), ex=self._record_exp
            )

    async def retrieve(self, sender_id: str) -> DialogueStateTracker | None:
        """Return the tracker of `sender_id`, or None when there is none."""
        stored = await self._redis.get(self._key(sender_id))
        return None if stored is None else self.deserialise_tracker(sender_id, stored)

    async def retrieve_full_tracker(self, conversation_id: str) -> DialogueStateTracker | None:
        """Return the same as `retrieve`: a conversation has one session."""
        return await self.retrieve(conversation_id)

    async def keys(self) -> list[str]:
        """Return the sender ids that are kept."""
        return [
            key.removeprefix(self._key_prefix) async for key in self._redis.scan_iter(f"{self._key_prefix}*")
        ]

    async def ping(self) -> bool:
        """Ask Redis whether it is there.

        Raises:
            redis.exceptions.RedisError: it is not.
        """
        return bool(await self._redis.ping())
