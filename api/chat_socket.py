"""The web chat over a WebSocket: one connection for what a page says and for what it is told.

Frames are JSON objects with a `type`. A page sends

    {"type": "hello", "token": …, "after": 17}          first, within ten seconds; the token is in no address
    {"type": "say", "client_id": …, "text": …}          as `POST /chat/messages` takes it
    {"type": "ping"}, {"type": "pong"}

and reads

    {"type": "message", "message": {…}}                 everything after `after`, in order and once
    {"type": "ready", "heartbeat": 15.0, "owner": …}    once it has everything that was said before
    {"type": "ack", "client_id": …, "sequence": 18, …}  the message is stored
    {"type": "error", "error": code, "message": …}      with `client_id` where it is about a message
    {"type": "typing"}, {"type": "owner", "owner": …}, {"type": "ping"}, {"type": "pong"}

A frame that makes no sense is answered with an error and changes nothing. The connection is closed (`Close`)
when its page floods, reads too slowly or has gone; it may come again and go on after what it has.
"""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing, suppress
from typing import Annotated, Any, Literal

import structlog
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from api.chat_messages import NewMessage, take
from api.errors import Problem
from api.open_sockets import Close, Sockets
from api.services import Services
from connectors.webchat.feed import Feed, Note
from conversations.errors import ConversationError
from conversations.tasks import end_tasks
from database.engine import STORAGE_DOWN
from vntext.catalogue import say

log = structlog.get_logger(__name__)

LARGEST_FRAME = 128 * 1024
"""Bytes of the largest frame: the longest message, every letter of it escaped."""

_HELLO_SECONDS = 10.0
_SEND_SECONDS = 10.0
_BEATS_TO_LIVE = 3
_BURST = 40.0
_FRAMES_PER_SECOND = 10.0
_PRICE_OF_NONSENSE = 5.0


class _Frame(BaseModel):
    model_config = ConfigDict(extra="ignore")


class Hello(_Frame):
    """Who the page's visitor is, and the last message the page has."""

    type: Literal["hello"]
    token: str = Field(max_length=400)
    after: int = Field(default=0, ge=0, le=2**31 - 1)


class Say(NewMessage):
    """A message."""

    type: Literal["say"]


class Life(_Frame):
    """A sign of life, asked for or given."""

    type: Literal["ping", "pong"]


_FRAMES: TypeAdapter[Hello | Say | Life] = TypeAdapter(
    Annotated[Hello | Say | Life, Field(discriminator="type")]
)


class _Ended(Exception):  # noqa: N818 - it ends the connection
    def __init__(self, code: Close) -> None:
        super().__init__(code)
        self.code = code


