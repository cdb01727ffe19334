"""Sends what is written: in order within a conversation, until the provider has taken it or never will.

Rows are written by whoever answers, in the transaction that closes the question. Here they are claimed,
handed to the channel's connector and marked with what it said. A channel that shows a repeat only once
(`repeatable`) needs no claim, and its rows are marked many at a time.

With the others a crash between the provider's yes and our mark leaves it open whether a message has gone out.
Where the provider tells us what was sent from our account (`echoes`) such a message waits some seconds for
its echo before it is sent again (`free`), and anew when a process starts (`wait_anew`): while we were away
nobody could tell us. The echo settles it by our id or by its text (`intake`). What remains: an echo that
comes later than that, or never, and the citizen reads one message twice.

While a provider is down, limits us or refuses our credentials, its channel's switch (`circuit`) is open:
rows wait untouched, one at a time asks, and with its first answer everything goes.
"""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog

from conversations import repository, sending_repository, watch, windows
from conversations.channel import Channel, Delivery, ShowsTyping, show_typing
from conversations.circuit import ChannelObserver, Circuit, Nobody
from conversations.claims import ClaimNames
from conversations.courtesy import Courtesy
from conversations.outgoing import FindFile, no_files, outgoing
from conversations.reasons import moved_to
from conversations.recording import Tried, pause_after, record
from conversations.repository import Row
from conversations.rerouting import People, Rerouting
from conversations.schemas import Capabilities, OutboundMessage, SendResult
from conversations.shown import Shown
from conversations.tasks import end_tasks
from conversations.unstored import Unstored
from database.clock import Clock
from database.engine import Database

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=30)
_SEND_SECONDS = 15.0
_BATCH = 20
_MOST_ATTEMPTS = 12
_SWEEP_SECONDS = 1.0
_LATE = timedelta(seconds=1)
_AT_ONCE = 16
_LONGEST_WAIT_FOR_PLACE = 5.0
_DRAINED_AT_ONCE = 200
_UNKNOWN = ("timeout", "connection")
"""Codes of sends that broke off: the provider may have taken the message all the same."""
ECHO_PATIENCE = timedelta(seconds=30)
"""How long a message in doubt waits for its echo."""


