"""What every call of the played Zalo goes through: slowness, outages, dropped connections, the record."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.providers.played.calls import Call
from tests.providers.zalo.rules import RefusalError
from tests.providers.zalo.state import State

Work = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def played(state: State, work: Work, *, is_limited: bool = True) -> Handler:
    """Return a handler that answers as the provider does, or does not answer, as it was asked to."""

    async def handle(request: web.Request) -> web.StreamResponse:
        call = Call(state, request, request.path)
        headers = {}
        down = web.Response(status=502, text="<html>Bad gateway</html>", content_type="text/html")
        if (spoiled := await call.spoiled(down)) is not None:
            return spoiled
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
            call.note(body, 200, refusal.code)
            return web.json_response({"error": refusal.code, "message": refusal.message}, headers=headers)
        # Tokens are kept off the record.
        shown = None if request.path.startswith("/v4/") else answer
        return call.answered(body, web.json_response(answer, headers=headers), shown)

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
