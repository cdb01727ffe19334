"""`python -m api.predict`: answers evaluation rows through the pipeline that a web-chat message goes through.

Every row is a fresh web-chat conversation: inbox, emergency gate, worker, language gate, bot, actions,
search, outbox. The bot must be running; it calls its actions back, so this command serves the app on APP_PORT
while it works. One thing is switched off: waiting for further pieces of a message, since rows come whole.
Every row gets a prediction, or the command fails and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import structlog
import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from api.app import create_app
from api.services import Services, build_services
from api.settings import Settings
from connectors.webchat.connector import CHANNEL
from conversations.schemas import MAX_TEXT, InboundMessage, MessageView, clean_text

log = structlog.get_logger(__name__)

_BOT_PATIENCE = 180.0
_TURN_PATIENCE = 60.0
_LOOK_EVERY = 0.01
_RANKED = 10


class PredictionError(Exception):
    """A row could not be predicted; the message says which and why."""


class _Turn(BaseModel):
    model_config = ConfigDict(extra="ignore")

    text: str


class Row(BaseModel):
    """An evaluation row: one message, or the turns of a dialogue."""

    model_config = ConfigDict(extra="ignore")

    id: str
    text: str | None = None
    turns: list[_Turn] = []

    @model_validator(mode="after")
    def _has_something(self) -> Row:
        if (self.text is None) == (not self.turns):
            raise ValueError("a row has either a text or turns")
        return self

    @property
    def texts(self) -> list[str]:
        """What the citizen says, in order."""
        return [self.text] if self.text is not None else [turn.text for turn in self.turns]


def read_rows(file: Path) -> list[Row]:
    """Return the rows of a JSON Lines file.

    Raises:
        PredictionError: a line is no row, or an id comes twice.
    """
    rows: list[Row] = []
    with file.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                rows.append(Row.model_validate_json(line))
            except ValidationError as error:
                raise PredictionError(f"{file}:{number}: {error.errors()[0]['msg']}") from error
    if len({row.id for row in rows}) != len(rows):
        raise PredictionError(f"{file}: an id comes twice")
    return rows


class Predictor:
    """Puts rows through a running process's services.

    Args:
        services: started services; the bot must reach their actions.
        run: makes the visitors of this run new ones.
    """

    def __init__(self, services: Services, run: str) -> None:
        self._services = services
        self._run = run

    async def predict(self, row: Row) -> dict[str, Any]:
        """Return the prediction of one row; a bot that failed is asked once more in a fresh conversation.

        Raises:
            PredictionError: it failed again, or did not end in time.
        """
        for attempt in (1, 2):
            visitor = f"predict-{self._run}-{attempt}-{row.id}"
            turns = [
                await self._say(row.id, visitor, number, text) for number, text in enumerate(row.texts, 1)
            ]
            failure = next((turn["failure"] for turn in turns if turn["failure"]), None)
            if failure is None:
                return {"id": row.id, "turns": [_without_failure(turn) for turn in turns]}
        raise PredictionError(f"row {row.id}: the bot failed ({failure})")

    async def _say(self, row_id: str, visitor: str, number: int, text: str) -> dict[str, Any]:
        started = time.perf_counter()
        received = await self._services.inbox.receive(
            InboundMessage(
                channel=CHANNEL,
                external_user_id=visitor,
                provider_message_id=f"{visitor}:{number}",
                text=clean_text(text.encode("utf-8", "replace").decode("utf-8"))[:MAX_TEXT],
            )
        )
        taken = time.perf_counter() - started
        try:
            async with asyncio.timeout(_TURN_PATIENCE):
                question, answers = await self._answered(received.conversation_id, received.sequence)
        except TimeoutError as error:
            raise PredictionError(f"row {row_id}, turn {number}: no answer in time") from error
        return _prediction(question, answers, taken)

    async def _answered(self, conversation_id: str, sequence: int) -> tuple[MessageView, list[MessageView]]:
        while True:
            question, *answers = await self._services.inbox.history(conversation_id, after=sequence - 1)
            if question.state in {"done", "failed"}:
                return question, [answer for answer in answers if answer.direction == "out"]
            await asyncio.sleep(_LOOK_EVERY)


def _prediction(question: MessageView, answers: list[MessageView], taken: float) -> dict[str, Any]:
    turn = question.turn or {}
    route = turn.get("route") or "unclear"
    prediction: dict[str, Any] = {
        "route": route,
        # A gate is no classifier; its name is the route's.
        "intent": turn.get("intent") or route,
        "confidence": turn.get("confidence") or 0.0,
        "aspect": turn.get("aspect"),
        "procedures": [
            {"code": hit["code"], "score": hit.get("score")}
            for hit in (turn.get("procedures") or [])[:_RANKED]
        ],
        "reply": "\n\n".join(answer.text for answer in answers),
        "latency_ms": turn.get("latency_ms") or round(taken * 1000, 1),
        "failure": turn.get("failure"),
    }
    if turn.get("article"):
        prediction["article"] = turn["article"]
    return prediction


def _without_failure(turn: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in turn.items() if name != "failure"}


async def predict_rows(services: Services, rows: list[Row], *, concurrency: int) -> list[dict[str, Any]]:
    """Return the predictions of all rows, in their order; the first failure ends everything."""
    predictor = Predictor(services, f"{time.time_ns():x}")
    places = asyncio.Semaphore(concurrency)
    finished = 0

    async def one(row: Row) -> dict[str, Any]:
        nonlocal finished
        async with places:
            prediction = await predictor.predict(row)
        finished += 1
        if finished % 100 == 0 or finished == len(rows):
            log.info("predicted", rows=finished, of=len(rows))
        return prediction

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(row)) for row in rows]
    return [task.result() for task in tasks]


@asynccontextmanager
async def served(settings: Settings, services: Services) -> AsyncIterator[None]:
    """Serve the app on its port while the block runs.

    Raises:
        PredictionError: the app did not start (the port is taken, or a part could not be opened).
    """
    config = uvicorn.Config(
        create_app(settings, services),
        host=settings.app_host,
        port=settings.app_port,
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=2,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(_serve(server))
    try:
        starting = asyncio.create_task(_started(server))
        await asyncio.wait({serving, starting}, return_when=asyncio.FIRST_COMPLETED)
        starting.cancel()
        if not server.started:
            raise PredictionError(f"the app could not start on {settings.app_host}:{settings.app_port}")
        yield
    finally:
        server.should_exit = True
        await asyncio.wait([serving])


async def _started(server: uvicorn.Server) -> None:
    # uvicorn has no event for it.
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def _serve(server: uvicorn.Server) -> None:
    try:
        await server.serve()
    except SystemExit:
        # uvicorn ends the process when its port is taken; here that is one failure among others.
        log.error("app_not_started")


async def _wait_for_bot(services: Services) -> None:
    try:
        async with asyncio.timeout(_BOT_PATIENCE):
            while not await services.bot.is_ready():  # noqa: ASYNC110 - asks over HTTP
                await asyncio.sleep(0.5)
    except TimeoutError as error:
        raise PredictionError(f"no bot at {services.settings.bot_url}") from error


async def run(settings: Settings, rows: list[Row], *, concurrency: int) -> list[dict[str, Any]]:
    """Return the predictions of `rows` with an instance's own services."""
    services = build_services(settings)
    async with served(settings, services):
        await _wait_for_bot(services)
        return await predict_rows(services, rows, concurrency=concurrency)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every row has its prediction."""
    parser = argparse.ArgumentParser(prog="python -m api.predict", description=__doc__)
    parser.add_argument("--in", dest="rows", type=Path, required=True, help="rows, JSON Lines")
    parser.add_argument("--out", type=Path, required=True, help="predictions, JSON Lines")
    parser.add_argument("--data-dir", type=Path, help="the instance's folder")
    parser.add_argument("--concurrency", type=int, default=3, help="conversations at once")
    given = parser.parse_args(arguments)
    options: dict[str, Any] = {"join_pieces": False, "run_worker": True, "serve_actions": True}
    if given.data_dir is not None:
        options["data_dir"] = given.data_dir
    try:
        rows = read_rows(given.rows)
        predictions = asyncio.run(run(Settings(**options), rows, concurrency=max(1, given.concurrency)))
    except (PredictionError, OSError, BaseExceptionGroup) as error:
        reasons = _leaves(error)
        if not all(isinstance(reason, PredictionError | OSError) for reason in reasons):
            raise
        for reason in reasons:
            sys.stderr.write(f"predict: {reason}\n")
        return 1
    given.out.parent.mkdir(parents=True, exist_ok=True)
    unfinished = given.out.with_name(f"{given.out.name}.part")
    with unfinished.open("w", encoding="utf-8") as lines:
        lines.writelines(json.dumps(prediction, ensure_ascii=False) + "\n" for prediction in predictions)
    unfinished.replace(given.out)
    return 0


def _leaves(error: BaseException) -> list[BaseException]:
    if not isinstance(error, BaseExceptionGroup):
        return [error]
    return [leaf for inner in error.exceptions for leaf in _leaves(inner)]


if __name__ == "__main__":
    sys.exit(main())
