"""`python -m api.predict`: answers evaluation rows as a citizen's message is answered.

Every row is a fresh conversation: inbox, emergency gate, worker, language gate, bot, actions, search, outbox.
It is held on the web chat or, with `--channel`, on a channel whose provider is played: then a row goes in
through the provider's signed webhook, and its answer out through the channel's sender. The bot must be
running; it calls its actions back, so this command serves the app on APP_PORT while it works. One thing is
switched off: waiting for further pieces of a message, since rows come whole. Every row gets a prediction, or
the command fails and writes nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, Self

import aiohttp
import structlog
import uvicorn
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from api.app import create_app
from api.services import Services, build_services
from api.settings import Settings
from connectors.webchat.connector import CHANNEL
from conversations import repository
from conversations.schemas import MAX_TEXT, InboundMessage, MessageView, clean_text

log = structlog.get_logger(__name__)

_BOT_PATIENCE = 180.0
_TURN_PATIENCE = 60.0
_LOOK_EVERY = 0.01
_RANKED = 10
_CONTROL_TOKEN = "control"  # noqa: S105 - of a provider that is played


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


class Provider:
    """People who write on a channel whose provider is played.

    Args:
        channel: which one.
        control_url: where the played provider listens.
    """

    def __init__(self, channel: str, control_url: str) -> None:
        self.channel = channel
        self._url = f"{control_url.rstrip('/')}/_control/say"
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(headers={"Authorization": f"Bearer {_CONTROL_TOKEN}"})
        return self

    async def __aexit__(self, *_error: object) -> None:
        assert self._http is not None
        await self._http.close()

    async def say(self, user: str, text: str) -> str:
        """Have somebody write; return the provider's id of the message.

        Raises:
            PredictionError: the provider does not answer, or does not take the text.
        """
        assert self._http is not None
        try:
            async with self._http.post(self._url, json={"user": user, "text": text}) as response:
                response.raise_for_status()
                (message_id,) = (await response.json())["mids"]
                return str(message_id)
        except (aiohttp.ClientError, ValueError) as error:
            raise PredictionError(f"the played provider: {type(error).__name__}") from error


class Predictor:
    """Puts rows through a running process's services.

    Args:
        services: started services; the bot must reach their actions.
        run: makes the visitors of this run new ones.
        provider: where a row is said; None: on the web chat.
    """

    def __init__(self, services: Services, run: str, provider: Provider | None = None) -> None:
        self._services = services
        self._run = run
        self._provider = provider

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
        said = clean_text(text.encode("utf-8", "replace").decode("utf-8"))[:MAX_TEXT]
        try:
            async with asyncio.timeout(_TURN_PATIENCE):
                conversation_id, sequence = await self._received(visitor, number, said)
                taken = time.perf_counter() - started
                question, answers = await self._answered(conversation_id, sequence)
        except TimeoutError as error:
            raise PredictionError(f"row {row_id}, turn {number}: no answer in time") from error
        return _prediction(question, answers, taken)

    async def _received(self, visitor: str, number: int, text: str) -> tuple[str, int]:
        """Have it said; return the conversation and the message's sequence."""
        if self._provider is not None:
            provider_message_id = await self._provider.say(visitor, text)
            while True:
                async with self._services.database.read() as session:
                    row = await repository.find_by_provider_id(
                        session, self._provider.channel, provider_message_id
                    )
                if row is not None:
                    return row["conversation_id"], row["sequence"]
                await asyncio.sleep(_LOOK_EVERY)
        received = await self._services.inbox.receive(
            InboundMessage(
                channel=CHANNEL,
                external_user_id=visitor,
                provider_message_id=f"{visitor}:{number}",
                text=text,
            )
        )
        return received.conversation_id, received.sequence

    async def _answered(self, conversation_id: str, sequence: int) -> tuple[MessageView, list[MessageView]]:
        while True:
            question, *later = await self._services.inbox.history(conversation_id, after=sequence - 1)
            answers = [answer for answer in later if answer.direction == "out"]
            if question.state in {"done", "failed"} and self._has_arrived(answers):
                return question, answers
            await asyncio.sleep(_LOOK_EVERY)

    def _has_arrived(self, answers: list[MessageView]) -> bool:
        """Tell whether the provider has all answers; on the web chat they are there when they are written."""
        if self._provider is None:
            return True
        if failed := [answer for answer in answers if answer.state == "failed"]:
            raise PredictionError(f"an answer was refused by the channel: {failed[0].error}")
        return all(answer.state == "sent" for answer in answers)


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


async def predict_rows(
    services: Services, rows: list[Row], *, concurrency: int, provider: Provider | None = None
) -> list[dict[str, Any]]:
    """Return the predictions of all rows, in their order; the first failure ends everything."""
    predictor = Predictor(services, f"{time.time_ns():x}", provider)
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


async def run(
    settings: Settings, rows: list[Row], *, concurrency: int, channel: str = CHANNEL, control_url: str = ""
) -> list[dict[str, Any]]:
    """Return the predictions of `rows` with an instance's own services."""
    services = build_services(settings)
    async with AsyncExitStack() as opened:
        await opened.enter_async_context(served(settings, services))
        provider = None
        if channel != CHANNEL:
            provider = await opened.enter_async_context(Provider(channel, control_url))
        await _wait_for_bot(services)
        return await predict_rows(services, rows, concurrency=concurrency, provider=provider)


def main(arguments: list[str] | None = None) -> int:
    """Run the command; 0 when every row has its prediction."""
    parser = argparse.ArgumentParser(prog="python -m api.predict", description=__doc__)
    parser.add_argument("--in", dest="rows", type=Path, required=True, help="rows, JSON Lines")
    parser.add_argument("--out", type=Path, required=True, help="predictions, JSON Lines")
    parser.add_argument("--data-dir", type=Path, help="the instance's folder")
    parser.add_argument("--concurrency", type=int, default=3, help="conversations at once")
    parser.add_argument(
        "--channel", choices=(CHANNEL, "zalo", "messenger"), default=CHANNEL, help="where rows are said"
    )
    parser.add_argument("--provider", default="", help="address of the channel's played provider")
    given = parser.parse_args(arguments)
    if (given.channel != CHANNEL) != bool(given.provider):
        parser.error("--channel zalo|messenger and --provider go together")
    options: dict[str, Any] = {"join_pieces": False, "run_worker": True, "serve_actions": True}
    if given.data_dir is not None:
        options["data_dir"] = given.data_dir
    try:
        rows = read_rows(given.rows)
        predictions = asyncio.run(
            run(
                Settings(**options),
                rows,
                concurrency=max(1, given.concurrency),
                channel=given.channel,
                control_url=given.provider,
            )
        )
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