class ChatSocket:
    """One connection.

    Args:
        websocket: not accepted yet.
        services: the process's parts.
        sockets: the process's connections.
        send_seconds: how long a page may take to read a frame.
    """

    def __init__(
        self,
        websocket: WebSocket,
        services: Services,
        sockets: Sockets,
        *,
        send_seconds: float = _SEND_SECONDS,
    ) -> None:
        self._send_seconds = send_seconds
        self._websocket = websocket
        self._services = services
        self._sockets = sockets
        self._address = websocket.client.host if websocket.client else "unknown"
        self._patience = asyncio.timeout(_HELLO_SECONDS)
        self._life = _BEATS_TO_LIVE * services.settings.event_heartbeat
        self._visitor: str | None = None
        self._ending: Close | None = None
        self._teller: asyncio.Task[None] | None = None
        self._credit = _BURST
        self._credited_at = time.monotonic()

    async def serve(self) -> None:
        """Carry the conversation until either side ends the connection."""
        await self._websocket.accept()
        self._sockets.open += 1
        code: Close | None = None
        try:
            async with self._patience:
                await self._listen()
        except TimeoutError:
            code = self._ending or Close.SILENT
        except _Ended as ended:
            code = ended.code
        except WebSocketDisconnect:
            pass
        finally:
            self._sockets.open -= 1
            if self._teller is not None:
                await end_tasks([self._teller])
            if self._visitor is not None:
                self._sockets.remove(self._visitor, self)
        if code is not None:
            await self._close(code)

    def end(self, code: Close) -> None:
        """End the connection from outside of its own reading."""
        if self._ending is None:
            self._ending = code
            # It may be ending already, for another reason.
            with suppress(RuntimeError):
                self._patience.reschedule(asyncio.get_running_loop().time())

    # --- what the page says -------------------------------------------------------------------------------

    async def _listen(self) -> None:
        while True:
            event = await self._websocket.receive()
            if event["type"] == "websocket.disconnect":
                return
            raw: str | None = event.get("text")
            if raw is not None and len(raw) > LARGEST_FRAME:
                raise _Ended(Close.FRAME_TOO_LARGE)
            if self._ending is not None:
                raise _Ended(self._ending)
            self._spend(1.0)
            if self._visitor is not None:
                self._patience.reschedule(asyncio.get_running_loop().time() + self._life)
            await self._handle(raw)

    def _spend(self, price: float) -> None:
        """Pay for a frame: a person never runs out, a program that floods does."""
        now = time.monotonic()
        self._credit = min(_BURST, self._credit + (now - self._credited_at) * _FRAMES_PER_SECOND)
        self._credited_at = now
        self._credit -= price
        if self._credit < 0:
            raise _Ended(Close.FLOOD)

    async def _handle(self, raw: str | None) -> None:
        content = _parsed(raw)
        client_id = content.get("client_id") if isinstance(content, dict) else None
        try:
            frame = _FRAMES.validate_python(content)
        except ValidationError:
            self._spend(_PRICE_OF_NONSENSE)
            await self._refuse("bad_frame" if content is None else "invalid", client_id=client_id)
            return
        match frame:
            case Hello():
                await self._greet(frame)
            case Say():
                await self._take(frame)
            case Life(type="ping"):
                await self._send({"type": "pong"})

    async def _greet(self, hello: Hello) -> None:
        if self._visitor is not None:
            await self._refuse("invalid")
            return
        visitor = self._services.visitors.read(hello.token)
        if visitor is None:
            await self._refuse("bad_token")
            raise _Ended(Close.BAD_TOKEN)
        self._visitor = visitor
        self._sockets.add(visitor, self)
        self._patience.reschedule(asyncio.get_running_loop().time() + self._life)
        feed = self._services.feed(visitor, after=hello.after)
        self._teller = asyncio.create_task(self._tell(feed), name="chat-teller")

    async def _take(self, frame: Say) -> None:
        if self._visitor is None:
            await self._refuse("bad_token", client_id=str(frame.client_id))
            return
        client_id = str(frame.client_id)
        try:
            taken = await take(self._services, self._visitor, self._address, frame)
        except Problem as problem:
            wait = (problem.headers or {}).get("Retry-After")
            more: dict[str, Any] = {"retry_after": int(wait)} if wait else {}
            await self._refuse(problem.code, client_id=client_id, **more)
        except ConversationError as error:
            await self._refuse(error.code, error.sentence, client_id=client_id)
        except STORAGE_DOWN as error:
            log.error("storage_down", error=type(error).__name__)
            await self._refuse("storage_unavailable", client_id=client_id)
        except WebSocketDisconnect:
            raise
        except Exception:
            # One message that fails must not take the conversation with it.
            log.exception("say_failed")
            await self._refuse("internal", client_id=client_id)
        else:
            await self._send({"type": "ack", "client_id": client_id, **taken.model_dump()})

    # --- what the page is told ----------------------------------------------------------------------------

    async def _tell(self, feed: Feed) -> None:
        try:
            async with aclosing(feed.notes()) as notes:
                async for note in notes:
                    await self._send(self._frame(note))
        except _Ended as ended:
            self.end(ended.code)
        except WebSocketDisconnect:
            pass  # the reading side learns of it too
        except STORAGE_DOWN as error:
            log.warning("chat_socket_ended", error=type(error).__name__)
            self.end(Close.TRY_LATER)
        except Exception:
            log.exception("chat_socket_failed")
            self.end(Close.TRY_LATER)

    def _frame(self, note: Note) -> dict[str, Any]:
        match note.kind:
            case "message":
                return {"type": "message", "message": note.data}
            case "caught_up":
                return {"type": "ready", "heartbeat": self._services.settings.event_heartbeat, **note.data}
            case "beat":
                return {"type": "ping"}
            case kind:
                return {"type": kind, **note.data}

    async def _refuse(self, code: str, sentence: str | None = None, **more: Any) -> None:
        if not isinstance(more.get("client_id", ""), str):
            del more["client_id"]
        more = {name: value[:64] if isinstance(value, str) else value for name, value in more.items()}
        message = sentence or say(f"conversation.errors.{code}")
        await self._send({"type": "error", "error": code, "message": message, **more})

    async def _send(self, frame: dict[str, Any]) -> None:
        text = json.dumps(frame, ensure_ascii=False)
        try:
            # A page that does not read is not waited for: what it misses is in the database.
            async with asyncio.timeout(self._send_seconds):
                await self._websocket.send_text(text.encode("utf-8", "replace").decode())
        except TimeoutError as error:
            raise _Ended(Close.TOO_SLOW) from error
        except RuntimeError as error:
            # The connection was ended by the other task in between.
            raise WebSocketDisconnect(1006) from error

    async def _close(self, code: Close) -> None:
        if self._websocket.application_state is not WebSocketState.CONNECTED:
            return
        with suppress(WebSocketDisconnect, RuntimeError, TimeoutError):
            async with asyncio.timeout(1.0):
                await self._websocket.close(int(code), code.name.lower())


def _parsed(raw: str | None) -> Any:
    """Return what a frame holds, None when it is no JSON."""
    if raw is None:
        return None
    try:
        return json.loads(raw)
    except (ValueError, RecursionError):
        return None
