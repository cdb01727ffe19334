"""What log lines, metrics and ids cost a message: `python -m deploy.bench.telemetry [LOG_LEVEL]`.

Runs the same hooks as a message does on its way, around parts that do nothing, and prints microseconds of
processor time: the best of several rounds, since everything else on the machine only adds.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from io import StringIO
from typing import Any

from starlette.types import Message, Receive, Scope, Send

from api.middleware import RequestContext
from conversations import watch
from conversations.job import Job
from conversations.schemas import BotTurn, InboundMessage, Received, SendResult
from database.base import new_id
from telemetry import logs, metrics, tracing

_ROUNDS = 7
_TIMES = 2_000
_TURN = BotTurn.model_validate(
    {"message_id": "1", "intent": {"name": "ask_fee", "confidence": 0.9}, "messages": []}
)


class _Way:
    """A message's way without the parts on it."""

    def __init__(self) -> None:
        self.id = new_id()
        self._clock = self

    def now(self) -> datetime:
        return datetime.now(UTC)

    @watch.receiving
    async def receive(self, _message: InboundMessage) -> Received:
        return Received(self.id, self.id, 1, duplicate=False)

    @watch.working
    async def work(self, _job: Job) -> None:
        await self.ask(None)
        watch.answered("webchat", {"route": "answer", "latency_ms": 20})

    @watch.asking
    async def ask(self, _request: None) -> BotTurn:
        tracing.outgoing_headers()
        return _TURN

    @watch.sending
    async def send(self, _connector: Any, _conversation: Any, _row: Any) -> SendResult:
        return SendResult.accepted()


async def _answer(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})


async def _ignore(_message: Message) -> None:
    return


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


async def _microseconds(once: Callable[[], Awaitable[object]]) -> float:
    best = float("inf")
    for _ in range(_ROUNDS):
        started = time.process_time()
        for _ in range(_TIMES):
            await once()
        best = min(best, (time.process_time() - started) / _TIMES)
    return best * 1e6


async def _measure() -> dict[str, float]:
    way = _Way()
    message = InboundMessage(
        channel="webchat", external_user_id="u", provider_message_id="1", text="lệ phí khai sinh?"
    )
    row = {
        "id": way.id, "conversation_id": way.id, "channel": "webchat", "attempts": 0,
        "idempotency_key": f"answer:{way.id}", "created_at": way.now(),
    }  # fmt: skip
    job = Job({"id": way.id}, [row], None, "claim")
    context = RequestContext(_answer)
    scope = {"type": "http", "method": "POST", "path": "/chat/messages", "headers": [(b"host", b"1022")]}

    async def one_way() -> None:
        await way.receive(message)
        await way.work(job)
        await way.send(None, row, row)

    async def one_request() -> None:
        await context(dict(scope), _nothing, _ignore)

    return {"message_us": await _microseconds(one_way), "request_us": await _microseconds(one_request)}


def main() -> None:
    """Measure with log lines written to memory, and print; INFO unless another level is named."""
    level = sys.argv[1] if len(sys.argv) > 1 else "INFO"
    terminal, sys.stdout = sys.stdout, StringIO()
    try:
        logs.configure("bench", level=level, form="json")
        found = asyncio.run(_measure())
    finally:
        sys.stdout = terminal
    started = time.process_time()
    found["exposition_bytes"] = float(len(metrics.exposition()))
    found["exposition_ms"] = (time.process_time() - started) * 1e3
    print(json.dumps(found, indent=2))


if __name__ == "__main__":
    main()