class Outbox:
    """Sends outbound rows.

    Args:
        database: where the rows are.
        clock: tells when a row is due.
        channels: connectors by channel name.
        claims: names for this process's claims.
        people: who knows a person's other conversations.
        find_file: finds the files that go with a message.
        observer: keeps count of what passes.
        echo_patience: how long a message in doubt waits for its echo.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        channels: Mapping[str, Channel],
        claims: ClaimNames,
        people: People,
        *,
        find_file: FindFile = no_files,
        observer: ChannelObserver | None = None,
        echo_patience: timedelta = ECHO_PATIENCE,
    ) -> None:
        self._database = database
        self._clock = clock
        self._channels = channels
        self._claims = claims
        self._find_file = find_file
        self._rerouting = Rerouting(database, clock, people, self.capabilities)
        self._observer: ChannelObserver = observer or Nobody()
        self._echo_patience = echo_patience
        self._circuits: dict[str, Circuit] = {}
        self._places: defaultdict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(_AT_ONCE))
        self._tasks: dict[asyncio.Task[None], str] = {}
        self._sweeper: asyncio.Task[None] | None = None
        self._courtesy = Courtesy()
        self._shown = Shown(database, clock)
        self._unstored = Unstored()

    def start(self) -> None:
        """Begin to look for rows that wait: left by a crash, or due again after a failure."""
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_for_ever(), name="outbox-sweeper")

    async def stop(self, *, patience: float = 5.0) -> None:
        """Stop looking, and let what is under way finish."""
        if self._sweeper is not None:
            await end_tasks([self._sweeper])
            self._sweeper = None
        await self._unstored.stop()
        if self._tasks:
            _done, late = await asyncio.wait(list(self._tasks), timeout=patience)
            await end_tasks(late)
        await self._shown.mark_now()

    async def settle(self) -> None:
        """Wait until nothing is being sent."""
        while self._tasks:
            await asyncio.wait(list(self._tasks))
        await self._shown.mark_now()

    def capabilities(self, channel: str) -> Capabilities:
        """Return what a channel can show; an unknown one gets plain short texts."""
        connector = self._channels.get(channel)
        return connector.capabilities if connector else Capabilities(max_text=1_000, buttons=False)

    def circuit(self, channel: str) -> Circuit:
        """Return a channel's switch."""
        found = self._circuits.get(channel)
        if found is None:
            found = self._circuits[channel] = Circuit(channel, self._clock)
        return found

    def show_typing(self, conversation: Row) -> None:
        """Show the citizen that an answer is being written, where the channel can; never fails."""
        connector = self._channels.get(conversation["channel"])
        if (
            connector is None
            or not connector.capabilities.typing
            or not isinstance(connector, ShowsTyping)
            or not self.circuit(connector.name).is_closed
        ):
            return
        self._spawn(show_typing(connector, conversation["external_user_id"]), conversation["id"])

    def send_unstored(self, message: OutboundMessage) -> None:
        """Send what could not be stored, in the background and once: an emergency's reply."""
        connector = self._channels.get(message.channel)
        if connector is not None:
            self._unstored.send(connector, message)

    async def free(self, claims: Sequence[str]) -> None:
        """Drop the claims of those who send no more; what they may just have sent waits for its echo."""
        echoing = self._echoing()
        async with self._database.write() as session:
            if echoing:
                until = self._clock.now() + self._echo_patience
                await sending_repository.put_in_doubt(session, claims, echoing, until)
            await repository.drop_claims(session, claims)

    async def wait_anew(self) -> None:
        """Give every echo that is waited for its whole time again.

        Asked for before anything is sent, when a process starts: an echo that came while nobody was there
        comes again, the longer we were away the later.
        """
        echoing = self._echoing()
        if echoing:
            async with self._database.write() as session:
                until = self._clock.now() + self._echo_patience
                await sending_repository.prolong_doubt(session, echoing, until)

    def _echoing(self) -> list[str]:
        return [name for name, channel in self._channels.items() if channel.capabilities.echoes]

    def begin(self, conversation: Row, now: datetime) -> Delivery | None:
        """Return the right to send in a locked conversation; None while somebody else sends there."""
        if self.capabilities(conversation["channel"]).repeatable:
            return Delivery()
        if not self.circuit(conversation["channel"]).is_closed:
            return None
        if conversation["send_claim"] is not None:
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

    async def drain(self, conversation_id: str, *, is_probe: bool = False) -> None:
        """Send everything that is due in a conversation, unless somebody else is doing so."""
        claim = self._claims.new()
        now = self._clock.now()
        async with self._database.write() as session:
            conversation = await repository.claim_send(session, conversation_id, claim, now, now + LEASE)
            if conversation is None:
                return
            rows = await repository.pending(session, conversation_id, _BATCH)
        await self._deliver(conversation, rows, claim, is_probe=is_probe)

    async def sweep(self) -> int:
        """Send what was left lying; return in how many conversations.

        Of a channel whose switch is open one conversation is tried, when it is time to.
        """
        now = self._clock.now()
        async with self._database.read() as session:
            expired = await sending_repository.expired_claims(session, now)
        if expired:
            # On another machine, or the database did not answer when the provider's yes was to be noted.
            await self.free(expired)
        busy = set(self._tasks.values())
        resting = [circuit for circuit in self._circuits.values() if not circuit.is_closed]
        async with self._database.read() as session:
            waiting = await sending_repository.waiting(
                session, now - _LATE, now, 100, without=[circuit.channel for circuit in resting]
            )
            probes = {
                circuit.channel: await sending_repository.waiting(
                    session, now - _LATE, now, _DRAINED_AT_ONCE, only=circuit.channel
                )
                for circuit in resting
                if circuit.probe_is_due
            }
        for conversation_id in waiting:
            if conversation_id not in busy:
                self.kick(conversation_id)
        for channel, conversations in probes.items():
            if conversations:
                # Not always the same one: it may be the message that is wrong, not the provider.
                chosen = random.choice(conversations)  # noqa: S311 - guards nothing
                self._spawn(self._probe(self.circuit(channel), chosen), chosen)
        return len(waiting) + sum(bool(conversations) for conversations in probes.values())

    async def _probe(self, circuit: Circuit, conversation_id: str) -> None:
        circuit.is_probing = True
        try:
            await self.drain(conversation_id, is_probe=True)
        finally:
            circuit.is_probing = False

    async def _drain_channel(self, channel: str) -> None:
        """Send everything that waited for a provider which is back, some conversations at a time."""
        async with self._database.write() as session:
            await sending_repository.end_pauses(session, channel)
        tried: set[str] = set()
        while self.circuit(channel).is_closed:
            now = self._clock.now()
            async with self._database.read() as session:
                waiting = await sending_repository.waiting(session, now, now, _DRAINED_AT_ONCE, only=channel)
            todo = [conversation_id for conversation_id in waiting if conversation_id not in tried]
            if not todo:
                return
            tried.update(todo)
            for start in range(0, len(todo), _AT_ONCE):
                await asyncio.gather(*(self.drain(one) for one in todo[start : start + _AT_ONCE]))

    def _spawn(self, work: Coroutine[Any, Any, None], conversation_id: str) -> None:
        task: asyncio.Task[None] = asyncio.create_task(work)
        self._tasks[task] = conversation_id
        task.add_done_callback(self._forget)

    def _forget(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        if not task.cancelled() and (error := task.exception()) is not None:
            # The claim runs out, and the sweeper sees to it.
            log.error("outbox_failed", error=repr(type(error)), exc_info=error)

    async def _show(self, conversation: Row, rows: Sequence[Row]) -> None:
        """Send by a channel that shows a repeat only once; what it does not take the sweeper sends again."""
        connector = self._channels[conversation["channel"]]
        for row in rows:
            if (await self._send(connector, conversation, row)).status == "accepted":
                self._shown.add(row["id"])

    async def _deliver(
        self, conversation: Row, rows: Sequence[Row], claim: str, *, is_probe: bool = False
    ) -> None:
        todo: Sequence[Row] | None = rows
        connector = self._channels.get(conversation["channel"])
        if connector is None or connector.capabilities.repeatable:
            while todo:
                todo = await self._send_in_order(conversation, todo, claim)
            return
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        async with self._places[connector.name]:
            if loop.time() - asked_at > _LONGEST_WAIT_FOR_PLACE:
                # The claim may run out while we send. The sweeper, or the end of the pause, begins anew.
                todo = await self._record_and_look(conversation, [], claim, go_on=False)
            while todo:
                todo = await self._send_in_order(conversation, todo, claim, is_probe=is_probe)

    async def _send_in_order(
        self, conversation: Row, rows: Sequence[Row], claim: str, *, is_probe: bool = False
    ) -> list[Row] | None:
        """Send rows until one has to wait; return what to send next, None when the claim is given up."""
        connector = self._channels.get(conversation["channel"])
        together = connector is not None and connector.capabilities.repeatable
        circuit = self.circuit(conversation["channel"])
        results: list[Tried] = []
        for number, row in enumerate(rows, 1):
            due = row.get("next_attempt_at")
            if due is not None and due > self._clock.now():
                break
            if not together and not circuit.is_closed and not is_probe:
                break
            if not together:
                await self._courtesy.wait()
            one = await self._try(connector, conversation, row)
            results.append(one)
            is_stopped = one.result.status in ("transient", "auth")
            if number < len(rows) and not is_stopped and not together:
                if not await self._record(conversation["id"], results, claim):
                    return None
                results = []
            if is_stopped:
                break
        return await self._record_and_look(conversation, results, claim)

    async def _try(self, connector: Channel | None, conversation: Row, row: Row) -> Tried:
        """Send one row, if it may be sent; by another channel, if that is the way."""
        channel: str = conversation["channel"]
        able = self.capabilities(channel)
        code = (
            None
            if connector is None
            else windows.refusal(conversation, row["author"], able, self._clock.now())
        )
        if code is None:
            result = await self._send(connector, conversation, row)
            if connector is not None:
                self._note(channel, result)
        else:
            result = SendResult.permanent(code)
        if result.status == "permanent" and not able.repeatable:
            moved = await self._rerouting.move(conversation, row)
            if moved is not None:
                result = SendResult.permanent(moved_to(moved["channel"]))
                self.kick(moved["id"])
        doubt = self._echo_patience if able.echoes and result.error in _UNKNOWN else None
        return Tried(row, result, self.circuit(channel).is_closed, pause_after(row["attempts"] + 1), doubt)

    def _note(self, channel: str, result: SendResult) -> None:
        circuit = self.circuit(channel)
        was_closed = circuit.is_closed
        self._observer.sent(channel, result)
        if circuit.note(result):
            self._observer.state(channel, circuit.state, result.error)
            if circuit.is_closed and not was_closed:
                self._spawn(self._drain_channel(channel), "")

    @watch.sending
    async def _send(self, connector: Channel | None, conversation: Row, row: Row) -> SendResult:
        if connector is None:
            return SendResult.transient("no_connector")
        message = await outgoing(conversation, row, connector.capabilities, self._find_file)
        return await self._say(connector, message)

    async def _say(self, connector: Channel, message: OutboundMessage) -> SendResult:
        try:
            async with asyncio.timeout(_SEND_SECONDS):
                return await connector.send(message)
        except TimeoutError:
            return SendResult.transient("timeout")
        except Exception as error:
            # A connector's mistake must not lose the message or stop the others.
            log.exception("connector_failed", channel=connector.name, message_id=message.id)
            return SendResult.transient(type(error).__name__)

    async def _record(self, conversation_id: str, tried: Sequence[Tried], claim: str) -> bool:
        now = self._clock.now()
        async with self._database.write() as session:
            is_ours = await repository.holds_send(session, conversation_id, claim, now + LEASE)
            # What the provider took is recorded also when the claim has run out meanwhile.
            await record(session, tried, now, _MOST_ATTEMPTS)
        return is_ours

    async def _record_and_look(
        self, conversation: Row, tried: Sequence[Tried], claim: str, *, go_on: bool = True
    ) -> list[Row] | None:
        now = self._clock.now()
        conversation_id: str = conversation["id"]
        async with self._database.write() as session:
            # Giving up the claim first locks the row: whoever writes the next message sees it free.
            is_ours = await repository.holds_send(session, conversation_id, claim, None)
            await record(session, tried, now, _MOST_ATTEMPTS)
            if not is_ours or not go_on:
                return None
            rows = await repository.pending(session, conversation_id, _BATCH)
            circuit = self.circuit(conversation["channel"])
            if not rows or _waits(rows[0], now) or not circuit.is_closed:
                return None
            await repository.change_conversation(
                session, conversation_id, send_claim=claim, send_until=now + LEASE
            )
        return rows

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
