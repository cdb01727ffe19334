"""What all open desks are told as it happens: looked up, counted and rendered once in the process.

What happens within a moment is told together. A row of the list is rendered twice at the most: for whoever
holds the conversation, and for everybody else. Who is told is asked of the database each time, with one query
for all pages: nobody receives a row after the log-in has ended or the right to see conversations is gone.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime
from typing import Any

import structlog

from accounts.access import Action, may
from api.routers.console import opened, shown
from api.services import Services
from api.templating import part
from conversations.desk.ownership import operator_topic
from conversations.desk.schemas import DeskChange
from conversations.events import DESK, Event
from conversations.schemas import ConversationView
from conversations.tasks import end_tasks

log = structlog.get_logger(__name__)

PERIOD_SECONDS = 0.2
"""Time between two looks at what has changed."""
_GATHER_SECONDS = 0.03
_AGAIN_SECONDS = 1.0
_MOST_AT_ONCE = 100
_NOTES_KEPT = 50

READY = b"retry: 2000\n\nevent: ready\ndata: {}\n\n"
"""The page is told of everything that happens from now on."""
_ALIVE = b"event: alive\ndata: {}\n\n"
_GAP = b"event: gap\ndata: {}\n\n"


class Screen:
    """One open page: what it has still to be told."""

    def __init__(self, user_id: str, token: str) -> None:
        self.user_id = user_id
        self.token = token
        self._notes: list[bytes] = []
        self._has_some = asyncio.Event()
        self._is_over = False

    async def next(self) -> bytes | None:
        """Return what is to be told next, as soon as there is something; None: the log-in has ended."""
        await self._has_some.wait()
        if self._is_over:
            return None
        notes, self._notes = self._notes, []
        self._has_some.clear()
        return b"".join(notes)

    def tell(self, note: bytes) -> None:
        """Add a note. A page that reads too slowly is told of a gap instead, and asks for everything anew."""
        if len(self._notes) == _NOTES_KEPT:
            self._notes = [_GAP]
        self._notes.append(note)
        self._has_some.set()

    def tell_own(self, event: Event) -> None:
        """Add what concerns this person alone."""
        self.tell(_note("mine", {key: event.get(key) for key in ("type", "conversation")}))

    def end(self) -> None:
        """Tell nothing more."""
        self._is_over = True
        self._has_some.set()


class DeskFeed:
    """Tells all open pages of this process; works only while there are any.

    Args:
        services: the process's parts.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self._screens: set[Screen] = set()
        self._changed: dict[str, None] = {}
        self._presence: dict[str, None] = {}
        self._has_gap = False
        self._woken = asyncio.Event()
        self._listening = ExitStack()
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, user_id: str, token: str) -> AsyncIterator[Screen]:
        """Yield a page that is told from now on; `token` is the cookie's of its log-in."""
        screen = Screen(user_id, token)
        events = self._services.events
        if self._task is None:
            self._listening.enter_context(events.taking(DESK, self._take))
            self._task = asyncio.create_task(self._work(), name="desk-feed")
        self._screens.add(screen)
        try:
            with events.taking(operator_topic(user_id), screen.tell_own):
                yield screen
        finally:
            self._screens.discard(screen)
            if not self._screens:
                self._rest()

    async def stop(self) -> None:
        """Stop; it begins anew with the next page."""
        task = self._rest()
        if task is not None:
            await end_tasks([task])

    def _rest(self) -> asyncio.Task[None] | None:
        # Nothing is waited for here: the page that goes last may be gone because its task was cancelled.
        self._listening.close()
        self._changed.clear()
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
        return task

    def _take(self, event: Event) -> None:
        conversation = event.get("conversation")
        if event.get("type") == "gap":
            self._has_gap = True
        elif event.get("type") == "presence":
            self._presence[str(conversation)] = None
        elif conversation:
            self._changed[str(conversation)] = None
        self._woken.set()

    async def _work(self) -> None:
        me = asyncio.current_task()
        while self._task is me:
            try:
                async with asyncio.timeout(self._services.settings.event_heartbeat):
                    await self._woken.wait()
                await asyncio.sleep(_GATHER_SECONDS)
            except TimeoutError:
                pass  # silence is told too
            self._woken.clear()
            pause = PERIOD_SECONDS
            try:
                await self._tell()
            except Exception as error:
                # Mostly the database is away for a moment: what has changed is told when it is back.
                log.warning("desk_feed_failed", error=type(error).__name__)
                self._woken.set()
                pause = _AGAIN_SECONDS
            await asyncio.sleep(pause)

    async def _tell(self) -> None:
        screens = list(self._screens)
        changed = list(self._changed)[:_MOST_AT_ONCE]
        presence, self._presence = list(self._presence), {}
        has_gap, self._has_gap = self._has_gap, False
        for conversation_id in changed:
            del self._changed[conversation_id]
        if self._changed:
            self._woken.set()
        try:
            living = await self._still_there(screens)
            news = await self._news(changed) if changed else None
        except BaseException:
            self._changed = dict.fromkeys([*changed, *self._changed])
            self._has_gap |= has_gap
            raise
        beside = _note("presence", {"conversations": presence}) if presence else b""
        beside += _GAP if has_gap else b""
        for screen in living:
            told = beside + (news.for_screen(screen.user_id) if news else b"")
            screen.tell(told or _ALIVE)

    async def _still_there(self, screens: Iterable[Screen]) -> list[Screen]:
        """Return the pages whose log-in stands and may see conversations; end the others."""
        known = list(screens)
        users = await self._services.accounts.logged_in({screen.token for screen in known})
        living = []
        for screen in known:
            user = users.get(screen.token)
            if user is not None and user.id == screen.user_id and may(user, Action.SEE_CONVERSATIONS):
                living.append(screen)
            else:
                screen.end()
        return living

    async def _news(self, changed: list[str]) -> News:
        services = self._services
        change = await services.desk.changed(changed)
        holders = (one.assigned_to for one in change.conversations)
        names = await opened.names_of(services, holders)
        return News(changed, change, names, services.clock.now())


