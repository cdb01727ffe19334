"""Around every request: its id, the size of its body, headers that browsers obey, one log line."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import structlog
from starlette.datastructures import MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.errors import problem
from telemetry import correlation, labels, metrics, tracing

log = structlog.get_logger("api.request")

_READ = (b"x-request-id", b"traceparent")
_QUIET = ("health", "ready", "metrics")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "strict-origin-when-cross-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=(self)",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Content-Security-Policy": (
        "default-src 'self'; img-src 'self' data: blob:; style-src 'self' 'unsafe-inline'; "
        "object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'self'"
    ),
}


class RequestContext:
    """Gives each request an id (in its log lines and in its answer), the headers, one log line, and a count.

    Neither the query (it may hold a token) nor the address of the sender is logged, and of the path only what
    the routes call it.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        sent = {name: value.decode("latin-1") for name, value in scope["headers"] if name in _READ}
        request_id = correlation.accepted(sent.get(b"x-request-id", "")) or correlation.new()
        scope.setdefault("state", {})["request_id"] = request_id
        with (
            correlation.about(request_id, request_id=request_id),
            tracing.incoming({tracing.TRACE_HEADER: sent.get(b"traceparent", "")}),
        ):
            if scope["type"] == "http":
                await self._http(scope, receive, send, request_id)
            else:
                with metrics.open_connections.labels("websocket").track_inprogress():
                    await self._app(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        notes = correlation.begin_request()
        started = time.perf_counter()
        status = 500
        is_stream = False

        async def send_with_headers(message: Message) -> None:
            nonlocal status, is_stream
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                if headers.get("content-type", "").startswith("text/event-stream"):
                    is_stream = True
                    metrics.open_connections.labels("sse").inc()
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        finally:
            if is_stream:
                metrics.open_connections.labels("sse").dec()
            path: str = scope["path"]
            surface = labels.surface(path)
            metrics.responses.labels(surface, labels.status_class(status)).inc()
            if surface not in _QUIET:
                log.info(
                    "request",
                    method=labels.one_of(scope["method"], _METHODS),
                    path=getattr(scope.get("route"), "path", f"/{surface}/…"),
                    status=status,
                    ms=round((time.perf_counter() - started) * 1000, 1),
                    **notes,
                )


class BodyLimit:
    """Refuses bodies larger than `limit` bytes, whether they say so or not.

    Args:
        app: what is protected.
        limit: bytes of the largest body.
        streamed: by path, the limit of bodies that their route reads piece by piece and stops by itself; here
            only what they declare is looked at.
    """

    def __init__(self, app: ASGIApp, limit: int, streamed: Mapping[str, int] | None = None) -> None:
        self._app = app
        self._limit = limit
        self._streamed = dict(streamed or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD", "OPTIONS"}:
            await self._app(scope, receive, send)
            return
        streamed = self._streamed.get(scope["path"])
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > (streamed or self._limit):
            code = "body_too_large" if streamed is None else "file_too_large"
            await problem(413, code)(scope, receive, send)
            return
        if streamed is not None:
            await self._app(scope, receive, send)
            return
        # Read whole before anybody works on it: it is small, and a body that grows on the way is refused
        # cleanly.
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return  # gone before the body was there
            body += message.get("body", b"")
            if len(body) > self._limit:
                await problem(413, "body_too_large")(scope, receive, send)
                return
            if not message.get("more_body", False):
                break
        is_given = False

        async def receive_again() -> Message:
            nonlocal is_given
            if is_given:
                return await receive()
            is_given = True
            return {"type": "http.request", "body": bytes(body), "more_body": False}

        await self._app(scope, receive_again, send)


class ChatCors(CORSMiddleware):
    """Lets other sites use the chat, and nothing else of the app. No cookies are involved."""

    _OPEN_PATHS = ("/chat/", "/static/")

    def __init__(self, app: ASGIApp, origins: list[str]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID"],
            expose_headers=["X-Request-ID", "Retry-After"],
            max_age=3_600,
        )
        self._plain: Any = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one ASGI scope."""
        if scope["type"] == "http" and scope["path"].startswith(self._OPEN_PATHS):
            await super().__call__(scope, receive, send)
        else:
            await self._plain(scope, receive, send)
