"""Who is behind several conversations. It is never decided by a program, and can always be taken back.

A telephone number that was given in a report, shared as a contact, or called from is a hint: conversations
that share one are suggested. An operator puts them together, with a reason; undoing restores exactly what was
before.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository as core_repository
from conversations.desk import people_repository as repository
from conversations.desk import repository as desk_repository
from conversations.desk.errors import InvalidNumberError, InvalidReasonError, MergeRefusedError
from conversations.desk.ownership import checked_reason
from conversations.desk.schemas import Contact, Contacted, Merge, PersonView, Source, Suggestion
from conversations.desk.words import national_number
from conversations.errors import ConversationNotFoundError
from conversations.events import DESK, LiveEvents
from conversations.schemas import ConversationView, MessageView
from database.base import new_id
from database.clock import Clock
from database.engine import Database

_MOST = 50


class People:
    """Knows people.

    Args:
        database: where they are.
        clock: the time of decisions.
        events: tells the consoles.
    """

    def __init__(self, database: Database, clock: Clock, events: LiveEvents) -> None:
        self._database = database
        self._clock = clock
        self._events = events

    async def add_contact(
        self, conversation_id: str, number: str, source: Source, *, name: str = ""
    ) -> Contact:
        """Keep a telephone number as being of a conversation's citizen.

        Raises:
            InvalidNumberError: it is none.
            ConversationNotFoundError: there is no such conversation.
        """
        phone = national_number(number)
        if phone is None:
            raise InvalidNumberError
        async with self._database.write() as session:
            if await core_repository.lock(session, conversation_id) is None:
                raise ConversationNotFoundError
            return await repository.add_contact(
                session, conversation_id, phone, source, name=name.strip()[:200], at=self._clock.now()
            )

    async def contacts(self, conversation_id: str) -> list[Contact]:
        """Return the telephone numbers known for a conversation: contacts, and those of its reports."""
        async with self._database.read() as session:
            return await repository.contacts(session, [conversation_id])

    async def names(self, conversation_ids: Sequence[str]) -> dict[str, str]:
        """Return the names citizens have given, by conversation; one query for all of them."""
        async with self._database.read() as session:
            return await repository.names_of(session, conversation_ids)

    async def other_conversations(self, conversation_id: str) -> list[str]:
        """Return the same person's other conversations, the one used last first; never a guess."""
        async with self._database.read() as session:
            return await repository.others(session, conversation_id)

    async def by_number(self, number: str) -> Contacted:
        """Return what is known of a telephone number, for the form of a call.

        Raises:
            InvalidNumberError: it is none.
        """
        phone = national_number(number)
        if phone is None:
            raise InvalidNumberError
        async with self._database.read() as session:
            known = await repository.contacts_by_phone(session, [phone], _MOST)
            ids = list(dict.fromkeys(contact.conversation_id for contact in known))
            views = await desk_repository.views(session, ids)
            codes = await repository.ticket_codes(session, phone, _MOST)
        names = dict.fromkeys(contact.name for contact in known if contact.name)
        return Contacted(phone, tuple(names), views, tuple(codes))

    async def suggestions(self, conversation_id: str) -> list[Suggestion]:
        """Return conversations that share a telephone number and do not count as of the same person yet.

        Raises:
            ConversationNotFoundError: there is no such conversation.
        """
        async with self._database.read() as session:
            own = await self._own(session, conversation_id)
            phones = {contact.phone for contact in await repository.contacts(session, own)}
            shared = await repository.contacts_by_phone(session, sorted(phones), _MOST)
            others = [contact for contact in shared if contact.conversation_id not in own]
            views = await desk_repository.views(
                session, list(dict.fromkeys(contact.conversation_id for contact in others))
            )
        return [
            Suggestion(
                other,
                tuple(dict.fromkeys(c.phone for c in others if c.conversation_id == other.id)),
                tuple(dict.fromkeys(c.name for c in others if c.conversation_id == other.id and c.name)),
            )
            for other in views
        ]

    async def person(self, conversation_id: str) -> PersonView | None:
        """Return the person a conversation counts as of, None where it stands alone.

        Raises:
            ConversationNotFoundError: there is no such conversation.
        """
        async with self._database.read() as session:
            view = await core_repository.find(session, conversation_id)
            if view is None:
                raise ConversationNotFoundError
            if view.person_id is None:
                return None
            return await self._person(session, view.person_id)

    async def history(
        self, conversation_id: str, *, before: str | None = None, limit: int = 100
    ) -> list[MessageView]:
        """Return what one person said and was told on all channels, newest first.

        Args:
            conversation_id: one of the person's conversations.
            before: the id of the last message already shown.
            limit: the most messages, 200 at most.

        Raises:
            ConversationNotFoundError: there is no such conversation.
        """
        async with self._database.read() as session:
            ids = await self._own(session, conversation_id)
            return await repository.messages(session, ids, before=before, limit=max(1, min(limit, 200)))

    async def merge(self, conversation_ids: Sequence[str], operator_id: str, *, reason: str) -> Merge:
        """Count conversations as of one person, with all others that counted as of the same ones.

        Raises:
            InvalidReasonError: there is none, or it is too long.
            ConversationNotFoundError: one of them is not there.
            MergeRefusedError: fewer than two, or they are one person's already.
        """
        said = checked_reason(reason)
        if not said:
            raise InvalidReasonError
        chosen = sorted(set(conversation_ids))
        if len(chosen) < 2:
            raise MergeRefusedError("too_few")
        now = self._clock.now()
        async with self._database.write() as session:
            rows = await repository.lock_all(session, await self._with_members(session, chosen))
            if not set(chosen) <= {row["id"] for row in rows}:
                raise ConversationNotFoundError
            people = {row["person_id"] for row in rows}
            if len(people) == 1 and None not in people:
                raise MergeRefusedError("same_person")
            person_id, merge_id = new_id(), new_id()
            names = await repository.names(session, [row["id"] for row in rows])
            await repository.add_person(session, person_id, names[0] if names else "", now)
            await repository.add_merge(session, merge_id, person_id, operator_id, now, said)
            for row in rows:
                await repository.move(session, row["id"], person_id, merge_id, now)
                await desk_repository.add_event(
                    session, row, "merged", actor=operator_id, at=now, reason=said, merge=merge_id
                )
            merge = await repository.merge(session, merge_id)
        for row in rows:
            await self._events.publish(DESK, type="changed", conversation=row["id"])
        assert merge is not None
        return merge

    async def unmerge(self, merge_id: str, operator_id: str, *, reason: str) -> Merge:
        """Take a decision back: each conversation counts as what it did before.

        Raises:
            InvalidReasonError: there is none, or it is too long.
            MergeRefusedError: it was taken back already, or a later one builds on it.
        """
        said = checked_reason(reason)
        if not said:
            raise InvalidReasonError
        now = self._clock.now()
        async with self._database.write() as session:
            found = await repository.merge(session, merge_id)
            if found is None:
                raise MergeRefusedError("undone")
            rows = await repository.lock_all(session, found.conversations)
            # Looked at again now that nobody else changes it.
            found = await repository.merge(session, merge_id)
            if found is None or found.undone_at is not None:
                raise MergeRefusedError("undone")
            if not await repository.is_current(session, merge_id):
                raise MergeRefusedError("superseded")
            await repository.undo(session, merge_id, operator_id, now, said)
            for row in rows:
                await desk_repository.add_event(
                    session, row, "unmerged", actor=operator_id, at=now, reason=said, merge=merge_id
                )
            undone = await repository.merge(session, merge_id)
        for row in rows:
            await self._events.publish(DESK, type="changed", conversation=row["id"])
        assert undone is not None
        return undone

    async def _own(self, session: AsyncSession, conversation_id: str) -> list[str]:
        """Return the conversations of one's person, the conversation itself where it stands alone."""
        view = await core_repository.find(session, conversation_id)
        if view is None:
            raise ConversationNotFoundError
        if view.person_id is None:
            return [conversation_id]
        return await repository.members(session, view.person_id)

    async def _with_members(self, session: AsyncSession, ids: Sequence[str]) -> list[str]:
        views: list[ConversationView] = await desk_repository.views(session, ids)
        found = set(ids)
        for person_id in {view.person_id for view in views if view.person_id is not None}:
            found.update(await repository.members(session, person_id))
        return sorted(found)

    async def _person(self, session: AsyncSession, person_id: str) -> PersonView:
        ids = await repository.members(session, person_id)
        return PersonView(
            id=person_id,
            name=await repository.person_name(session, person_id),
            conversations=await desk_repository.views(session, ids),
            merges=await repository.merges_of(session, person_id),
        )
