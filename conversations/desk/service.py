"""What operators see of the conversations and say in them. No HTTP, no SQL.

Who has a conversation, and how it changes hands, is in `ownership`; what stands beside it (notes, canned
answers, people, search, presence, calls) in modules of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository, windows
from conversations.desk import inbox_repository, people_repository
from conversations.desk import repository as desk_repository
from conversations.desk.ownership import DeskParts, Ownership, check_holder
from conversations.desk.schemas import DeskChange, Entry, Handoff, Hit, InboxCounts, InboxPage, Listed, Thread
from conversations.desk.search import Search
from conversations.desk.waiting import WaitTimes
from conversations.errors import ConversationNotFoundError, InvalidReplyError
from conversations.events import DESK
from conversations.media.service import Person
from conversations.replies import queue_message
from conversations.schemas import (
    MAX_TEXT,
    Attachment,
    BotMessage,
    ConversationFilter,
    ConversationView,
    MessageView,
    clean_text,
)
from conversations.writing import say_in
from database.base import new_id

_TOLD_AFTER = timedelta(seconds=60)
_TOLD_AT_ONCE = 50
_MOST_FILES = 10
_MOST_EVENTS = 200
_LONGEST_KEY = 80


def files_of(operator_id: str) -> Person:
    """Return whose the files are that an operator uploads to send: `Media.add` and `Media.attach` ask it."""
    return Person("console", operator_id)


class Desk(Ownership):
    """The operators' side of the conversations.

    Args:
        parts: what work on conversations needs.
        search: finds conversations by what was said.
        waits: how long people wait, as they are told.
        windows: tells by channel for how long after the citizen's word we may write.
    """

    def __init__(
        self,
        parts: DeskParts,
        search: Search,
        waits: WaitTimes,
        windows: Callable[[], Mapping[str, timedelta]],
    ) -> None:
        super().__init__(parts)
        self._search = search
        self._waits = waits
        self._windows = windows

    async def inbox(
        self, wanted: ConversationFilter | None = None, *, after: str | None = None, limit: int = 50
    ) -> InboxPage:
        """Return a page of conversations.

        The queue comes in its order (urgent first, then the longest wait), everything else newest activity
        first. With a text, conversations come in the order of the newest message that has its words.

        Args:
            wanted: which ones; None: all.
            after: `InboxPage.next` of the page before.
            limit: at most so many, 200 at the most.

        Raises:
            BadPlaceError: `after` is none of ours.
        """
        async with self._database.read() as session:
            return await self._page(session, wanted or ConversationFilter(), after, limit)

    async def listed(
        self, wanted: ConversationFilter, operator_id: str, *, after: str | None = None, limit: int = 50
    ) -> Listed:
        """Return a page as `inbox` does, with what else this operator's list shows, in one unit of work.

        Raises:
            BadPlaceError: `after` is none of ours.
        """
        async with self._database.read() as session:
            page = await self._page(session, wanted, after, limit)
            counts = await inbox_repository.counts(session, operator_id)
            names = await people_repository.names_of(session, [view.id for view in page.conversations])
        return Listed(page, counts, names)

    async def _page(
        self, session: AsyncSession, wanted: ConversationFilter, after: str | None, limit: int
    ) -> InboxPage:
        limit = max(1, min(limit, 200))
        lengths = self._windows()
        hits: dict[str, Hit] = {}
        if wanted.text.strip():
            found, following, hits = await self._search.page(
                session, wanted, windows=lengths, after=after, limit=limit
            )
        else:
            found, following = await inbox_repository.page(
                session, wanted, windows=lengths, now=self._clock.now(), after=after, limit=limit
            )
        abandoned = frozenset(view.id for view in found if self.is_abandoned(view))
        return InboxPage([self._with_sending(view) for view in found], following, hits, abandoned)

    async def counts(self, operator_id: str) -> InboxCounts:
        """Return the numbers beside the inbox's parts, as this operator sees them."""
        async with self._database.read() as session:
            return await inbox_repository.counts(session, operator_id)

    async def changed(self, ids: Sequence[str]) -> DeskChange:
        """Return conversations as they are now, with the numbers of everybody's inbox."""
        windows_now = self._windows()
        async with self._database.read() as session:
            found = await desk_repository.views(session, ids)
            failed = await inbox_repository.failed_among(session, ids)
            counts = await inbox_repository.counts_of_all(session)
            names = await people_repository.names_of(session, ids)
        closing = {view.id: inbox_repository.closing_of(view, windows_now) for view in found}
        return DeskChange(
            [self._with_sending(view) for view in found],
            frozenset(view.id for view in found if self.is_abandoned(view)),
            failed,
            {view_id: span for view_id, span in closing.items() if span is not None},
            counts,
            names,
        )

    async def open(self, conversation_id: str, *, before: int | None = None, limit: int = 200) -> Thread:
        """Return a conversation with its newest messages, and with what happened to it among them.

        Args:
            conversation_id: which one.
            before: a message's sequence: those before it, for scrolling back.
            limit: the most messages.

        Raises:
            ConversationNotFoundError: there is none.
        """
        async with self._database.read() as session:
            conversation = await repository.find(session, conversation_id)
            if conversation is None:
                raise ConversationNotFoundError
            conversation = self._with_sending(conversation)
            messages = await repository.latest(session, conversation_id, limit, before=before)
            detail = await repository.detail(session, conversation, messages)
            # What happened before the first message that is shown stands with that one.
            first = messages[0].sequence if messages and messages[0].sequence > 1 else 0
            events = await desk_repository.events(session, conversation_id, after=first, limit=_MOST_EVENTS)
            notes = await desk_repository.notes(session, conversation_id, after=first, limit=_MOST_EVENTS)
        if before is not None:
            events = [event for event in events if event.after_sequence < before]
            notes = [note for note in notes if note.after_sequence < before]
        return Thread(
            conversation=conversation,
            messages=messages,
            events=events,
            notes=notes,
            position=detail.position,
            handoff=handoff_of(conversation),
            is_abandoned=self.is_abandoned(conversation),
        )

    async def history(self, conversation_id: str, *, after: int = 0, limit: int = 200) -> list[MessageView]:
        """Return messages after a sequence, oldest first."""
        async with self._database.read() as session:
            return await repository.history(session, conversation_id, after=after, limit=limit)

    async def mark_read(self, conversation_id: str, operator_id: str) -> None:
        """Note that whoever holds the conversation has read it; others change nothing."""
        async with self._database.write() as session:
            row = await repository.lock(session, conversation_id)
            if row is None or row["assigned_to"] != operator_id or row["unread"] == 0:
                return
            await repository.change_conversation(session, conversation_id, unread=0)
        await self._events.publish(DESK, type="read", conversation=conversation_id)

    async def reply(
        self,
        conversation_id: str,
        operator_id: str,
        text: str,
        *,
        key: str,
        attachments: Sequence[Attachment] = (),
    ) -> MessageView:
        """Write to the citizen; the same `key` writes once, whatever the network does to the click.

        Args:
            conversation_id: the conversation, held by the operator.
            operator_id: who writes.
            text: what is said; may be empty with pictures or files.
            key: idempotency key, made by the page for each click; at most 80 characters.
            attachments: pictures and files as `Media.attach(files_of(operator_id), …)` returned them.

        Raises:
            InvalidReplyError: there is nothing to send, it is too long, or the key is.
            ConversationNotFoundError, NotHeldError, HeldByOtherError: nothing was written.
        """
        said = _checked(text, key, attachments)
        own_key = f"operator:{key}"
        async with self._database.write() as session:
            row = await self._locked(session, conversation_id)
            known = await repository.find_by_key(session, conversation_id, own_key)
            if known is not None:
                return known
            check_holder(row, operator_id)
            rows = await self._say(
                session,
                row,
                BotMessage(text=said, attachments=tuple(attachments)),
                author="operator",
                author_id=operator_id,
                key=own_key,
                unread=0,
                waiting_since=None,
                silent_since=None,
                queue_told_at=None,
            )
            view = await repository.get_message(session, rows[0]["id"])
        self._outbox.kick(conversation_id)
        await self._events.publish(DESK, type="message", conversation=conversation_id)
        assert view is not None
        return view

    async def tell_waiting(self) -> int:
        """Tell everybody who has waited for a minute where they stand, once; return how many were told."""
        now = self._clock.now()
        async with self._database.read() as session:
            waiting = await desk_repository.waiting_untold(session, now - _TOLD_AFTER, _TOLD_AT_ONCE)
        for conversation_id in waiting:
            async with self._database.write() as session:
                row = await repository.lock(session, conversation_id)
                if row is None or row["owner"] != "queue" or row["queue_told_at"] is not None:
                    continue
                position = await repository.queue_position(
                    session, row["waiting_since"], urgent=row["urgent"]
                )
                # Being told is no activity of the conversation's own, but it is what is shown last.
                await say_in(
                    session,
                    row,
                    (queue_message(position, self._waits.sentence()),),
                    author="system",
                    key=f"waiting:{new_id()}",
                    able=self._outbox.capabilities(row["channel"]),
                    now=now,
                    queue_told_at=now,
                )
            self._outbox.kick(conversation_id)
        return len(waiting)

    def _with_sending(self, view: ConversationView) -> ConversationView:
        able = self._outbox.capabilities(view.channel)
        return replace(view, sending=windows.sending(view, able, self._clock.now()))

    async def keep_house(self) -> None:
        """Do what time asks for: tell those who wait, put back what nobody sees to."""
        await self.tell_waiting()
        await self.return_silent()


def handoff_of(conversation: ConversationView) -> Handoff | None:
    """Return the record of the hand-over a conversation waits for, or was taken after."""
    record = conversation.handoff
    if record is None:
        return None
    fields: dict[str, Any] = {name: record.get(name) for name in _HANDOFF}
    return Handoff(
        **{
            **fields,
            "entries": tuple(Entry(item["code"], item["title"]) for item in record.get("entries", ())),
            "at": datetime.fromisoformat(record["at"]),
        }
    )


_HANDOFF = tuple(Handoff.__dataclass_fields__)


def _checked(text: str, key: str, attachments: Sequence[Attachment]) -> str:
    try:
        said = clean_text(text)
    except ValueError as error:
        raise InvalidReplyError from error
    if not said and not attachments:
        raise InvalidReplyError
    if len(said) > MAX_TEXT or len(attachments) > _MOST_FILES or not 1 <= len(key) <= _LONGEST_KEY:
        raise InvalidReplyError
    return said
