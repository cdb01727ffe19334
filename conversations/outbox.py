"""Sends what is written: in order within a conversation, until the provider has taken it or never will.

Rows are written by whoever answers, in the transaction that closes the question. Here they are claimed,
handed to the channel's connector and marked with what it said. A crash between sending and marking sends
again: rows keep their id, so that a channel that can tell shows nothing twice. Such a channel needs no claim,
and its rows are marked many at a time.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol

import structlog

from conversations import repository, watch
from conversations.claims import ClaimNames
from conversations.repository import Row
from conversations.schemas import Button, Capabilities, OutboundMessage, SendResult
from conversations.tasks import end_tasks
from database.clock import Clock
from database.engine import STORAGE_DOWN, Database

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
_SEND_SECONDS = 15.0
_BATCH = 20
_MOST_ATTEMPTS = 12
_FIRST_PAUSE = 2.0
_LONGEST_PAUSE = 600.0
_SWEEP_SECONDS = 1.0
_LATE = timedelta(seconds=1)
_MARK_SECONDS = 0.2


class Channel(Protocol):
    """The way to the citizens of one channel; `connectors.base.Connector` describes it in full."""

    name: str
    capabilities: Capabilities

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand one message to the provider and return what it said."""
        ...


def pause_after(attempts: int) -> float:
    """Return seconds until the next try: doubling, with jitter so that not everybody comes back at once."""
    longest: float = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0 ** (attempts - 1))
    return longest * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to send what is about to be written.

    Attributes:
        claim: the conversation's send claim; None for a channel that needs none.
        changes: what the writer sets on the conversation in the same unit of work.
    """

    claim: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)


class Outbox:
    """Sends outbound rows.

    Args:
        database: where the rows are.
        clock: tells when a row is due.
        channels: connectors by channel name.
        claims: names for this process's claims.
    """

    def __init__(
        self, database: Database, clock: Clock, channels: Mapping[str, Channel], claims: ClaimNames
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._claims = claims
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._shown: list[str] = []
        self._marking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look for rows that wait: left by a crash, or due again after a failure."""
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="outbox-sweeper")

    async def stop(self, *, patience: float = 5.0) -> None:
        """Stop looking, and let what is under way finish."""
        if self._sweeper is not None:
            await end_tasks([self._sweeper])
            self._sweeper = None
        if self._tasks:
            _done, late = await asyncio.wait(list(self._tasks), timeout=patience)
            await end_tasks(late)
        await self._mark_now()

    async def settle(self) -> None:
        """Wait until nothing is being sent."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        await self._mark_now()

    def capabilities(self, channel: str) -> Capabilities:
        """Return what a channel can show; an unknown one gets plain short texts."""
        connector = self._channels.get(channel)
        return connector.capabilities if connector else Capabilities(max_text=1_000, buttons=False)

    def begin(self, conversation: Row, now: datetime) -> Delivery | None:
        """Return the right to send in a locked conversation; None while somebody else sends there."""
        if self.capabilities(conversation["channel"]).repeatable:
            return Delivery()
        if conversation["send_until"] is not None and conversation["send_until"] >= now:
            return None
        claim = self._claims.new()
        return Delivery(claim, {"send_claim": claim, "send_until": now + LEASE})

    def kick(self, conversation_id: str) -> None:
        """Send what is due in a conversation, soon and in the background."""
        self._spawn(self.drain(conversation_id), conversation_id)

    def deliver_soon(self, conversation: Row, rows: Sequence[Row], delivery: Delivery) -> None:
        """Send, in the background, rows that were written in the unit of work that took `delivery`."""
        if delivery.claim is None:
            work = self._show(conversation, rows)
        else:
            work = self._deliver(conversation, rows, delivery.claim)
        self._spawn(work, str(conversation["id"]))

    async def drain(self, conversation_id: str) -> None:
        """Send everything that is due in a conversation, unless somebody else is doing so."""
        claim = self._claims.new()
        now = self._clock.now()
        async with self._database.write() as session:
            conversation = await repository.claim_send(session, conversation_id, claim, now, now + LEASE)
            if conversation is None:
                return
            rows = await repository.pending(session, conversation_id, _BATCH)
        await self._deliver(conversation, rows, claim)

    async def sweep(self) -> int:
        """Send what was left lying; return in how many conversations."""
        now = self._clock.now()
        async with self._database.read() as session:
            waiting = await repository.unclaimed_sends(session, now - _LATE, now, 100)
        busy = set(self._tasks.values())
        for conversation_id in waiting:
            if conversation_id not in busy:
                self.kick(conversation_id)
        return len(waiting)

    def _spawn(self, work: Any, conversation_id: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks[task] = conversation_id
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim runs out and the sweeper tries again.
            log.error("outbox_failed", error=repr(type(error)), exc_info=error)

    async def _show(self, conversation: Row, rows: Sequence[Row]) -> None:
        """Send by a channel that shows a repeat only once; what it does not take the sweeper sends again."""
        connector = self._channels[conversation["channel"]]
        for row in rows:
            if (await self._send(connector, conversation, row)).status == "accepted":
                self._shown.append(row["id"])
        if self._shown and self._marking is None:
            self._marking = asyncio.create_task(self._mark_later(), name="outbox-marks")

    async def _mark_later(self) -> None:
        await asyncio.sleep(_MARK_SECONDS)
        self._marking = None
        await self._mark_shown()

    async def _mark_now(self) -> None:
        if self._marking is not None:
            await end_tasks([self._marking])
            self._marking = None
        await self._mark_shown()

    async def _mark_shown(self) -> None:
        shown, self._shown = self._shown, []
        if not shown:
            return
        try:
            async with self._database.write(durable=False) as session:
                await repository.mark_sent(session, shown, self._clock.now())
        except STORAGE_DOWN as error:
            # They stay as they are: the sweeper sends them again, and each is shown once.
            log.warning("not_marked", count=len(shown), error=type(error).__name__)

    async def _deliver(self, conversation: Row, rows: Sequence[Row], claim: str) -> None:
        todo: Sequence[Row] | None = rows
        while todo:
            todo = await self._send_in_order(conversation, todo, claim)

    async def _send_in_order(self, conversation: Row, rows: Sequence[Row], claim: str) -> list[Row] | None:
        """Send rows until one has to wait; return what to send next, None when the claim is given up."""
        connector = self._channels.get(conversation["channel"])
        results: list[tuple[Row, SendResult]] = []
        for number, row in enumerate(rows, 1):
            due = row.get("next_attempt_at")
            if due is not None and due > self._clock.now():
                break
            result = await self._send(connector, conversation, row)
            results.append((row, result))
            is_last = number == len(rows) or result.status == "transient"
            together = connector is not None and connector.capabilities.repeatable
            if not is_last and not together:
                if not await self._record(conversation["id"], results, claim, keep=True):
                    return None
                results = []
            if result.status == "transient":
                break
        return await self._record_and_look(conversation["id"], results, claim)

    @watch.sending
    async def _send(self, connector: Channel | None, conversation: Row, row: Row) -> SendResult:
        if connector is None:
            return SendResult.transient("no_connector")
        payload = row["payload"] or {}
        message = OutboundMessage(
            id=row["id"],
            conversation_id=row["conversation_id"],
            channel=row["channel"],
            external_user_id=conversation["external_user_id"],
            sequence=row["sequence"],
            text=row["text"],
            buttons=tuple(Button(**button) for button in payload.get("buttons", ())),
            author=row["author"],
            attempt=row["attempts"] + 1,
            created_at=row["created_at"],
            route=(row["turn"] or {}).get("route"),
        )
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                return await connector.send(message)
        except TimeoutError:
            return SendResult.transient("timeout")
        except Exception as error:
            # A connector's mistake must not lose the message or stop the others.
            log.exception("connector_failed", channel=connector.name, message_id=row["id"])
            return SendResult.transient(type(error).__name__)

    async def _record(
        self, conversation_id: str, results: Sequence[tuple[Row, SendResult]], claim: str, *, keep: bool
    ) -> bool:
        now = self._clock.now()
        async with self._database.write() as session:
            until = now + LEASE if keep else None
            is_ours = await repository.holds_send(session, conversation_id, claim, until)
            # What the provider took is recorded also when the claim has run out meanwhile.
            await self._mark(session, results)
        return is_ours

    async def _record_and_look(
        self, conversation_id: str, results: Sequence[tuple[Row, SendResult]], claim: str
    ) -> list[Row] | None:
        now = self._clock.now()
        async with self._database.write() as session:
            # Giving up the claim first locks the row: whoever writes the next message sees it free.
            is_ours = await repository.holds_send(session, conversation_id, claim, None)
            await self._mark(session, results)
            if not is_ours:
                return None
            rows = await repository.pending(session, conversation_id, _BATCH)
            if not rows or _waits(rows[0], now):
                return None
            await repository.change_conversation(
                session, conversation_id, send_claim=claim, send_until=now + LEASE
            )
        return rows

    async def _mark(self, session: Any, results: Sequence[tuple[Row, SendResult]]) -> None:
        now = self._clock.now()
        plain = [row for row, result in results if result.status == "accepted" and result.provider_id is None]
        if plain:
            await repository.mark_sent(session, [row["id"] for row in plain], now)
        for row, result in results:
            attempts = row["attempts"] + 1
            if result.status == "accepted":
                if result.provider_id is None:
                    continue
                changes: dict[str, Any] = {
                    "state": "sent",
                    "handled_at": now,
                    "provider_message_id": result.provider_id,
                    "error": None,
                }
            elif result.status == "permanent" or attempts >= _MOST_ATTEMPTS:
                watch.given_up("out")
                log.warning("send_failed", message_id=row["id"], error=result.error, attempts=attempts)
                changes = {"state": "failed", "handled_at": now, "error": (result.error or "")[:300]}
            else:
                pause = timedelta(seconds=pause_after(attempts))
                changes = {"next_attempt_at": now + pause, "error": (result.error or "")[:300]}
            await repository.change_messages(session, [row["id"]], attempts=attempts, **changes)

    async def _sweep_for_ever(self) -> None:
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            try:
                await self.sweep()
            except Exception as error:
                log.warning("outbox_sweep_failed", error=type(error).__name__)


def _waits(row: Row, now: Any) -> bool:
    due = row["next_attempt_at"]
    return due is not None and due > now
