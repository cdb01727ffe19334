"""The input channel through which the application talks to Rasa, one message and one whole answer at a time.

    POST /webhooks/gateway/messages    Authorization: Bearer <token>
    GET  /webhooks/gateway/health

A message id that was answered before gets the same answer again, from the tracker, and nothing runs twice.
What fails is a 5xx with `{"error", "detail", "id"}`; the id is in the log with what happened. Errors:

    400 bad_request    413 body too long    401 unauthorized
    500 failed         503 unavailable (no model, no tracker store, no action server)        504 timeout
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
import uuid
from collections.abc import Awaitable, Callable
from typing import Any
from weakref import WeakValueDictionary

from rasa.core.channels.channel import InputChannel, OutputChannel, UserMessage
from redis.exceptions import RedisError
from sanic import Blueprint, Sanic
from sanic.request import Request
from sanic.response import HTTPResponse, json

from bot.action_endpoint import ActionServerUnavailableError
from bot.agent import TurnAgent
from bot.channels.requests import BadRequestError, Turn, parse_turn
from bot.channels.turns import answer, events_of_turn
from bot.tracker_store import SessionTrackerStore
from telemetry import correlation, tracing

logger = logging.getLogger(__name__)

# Intents that every Rasa domain has and that act on the conversation itself; no button means them.
_COMMANDS = {"restart", "back", "session_start", "nlu_fallback"}


class _Unspoken(OutputChannel):
    """Sends nothing: the gateway reads what was said from the tracker, where each message is whole."""

    @classmethod
    def name(cls) -> str:
        return GatewayInput.name()

    async def send_response(self, recipient_id: str, message: dict[str, Any]) -> None:
        return None


def _error(status: int, error: str, detail: str, *, cause: BaseException | None = None) -> HTTPResponse:
    """Answer with an error; what caused it goes to the log only, under the id the caller gets."""
    error_id = uuid.uuid4().hex
    if cause is not None:
        logger.error("gateway %s %s: %s", error_id, error, type(cause).__name__, exc_info=cause)
    return json({"error": error, "detail": detail, "id": error_id}, status=status)


class GatewayInput(InputChannel):
    """Takes messages from the application.

    One conversation is worked on by one task at a time, in the order of arrival; Rasa's own lock, which looks
    again only once a second, is not used.
    """

    def __init__(self, token: str, turn_timeout: float = 20.0) -> None:
        """Make the channel.

        Args:
            token: the secret that callers present.
            turn_timeout: seconds for one turn, the wait for the turn before it included.
        """
        if not token:
            raise ValueError("the gateway needs a token")
        self._token = token.encode()
        self._turn_timeout = turn_timeout
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    @classmethod
    def name(cls) -> str:
        """Return the name, which is in the URL as well."""
        return "gateway"

    @classmethod
    def from_credentials(cls, credentials: dict[str, Any] | None) -> GatewayInput:
        """Build the channel from its part of `credentials.yml`."""
        if not credentials or not credentials.get("token"):
            cls.raise_missing_credentials_exception()
        return cls(str(credentials["token"]), float(credentials.get("turn_timeout", 20.0)))

    def blueprint(self, on_new_message: Callable[[UserMessage], Awaitable[Any]]) -> Blueprint:
        """Return the routes. `on_new_message` is not used: Rasa's handler swallows what fails."""
        routes = Blueprint("gateway")

        @routes.get("/health")
        async def health(request: Request) -> HTTPResponse:
            return await self._health(request.app)

        @routes.post("/messages")
        async def messages(request: Request) -> HTTPResponse:
            # The caller's id and trace go into the log lines, and on to the actions.
            given = correlation.accepted(request.headers.get(correlation.HEADER, ""))
            with correlation.about(given or correlation.new()), tracing.incoming(request.headers):
                return await self._receive(request)

        return routes

    async def _health(self, app: Sanic) -> HTTPResponse:
        agent = _ready_agent(app)
        store = agent.tracker_store if agent else None
        stored = store is not None
        if isinstance(store, SessionTrackerStore):
            try:
                await store.ping()
            except RedisError:
                stored = False
        is_ready = agent is not None and stored
        return json(
            {
                "status": "ok" if is_ready else "unavailable",
                "model_loaded": agent is not None,
                "model_id": agent.model_id if agent else None,
                "tracker_store": stored,
            },
            status=200 if is_ready else 503,
        )

    def _is_authorized(self, request: Request) -> bool:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        return scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self._token)

    async def _receive(self, request: Request) -> HTTPResponse:
        if not self._is_authorized(request):
            return _error(401, "unauthorized", "a valid bearer token is needed")
        agent = _ready_agent(request.app)
        if agent is None:
            return _error(503, "unavailable", "the model is not loaded")
        try:
            turn = parse_turn(request.body, set(agent.domain.intents) - _COMMANDS)
        except BadRequestError as error:
            return _error(400, "bad_request", str(error))
        try:
            started = time.monotonic()
            body = await asyncio.wait_for(self._answer(agent, turn), self._turn_timeout)
            taken = (time.monotonic() - started) * 1000
            logger.info("turn answered in %.1f ms, replayed %s", taken, body["replayed"])
            return json(body)
        except TimeoutError as error:
            return _error(504, "timeout", "the turn took too long", cause=error)
        except (RedisError, ActionServerUnavailableError) as error:
            return _error(503, "unavailable", "something the bot needs is away", cause=error)
        except Exception as error:  # whatever it was, the caller gets a clear failure
            return _error(500, "failed", "the turn failed and was not stored", cause=error)

    async def _answer(self, agent: TurnAgent, turn: Turn) -> dict[str, Any]:
        lock = self._locks.setdefault(turn.conversation, asyncio.Lock())
        async with lock:
            known = await agent.tracker_store.retrieve(turn.conversation)
            done = events_of_turn(known.events, turn.message_id) if known else None
            if done:
                return {**answer(done, replayed=True), "model": agent.model_id}
            message = UserMessage(
                text=turn.text,
                output_channel=_Unspoken(),
                sender_id=turn.conversation,
                input_channel=self.name(),
                message_id=turn.message_id,
                metadata=turn.metadata,
            )
            assert agent.processor is not None
            tracker = await agent.processor.take_turn(message)
        fresh = events_of_turn(tracker.events, turn.message_id)
        assert fresh is not None
        return {**answer(fresh, replayed=False), "model": agent.model_id}


def _ready_agent(app: Sanic) -> TurnAgent | None:
    agent = getattr(app.ctx, "agent", None)
    return agent if isinstance(agent, TurnAgent) and agent.is_ready() else None
