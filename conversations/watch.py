"""What is counted, timed, traced and logged on a message's way; the way itself only names the places."""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Protocol, TypeVar

import structlog

from conversations.errors import BotError, StorageUnavailableError
from conversations.job import Job
from conversations.repository import Row
from conversations.schemas import BotTurn, InboundMessage, Received, SendResult
from telemetry import correlation, labels, metrics, tracing

log = structlog.get_logger("conversations")

S = TypeVar("S")
T = TypeVar("T")
R = TypeVar("R")


class _HasClock(Protocol):
    @property
    def _clock(self) -> Any: ...


C = TypeVar("C", bound=_HasClock)


def receiving(
    receive: Callable[[S, InboundMessage], Awaitable[Received]],
) -> Callable[[S, InboundMessage], Awaitable[Received]]:
    """Watch `Inbox.receive`: from here on the message's id is what log lines and spans are joined by."""

    @functools.wraps(receive)
    async def watched(inbox: S, message: InboundMessage) -> Received:
        started = time.perf_counter()
        channel = labels.channel(message.channel)
        try:
            taken = await receive(inbox, message)
        except StorageUnavailableError as error:
            metrics.not_stored.inc()
            if error.emergency_reply is not None:
                # Shown by the connector all the same; nothing of it could be stored.
                log.warning("emergency_not_stored", channel=channel)
            raise
        correlation.note(correlation_id=taken.message_id)
        if taken.duplicate:
            metrics.repeated.labels(channel).inc()
            return taken
        seconds = time.perf_counter() - started
        kind = labels.one_of("postback" if message.postback else message.kind, labels.KINDS)
        metrics.received.labels(channel, kind).inc()
        metrics.receive_seconds.labels(channel).observe(seconds)
        tracing.received(taken.message_id, seconds, channel=channel, kind=kind)
        log.info(
            "message_received",
            correlation_id=taken.message_id,
            conversation_id=taken.conversation_id,
            channel=channel,
            kind=kind,
            ms=round(seconds * 1000, 1),
        )
        return taken

    return watched


def working(work: Callable[[C, Job], Awaitable[T]]) -> Callable[[C, Job], Awaitable[T]]:
    """Watch `Dispatcher.work`."""

    @functools.wraps(work)
    async def watched(dispatcher: C, job: Job) -> T:
        now: datetime = dispatcher._clock.now()
        waited = max(0.0, (now - job.head["created_at"]).total_seconds())
        metrics.queue_wait_seconds.observe(waited)
        message_id: str = job.head["id"]
        with (
            correlation.about(message_id, conversation_id=job.conversation["id"]),
            tracing.span(
                "dispatch", message_id=message_id, queue_wait_seconds=waited, attempt=job.head["attempts"] + 1
            ),
        ):
            return await work(dispatcher, job)

    return watched


def asking(ask: Callable[[S, R], Awaitable[BotTurn]]) -> Callable[[S, R], Awaitable[BotTurn]]:
    """Watch `BotClient.ask`."""

    @functools.wraps(ask)
    async def watched(client: S, request: R) -> BotTurn:
        started = time.perf_counter()
        try:
            with tracing.span("bot"):
                return await ask(client, request)
        finally:
            metrics.bot_seconds.observe(time.perf_counter() - started)

    return watched


def answered(channel: str, turn: dict[str, Any], *, correlation_id: str | None = None) -> None:
    """Count a message that is handled; `turn` is the record kept with it."""
    route = labels.one_of(turn.get("route"), labels.ROUTES)
    seconds = (turn.get("latency_ms") or 0) / 1000
    metrics.answers.labels(labels.channel(channel), route).inc()
    metrics.turn_seconds.observe(seconds)
    if route.startswith("redirect_11"):
        metrics.emergencies.labels(route.removeprefix("redirect_")).inc()
    more = {"correlation_id": correlation_id} if correlation_id else {}
    log.info(
        "message_handled", channel=labels.channel(channel), route=route, ms=round(seconds * 1000), **more
    )


def bot_failed(error: BotError) -> None:
    """Count a message that got no answer from the bot."""
    metrics.bot_failures.labels(labels.bot_reason(error.reason)).inc()


def given_up(direction: str) -> None:
    """Count a message that nobody tries any more."""
    metrics.dead_letters.labels(direction).inc()


def sending(
    send: Callable[[S, Any, Row, Row], Awaitable[SendResult]],
) -> Callable[[S, Any, Row, Row], Awaitable[SendResult]]:
    """Watch `Outbox._send`: one try to send one row."""

    @functools.wraps(send)
    async def watched(outbox: S, connector: Any, conversation: Row, row: Row) -> SendResult:
        channel = labels.channel(row["channel"])
        correlation_id = correlation.of_outbound(row)
        started = time.perf_counter()
        with (
            correlation.about(correlation_id, conversation_id=row["conversation_id"]),
            tracing.span("send", message_id=correlation_id, channel=channel, attempt=row["attempts"] + 1),
        ):
            result = await send(outbox, connector, conversation, row)
            seconds = time.perf_counter() - started
            metrics.send_seconds.labels(channel).observe(seconds)
            metrics.sends.labels(channel, result.status).inc()
            ms = round(seconds * 1000, 1)
            if result.status == "accepted":
                log.info("message_sent", message_id=row["id"], channel=channel, ms=ms)
            else:
                reason = labels.send_reason(result.error)
                metrics.send_failures.labels(channel, result.status, reason).inc()
                log.warning(
                    "message_not_sent",
                    message_id=row["id"],
                    channel=channel,
                    state=result.status,
                    reason=reason,
                    ms=ms,
                )
        return result

    return watched
