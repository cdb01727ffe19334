"""Client of the bot's gateway: one message in, one turn out, or a typed failure.

A message id makes a repeat harmless (the gateway answers it from its tracker), so a broken connection is
tried once more; a slow bot is not, because the citizen is waiting. After several failures in a row the bot is
left alone for a moment and everybody is handed over at once instead of each waiting for the time limit; then
one message finds out whether it is back, while the others still do not wait.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp
import structlog
from pydantic import ValidationError

from conversations import watch
from conversations.errors import BotError
from conversations.schemas import BotTurn
from telemetry.tracing import outgoing_headers

log = structlog.get_logger(__name__)

_OPEN_AFTER = 5
_OPEN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class BotRequest:
    """What the gateway is asked: see `bot/channels/gateway.py`."""

    conversation: str
    message_id: str
    text: str
    postback: bool
    metadata: dict[str, Any]


class Bot(Protocol):
    """Whoever answers one message."""

    async def ask(self, request: BotRequest) -> BotTurn:
        """Return the bot's turn, or raise BotError."""
        ...


class BotClient:
    """The gateway over HTTP.

    Args:
        url: base address of the bot, e.g. `http://127.0.0.1:5022`.
        token: the internal token.
        timeout: seconds a whole answer may take.
    """

    def __init__(self, url: str, token: str, *, timeout: float = 8.0) -> None:
        self._url = url.rstrip("/") + "/webhooks/gateway/messages"
        self._base = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._patience = timeout
        self._timeout = aiohttp.ClientTimeout(total=timeout, connect=min(1.0, timeout))
        self._session: aiohttp.ClientSession | None = None
        self._failures = 0
        self._silent_until = 0.0

    @watch.asking
    async def ask(self, request: BotRequest) -> BotTurn:
        """Return the bot's turn.

        Raises:
            BotError: `bot_timeout`, `bot_unreachable`, `bot_error_<status>`, `bot_malformed`, `bot_silent`
                (no message: a failure, never a way to say nothing) or `bot_resting` (failed too often).
        """
        if self._failures >= _OPEN_AFTER:
            now = time.monotonic()
            if now < self._silent_until:
                raise BotError("bot_resting")
            self._silent_until = now + self._patience
        try:
            turn = await self._ask_twice(request)
        except BotError as error:
            if error.reason in {"bot_timeout", "bot_unreachable"}:
                self._failures += 1
                self._silent_until = time.monotonic() + _OPEN_SECONDS
            raise
        self._failures = 0
        return turn

    @property
    def is_resting(self) -> bool:
        """Whether it has failed so often that it is left alone."""
        return self._failures >= _OPEN_AFTER

    async def is_ready(self) -> bool:
        """Tell whether the bot's server answers."""
        try:
            async with self._opened().get(
                self._base + "/webhooks/gateway/health", timeout=aiohttp.ClientTimeout(total=1.0)
            ) as response:
                return response.status < 500
        except (aiohttp.ClientError, TimeoutError, OSError):
            return False

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _ask_twice(self, request: BotRequest) -> BotTurn:
        body = {
            "conversation": request.conversation,
            "message_id": request.message_id,
            "text": request.text,
            "postback": request.postback,
            "metadata": request.metadata,
        }
        for attempt in (1, 2):
            try:
                return await self._post(body)
            except TimeoutError:
                raise BotError("bot_timeout") from None
            except (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError) as error:
                if attempt == 2:
                    raise BotError("bot_unreachable") from error
        raise AssertionError("unreachable")

    async def _post(self, body: dict[str, Any]) -> BotTurn:
        async with self._opened().post(self._url, json=body, headers=outgoing_headers()) as response:
            if response.status != 200:
                raise BotError(f"bot_error_{response.status}")
            try:
                turn = BotTurn.model_validate_json(await response.read())
            except ValidationError as error:
                where = [".".join(map(str, item["loc"])) for item in error.errors(include_input=False)]
                log.warning("bot_malformed", where=where[:5])
                raise BotError("bot_malformed") from error
        if not any(message.text.strip() for message in turn.messages):
            raise BotError("bot_silent")
        return turn

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(headers=self._headers, timeout=self._timeout)
        return self._session
