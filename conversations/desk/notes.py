"""Internal notes: operators write to each other beside a conversation; nothing of it is ever sent."""

from __future__ import annotations

from collections.abc import Sequence

from conversations import repository
from conversations.desk import repository as desk_repository
from conversations.desk.errors import InvalidNoteError
from conversations.desk.ownership import operator_topic
from conversations.desk.schemas import Note
from conversations.errors import ConversationNotFoundError
from conversations.events import DESK, LiveEvents
from conversations.schemas import MAX_TEXT, clean_text
from database.base import new_id
from database.clock import Clock
from database.engine import Database

_LONGEST_KEY = 80
_MOST_MENTIONS = 20


class Notes:
    """Keeps notes.

    Args:
        database: where they are kept.
        clock: the time of writing.
        events: tells the consoles, and colleagues who are mentioned.
    """

    def __init__(self, database: Database, clock: Clock, events: LiveEvents) -> None:
        self._database = database
        self._clock = clock
        self._events = events

    async def add(
        self, conversation_id: str, author_id: str, text: str, *, key: str, mentions: Sequence[str] = ()
    ) -> Note:
        """Write a note, whoever holds the conversation; the same `key` writes once.

        Args:
            conversation_id: beside which conversation.
            author_id: who writes.
            text: what is noted.
            key: idempotency key, made by the page for each click; at most 80 characters.
            mentions: ids of colleagues who are told live (`operator_topic`, type `mentioned`).

        Raises:
            InvalidNoteError: it is empty or too long, or the key is.
            ConversationNotFoundError: there is no such conversation.
        """
        try:
            said = clean_text(text)
        except ValueError as error:
            raise InvalidNoteError from error
        meant = list(dict.fromkeys(mentions))
        if not said or len(said) > MAX_TEXT or not 1 <= len(key) <= _LONGEST_KEY:
            raise InvalidNoteError
        if len(meant) > _MOST_MENTIONS:
            raise InvalidNoteError
        async with self._database.write() as session:
            row = await repository.lock(session, conversation_id)
            if row is None:
                raise ConversationNotFoundError
            own_key = f"{author_id}:{key}"
            await desk_repository.add_note(
                session,
                {
                    "id": new_id(),
                    "conversation_id": conversation_id,
                    "after_sequence": row["next_sequence"] - 1,
                    "author_id": author_id,
                    "text": said,
                    "mentions": meant,
                    "idempotency_key": own_key,
                    "at": self._clock.now(),
                },
            )
            note = await desk_repository.find_note(session, conversation_id, own_key)
        await self._events.publish(DESK, type="note", conversation=conversation_id)
        for operator_id in note.mentions:
            await self._events.publish(
                operator_topic(operator_id), type="mentioned", conversation=conversation_id, by=author_id
            )
        return note
