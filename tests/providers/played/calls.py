"""Calls to a played API: those that get no proper answer on demand, and the record of all."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from tests.providers.played.state import AnyState


class Call:
    """One call.

    Args:
        state: of the provider.
        request: the call.
        path: as the record shows it.
    """

    def __init__(self, state: AnyState, request: web.Request, path: str) -> None:
        self._state = state
        self._request = request
        self._path = path

    async def spoiled(self, down: web.Response) -> web.StreamResponse | None:
        """Wait as was asked for; return what is answered in place of an answer, `down` if it is down."""
        faults = self._state.faults
        if faults.latency_ms:
            await asyncio.sleep(faults.latency_ms / 1000)
        if faults.drop_connection and faults.drop_connection != "after":
            self.note(None, None, "dropped")
            return self._dropped()
        if faults.down:
            self.note(None, down.status, "down")
            return down
        return None

    def answered(self, body: Any, answer: web.Response, shown: dict[str, Any] | None) -> web.StreamResponse:
        """Answer what was done, or drop the connection now."""
        if self._state.faults.drop_connection == "after":
            self.note(body, None, "taken, not answered")
            return self._dropped()
        self.note(body, 200, None, shown)
        return answer

    def note(self, body: Any, status: int | None, error: Any, answer: dict[str, Any] | None = None) -> None:
        """Write the call on the record."""
        what = {"method": self._request.method, "path": self._path, "status": status, "error": error}
        self._state.note("call", **what, body=body if isinstance(body, dict) else None, answer=answer)

    def _dropped(self) -> web.StreamResponse:
        if self._request.transport is not None:
            self._request.transport.abort()
        return web.Response()
