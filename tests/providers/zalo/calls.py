"""What every call of the played Zalo goes through: slowness, outages, dropped connections, the record."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.providers.zalo.rules import RefusalError
from tests.providers.zalo.state import State

Work = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def played(state: State, work: Work, *, is_limited: bool = True) -> Handler:
    """Return a handler that answers as the provider does, or does not answer, as it was asked to."""

    async def handle(request: web.Request) -> web.StreamResponse:
        faults = state.faults
        headers = {}
        if faults.latency_ms:
            await asyncio.sleep(faults.latency_ms / 1000)
        if faults.drop_connection and faults.drop_connection != "after":
            _note(state, request, None, None, "dropped")
            return _dropped(request)
        if faults.down:
            _note(state, request, None, 502, "down")
            return web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")
        body: Any = None
        try:
            body = await _body(request)
            if is_limited:
                left = state.count_call()
                headers["X-RateLimit-Limit"] = str(state.options.calls_per_minute)
                headers["X-RateLimit-Remain"] = str(max(0, left))
                if left < 0:
                    raise RefusalError(-32, "Your application reached call limit")
            answer = await work(request, body)
        except RefusalError as refusal:
            _note(state, request, body, 200, refusal.code)
            return web.json_response({"error": refusal.code, "message": refusal.message}, headers=headers)
        if faults.drop_connection == "after":
            _note(state, request, body, None, "taken, not answered")
            return _dropped(request)
        _note(state, request, body, 200, None, answer)
        return web.json_response(answer, headers=headers)

    return handle


async def _body(request: web.Request) -> Any:
    if request.content_type in ("multipart/form-data", "application/x-www-form-urlencoded"):
        return await request.post()
    if request.method != "POST" or not request.can_read_body:
        return None
    try:
        return await request.json()
    except ValueError:
        raise RefusalError(-201, "Params is invalid: the body is no JSON") from None


def _note(
    state: State, request: web.Request, body: Any, status: int | None, error: Any, answer: Any = None
) -> None:
    shown = body if isinstance(body, dict) else None
    what = {"method": request.method, "path": request.path, "status": status, "error": error}
    secret_free = None if request.path.startswith("/v4/") else answer
    state.note("call", **what, body=shown, answer=secret_free)


def _dropped(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