class News:
    """What has changed, ready to be told to any page.

    Args:
        changed: ids of the conversations something has happened to.
        change: how they are now.
        names: of colleagues, by user id.
        now: the time.
    """

    def __init__(
        self,
        changed: list[str],
        change: DeskChange,
        names: dict[str, str],
        now: datetime,
    ) -> None:
        self._change = change
        self._names = names
        self._now = now
        gone = dict.fromkeys(changed)
        self._held: dict[str, dict[str, str]] = defaultdict(dict)
        for one in change.conversations:
            gone.pop(one.id)
            if one.owner == "person" and one.assigned_to is not None:
                self._held[one.assigned_to][one.id] = self._row(one, one.assigned_to)
        self._rows = {one.id: self._row(one, "") for one in change.conversations}
        self._rows |= {
            conversation_id: _json({"id": conversation_id, "html": ""}) for conversation_id in gone
        }

    def for_screen(self, user_id: str) -> bytes:
        """Return the note for somebody's page."""
        mine, unread = self._change.counts.held.get(user_id, (0, 0))
        counts = {"Waiting": self._change.counts.queue, "Mine": mine, "Unread": unread}
        rows = ",".join((self._rows | self._held.get(user_id, {})).values())
        return f'event: changed\ndata: {{"counts":{_json(counts)},"rows":[{rows}]}}\n\n'.encode()

    def _row(self, one: ConversationView, viewer: str) -> str:
        """Return a row as it is shown, with what the list's filters look at, as JSON."""
        closing = self._change.closing.get(one.id)
        item = shown.item_of(
            one, viewer, self._names, self._change.names, is_abandoned=one.id in self._change.abandoned
        )
        html = part(
            "console/_item.html",
            item=item,
            wanted=shown.Wanted(),
            opened="",
            short_time=lambda instant: shown.short_time(instant, self._now),
        )
        row = {
            "id": one.id,
            "html": html,
            "owner": one.owner,
            "isMine": one.owner == "person" and one.assigned_to == viewer,
            "channel": one.channel,
            "urgent": one.urgent,
            "unread": one.unread > 0,
            "failed": one.id in self._change.failed,
            "closing": [int(instant.timestamp() * 1000) for instant in closing] if closing else None,
        }
        return _json(row)


def feed_of(services: Services) -> DeskFeed:
    """Return the process's feed, made when the first page opens."""
    if services.desk_feed is None:
        services.desk_feed = DeskFeed(services)
    return services.desk_feed


def _note(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {_json(data)}\n\n".encode()


def _json(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
