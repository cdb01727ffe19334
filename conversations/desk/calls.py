"""A call taken by phone is a conversation on the channel `phone`: what was said is typed by the operator.

Nothing of it is sent anywhere; it is kept so that every contact is on record and is found with the others.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository
from conversations.desk import people_repository
from conversations.desk import repository as desk_repository
from conversations.desk.errors import InvalidNumberError
from conversations.desk.ownership import check_holder, checked_reason
from conversations.desk.repository import WITH_BOT
from conversations.desk.words import national_number
from conversations.errors import ConversationNotFoundError, HeldByOtherError, InvalidReplyError
from conversations.events import DESK, LiveEvents
from conversations.repository import Row
from conversations.schemas import MAX_TEXT, ConversationView, MessageView, clean_text
from conversations.writing import preview
from database.base import new_id
from database.clock import Clock
from database.engine import Database
from vntext.catalogue import say

PHONE = "phone"
"""The channel of calls; a conversation is known there by the caller's number."""

_LONGEST_KEY = 80


class Calls:
    """Keeps what is said on the telephone.

    Args:
        database: where it is kept.
        clock: the time of calls.
        events: tells the consoles.
    """

    def __init__(self, database: Database, clock: Clock, events: LiveEvents) -> None:
        self._database = database
        self._clock = clock
        self._events = events

    async def start(self, number: str, operator_id: str, *, name: str = "") -> ConversationView:
        """Begin a call: a new session of the number's conversation, held by the operator.

        A call of theirs with the same number that has not ended goes on.

        Args:
            number: the caller's, as it is shown or said.
            operator_id: who answers.
            name: what the caller says their name is.

        Raises:
            InvalidNumberError: it is no telephone number.
            HeldByOtherError: somebody else is on the line with this number.
        """
        phone = national_number(number)
        if phone is None:
            raise InvalidNumberError
        now = self._clock.now()
        async with self._database.write() as session:
            row = await self._conversation(session, phone, now)
            if row["owner"] == "person" and row["assigned_to"] != operator_id:
                raise HeldByOtherError(row["assigned_to"])
            if row["owner"] != "person":
                # The first call is the conversation's first session.
                number_of_session = row["session"] + (row["next_sequence"] > 1)
                await repository.change_conversation(
                    session,
                    row["id"],
                    owner="person",
                    assigned_to=operator_id,
                    last_held_by=operator_id,
                    closed_at=None,
                    session=number_of_session,
                    last_activity_at=now,
                    handoff_reason=say("desk.call"),
                )
                await desk_repository.add_event(session, row, "call_started", actor=operator_id, at=now)
            await people_repository.add_contact(
                session, row["id"], phone, "call", name=name.strip()[:200], at=now
            )
            view = await repository.find(session, row["id"])
        assert view is not None
        await self._events.publish(DESK, type="owner", conversation=view.id, owner="person")
        return view

    async def note(
        self,
        conversation_id: str,
        operator_id: str,
        text: str,
        *,
        key: str,
        author: Literal["citizen", "operator"] = "citizen",
    ) -> MessageView:
        """Write down what one of the two said; the same `key` writes once.

        Raises:
            InvalidReplyError: the text is empty or too long, or the key is.
            ConversationNotFoundError: there is no such call.
            NotHeldError, HeldByOtherError: it is not this operator's call, or it has ended.
        """
        try:
            said = clean_text(text)
        except ValueError as error:
            raise InvalidReplyError from error
        if not said or len(said) > MAX_TEXT or not 1 <= len(key) <= _LONGEST_KEY:
            raise InvalidReplyError
        own_key = f"call:{key}"
        async with self._database.write() as session:
            row = await self._call(session, conversation_id)
            known = await repository.find_by_key(session, conversation_id, own_key)
            if known is not None:
                return known
            check_holder(row, operator_id)
            values = self._message(row, said, author, operator_id, own_key)
            await repository.add_outbound(session, [values])
            await repository.change_conversation(
                session,
                conversation_id,
                next_sequence=row["next_sequence"] + 1,
                last_activity_at=values["created_at"],
                last_message=preview(said),
                last_author=author,
            )
            view = await repository.get_message(session, values["id"])
        await self._events.publish(DESK, type="message", conversation=conversation_id)
        assert view is not None
        return view

    async def end(self, conversation_id: str, operator_id: str, *, reason: str = "") -> ConversationView:
        """End a call; the conversation is closed.

        Raises:
            ConversationNotFoundError: there is no such call.
            NotHeldError, HeldByOtherError, InvalidReasonError: nothing was changed.
        """
        said = checked_reason(reason)
        now = self._clock.now()
        async with self._database.write() as session:
            row = await self._call(session, conversation_id)
            check_holder(row, operator_id)
            await repository.change_conversation(
                session, conversation_id, closed_at=now, last_activity_at=now, **WITH_BOT
            )
            await desk_repository.add_event(session, row, "closed", actor=operator_id, at=now, reason=said)
            view = await repository.find(session, conversation_id)
        assert view is not None
        await self._events.publish(DESK, type="owner", conversation=view.id, owner="bot")
        return view

    async def _conversation(self, session: AsyncSession, phone: str, now: datetime) -> Row:
        found = await repository.lock_by_user(session, PHONE, phone)
        if found is None:
            await repository.create_conversation(
                session,
                {
                    "id": new_id(),
                    "channel": PHONE,
                    "external_user_id": phone,
                    "last_activity_at": now,
                    "created_at": now,
                },
            )
            found = await repository.lock_by_user(session, PHONE, phone)
        assert found is not None
        return found

    async def _call(self, session: AsyncSession, conversation_id: str) -> Row:
        row = await repository.lock(session, conversation_id)
        if row is None or row["channel"] != PHONE:
            raise ConversationNotFoundError
        return row

    def _message(
        self, row: Row, text: str, author: Literal["citizen", "operator"], operator_id: str, key: str
    ) -> dict[str, Any]:
        now = self._clock.now()
        is_citizen = author == "citizen"
        return {
            "id": new_id(),
            "conversation_id": row["id"],
            "sequence": row["next_sequence"],
            "session": row["session"],
            "direction": "in" if is_citizen else "out",
            "author": author,
            # Also what the citizen said is what this operator wrote down.
            "author_id": operator_id,
            "channel": PHONE,
            "idempotency_key": key,
            "kind": "text",
            "text": text,
            "payload": {},
            "state": "done" if is_citizen else "sent",
            "attempts": 0,
            "provider_timestamp": now,
            "created_at": now,
            "handled_at": now,
        }
