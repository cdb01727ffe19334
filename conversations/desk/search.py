"""Finds conversations by what was said in them, by names, telephone numbers and codes; marks do not matter.

The index grows behind the messages, in small batches in the background: writing a message costs nothing for
it, and what was missed is caught up. What is withdrawn or erased leaves it in the same transaction; until
that is done it is passed over, so that the words do not come back.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from conversations.desk import search_repository as repository
from conversations.desk.errors import BadPlaceError
from conversations.desk.inbox_repository import conditions
from conversations.desk.schemas import Hit
from conversations.desk.snippets import snippet
from conversations.desk.words import indexed_words, wanted_words
from conversations.schemas import ConversationFilter, ConversationView
from conversations.tasks import end_tasks
from database.clock import Clock
from database.engine import Database
from tickets.codes import shown

log = structlog.get_logger(__name__)

_BEGINNING = datetime(2020, 1, 1, tzinfo=UTC)
_OVERLAP = timedelta(minutes=10)
"""Clocks of several processes differ, and a transaction may end long after the time it wrote."""

_BATCH_CONVERSATIONS = 50
_BATCH_MESSAGES = 200
_BATCH_TICKETS = 100
_PAUSE_SECONDS = 2.0
_BUSY_PAUSE_SECONDS = 0.02
_LOOKED_AT = 4
"""Documents looked at for each conversation wanted: several messages of one may have the words."""


class Search:
    """The index of words.

    Args:
        database: where it is.
        clock: the time.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to follow what is said."""
        if self._task is None:
            self._task = asyncio.create_task(self._follow(), name="search-index")

    async def stop(self) -> None:
        """Stop following."""
        if self._task is not None:
            await end_tasks([self._task])
            self._task = None

    async def page(
        self,
        session: AsyncSession,
        wanted: ConversationFilter,
        *,
        windows: Mapping[str, timedelta],
        after: str | None,
        limit: int,
    ) -> tuple[list[ConversationView], str | None, dict[str, Hit]]:
        """Return conversations that have the words, the newest hit first, where to go on, and the hits.

        Raises:
            BadPlaceError: `after` is none of ours.
        """
        asked = wanted_words(wanted.text)
        if asked.is_empty:
            return [], None, {}
        met = conditions(wanted, windows, self._clock.now())
        most = _LOOKED_AT * limit
        are_few = wanted.owner in ("queue", "person") or bool(
            wanted.urgent or wanted.unread or wanted.has_failed or wanted.window_closing
        )
        rows = await repository.find(session, asked, met, are_few=are_few, before=_place(after), limit=most)
        found: dict[str, ConversationView] = {}
        first: dict[str, tuple[str, str]] = {}
        following = str(rows[-1][0]) if len(rows) == most else None
        for number, kind, ref, view in rows:
            if view.id not in found and len(found) == limit:
                following = str(number + 1)
                break
            found.setdefault(view.id, view)
            first.setdefault(view.id, (kind, ref))
        return list(found.values()), following, await self._hits(session, first, wanted.text)

    async def catch_up(self) -> int:
        """Put everything into the index that is not there yet; return how many documents that were."""
        total = 0
        while True:
            done = await self.index_some()
            total += done
            if not done:
                return total

    async def index_some(self) -> int:
        """Put one batch into the index; return how many documents it had."""
        return await self._index_messages() + await self._index_tickets()

    async def _index_messages(self) -> int:
        now = self._clock.now()
        async with self._database.write(durable=False) as session:
            until = await repository.lock_progress(session, "messages", _BEGINNING)
            if until is None:
                return 0
            rows = await repository.behind(session, until, _BATCH_CONVERSATIONS)
            behind_ids = [row["id"] for row in rows]
            unsearched = await repository.unsearched(session, behind_ids, _BATCH_MESSAGES) if rows else []
            texts = await repository.still_there(session, [message["id"] for message in unsearched])
            messages: list[Any] = []
            for _conversation, its in itertools.groupby(unsearched, itemgetter("conversation_id")):
                # Up to the first that is just being changed: that one and what follows have their turn later.
                messages += itertools.takewhile(lambda each: each["id"] in texts, its)
            reached = {message["conversation_id"]: message["sequence"] for message in messages}
            # What is found comes in the order of the index.
            documents = [
                _document("message", message["id"], message["conversation_id"], texts[message["id"]])
                for message in sorted(messages, key=itemgetter("created_at"))
            ]
            await repository.add(session, [each for each in documents if each["words"]])
            await repository.set_searched(session, reached)
            behind = rows[0]["last_activity_at"] if rows else now
            await repository.set_progress(session, "messages", max(until, min(behind, now - _OVERLAP)))
        return len(documents)

    async def _index_tickets(self) -> int:
        now = self._clock.now()
        async with self._database.write(durable=False) as session:
            until = await repository.lock_progress(session, "tickets", _BEGINNING)
            if until is None:
                return 0
            rows = await repository.tickets_since(session, until, _BATCH_TICKETS)
            documents = [
                _document(
                    "ticket",
                    row["id"],
                    row["conversation_id"],
                    " ".join(
                        [shown(row["code"]), row["code"]]
                        + [str(row[name] or "") for name in ("name", "phone", "content", "place")]
                    ),
                )
                for row in await repository.tickets_still_there(session, [row["id"] for row in rows])
            ]
            await repository.add(session, documents)
            behind = rows[0]["opened_at"] if rows else now
            await repository.set_progress(session, "tickets", max(until, min(behind, now - _OVERLAP)))
        return len(documents)

    async def _hits(
        self, session: AsyncSession, first: Mapping[str, tuple[str, str]], text: str
    ) -> dict[str, Hit]:
        said = await repository.texts(session, [ref for kind, ref in first.values() if kind == "message"])
        lines = await repository.ticket_lines(
            session, [ref for kind, ref in first.values() if kind == "ticket"]
        )
        hits: dict[str, Hit] = {}
        for conversation_id, (kind, ref) in first.items():
            if kind == "message" and ref in said:
                sequence, whole = said[ref]
                hits[conversation_id] = Hit("message", ref, snippet(whole, text), sequence)
            elif kind == "ticket" and ref in lines:
                hits[conversation_id] = Hit("ticket", ref, snippet(lines[ref], text), 0)
            elif kind == "contact":
                hits[conversation_id] = Hit("contact", ref, "", 0)
        return hits

    async def _follow(self) -> None:
        while True:
            try:
                done = await self.index_some()
            except Exception as error:
                log.warning("search_index_failed", error=type(error).__name__)
                done = 0
            await asyncio.sleep(_BUSY_PAUSE_SECONDS if done >= _BATCH_TICKETS else _PAUSE_SECONDS)


def _document(kind: str, ref: str, conversation_id: str, text: str) -> dict[str, Any]:
    return {"kind": kind, "ref": ref, "conversation_id": conversation_id, "words": indexed_words(text)}


def _place(after: str | None) -> int | None:
    if after is None:
        return None
    if not after.isdecimal() or len(after) > 18:
        raise BadPlaceError
    return int(after)
