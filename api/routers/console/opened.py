"""What the desk's pages and their parts are made of: the list, and one conversation as it is now."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable
from typing import Any

from fastapi import Response

from accounts.schemas import SessionInfo
from api.routers.console import shown
from api.routers.console.shown import Wanted
from api.routers.console.timeline import timeline
from api.services import Services
from api.templating import page
from conversations.desk.schemas import Thread
from conversations.schemas import MAX_TEXT
from vntext.catalogue import lookup

_FIRST_LOOK = 60
_MOST_SHOWN = 400
_PAGE = 40
_SHORTEST = 10


async def names_of(services: Services, ids: Iterable[str | None]) -> dict[str, str]:
    """Return the names of colleagues by id; who is none of them is left out."""
    wanted = sorted({one for one in ids if one})
    return {user.id: user.name for user in await services.accounts.find_users(wanted)} if wanted else {}


async def list_context(
    services: Services,
    session: SessionInfo,
    wanted: Wanted,
    *,
    after: str | None = None,
    count: int = _PAGE,
    opened: str = "",
) -> dict[str, Any]:
    """Return what the list's template shows.

    Args:
        services: the process's parts.
        session: who looks at it.
        wanted: which list.
        after: the place the page before ended at.
        count: how many conversations are on the page already, when it is asked for anew.
        opened: the conversation that is open.
    """
    user = session.user
    found = await services.desk.listed(wanted.as_filter(user), user.id, after=after, limit=max(count, _PAGE))
    # Who sees what is their own knows the name.
    holders = {one.assigned_to for one in found.page.conversations} - {user.id}
    names = await names_of(services, holders)
    now = services.clock.now()
    return {
        "page": shown.list_page(found.page, found.counts, user, names, found.names, wanted.q),
        "wanted": wanted,
        "opened": opened,
        "channels": tuple(lookup("console.channel")),
        "short_time": lambda instant: shown.short_time(instant, now),
    }


async def thread_context(
    services: Services, session: SessionInfo, conversation_id: str, *, first: int = 0
) -> dict[str, Any]:
    """Return what a conversation's template shows.

    Args:
        services: the process's parts.
        session: who looks at it.
        conversation_id: which one.
        first: the sequence of the first message the page has already; 0: as it is opened.

    Raises:
        ConversationNotFoundError: there is none.
    """
    thread = await services.desk.open(conversation_id, limit=_MOST_SHOWN if first else _FIRST_LOOK)
    if not first:
        first = _first_of_session(thread)
    return await _context(services, session, thread, first=first)


async def older_context(
    services: Services, session: SessionInfo, conversation_id: str, before: int
) -> dict[str, Any]:
    """Return the same of what was said before a message.

    Raises:
        ConversationNotFoundError: there is none.
    """
    thread = await services.desk.open(conversation_id, before=before, limit=_FIRST_LOOK)
    return await _context(services, session, thread, first=0)


async def thread_part(
    services: Services, session: SessionInfo, conversation_id: str, *, first: int
) -> Response:
    """Answer with a conversation as it is now."""
    return page(
        "console/_thread.html", **await thread_context(services, session, conversation_id, first=first)
    )


async def panel_context(services: Services, session: SessionInfo, conversation_id: str) -> dict[str, Any]:
    """Return what the template of an opened conversation shows: what was said, and where one writes."""
    context = await thread_context(services, session, conversation_id)
    return {**context, "text_limit": MAX_TEXT}


def frame_context(services: Services, session: SessionInfo) -> dict[str, Any]:
    """Return what the desk's page itself needs: the clock, and the key of this person's drafts."""
    return {
        "now": services.clock.now().isoformat(),
        "beat": services.settings.event_heartbeat,
        "draft_key": draft_key(services.secret, session.user.id),
        "text_limit": MAX_TEXT,
    }


def draft_key(secret: str, user_id: str) -> str:
    """Return the key with which a browser encrypts one person's drafts: 256 bits, in base64."""
    digest = hmac.new(secret.encode(), f"drafts:{user_id}".encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _first_of_session(thread: Thread) -> int:
    """Return where to begin: with this stretch of talk, and never with less than some lines."""
    messages = thread.messages
    current = [message for message in messages if message.session == thread.conversation.session]
    begin = messages[-_SHORTEST:][:1] + current[:1]
    return min((message.sequence for message in begin), default=0)


async def _context(services: Services, session: SessionInfo, thread: Thread, *, first: int) -> dict[str, Any]:
    conversation = thread.conversation
    messages = [message for message in thread.messages if message.sequence >= first]
    if first > 1:
        events = [event for event in thread.events if event.after_sequence >= first]
        notes = [note for note in thread.notes if note.after_sequence >= first]
    else:
        events, notes = thread.events, thread.notes
    writers = {message.author_id for message in messages} | {note.author_id for note in notes}
    names = await names_of(services, writers | {event.actor for event in events} | {conversation.assigned_to})
    people = await services.core.people.names([conversation.id])
    begins = messages[0].sequence if messages else first
    return {
        "conversation": conversation,
        "head": shown.head_of(thread, session.user, names, people),
        "lines": timeline(messages, events, notes, names),
        "first": begins,
        "has_older": begins > 1,
        "clock_time": shown.clock_time,
        "user": session.user,
    }
