"""A page with phones of people: it shows what the played providers tell, and speaks by their control API."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web

from tests.providers.played.server import listen

_HERE = Path(__file__).parent
_STATIC = Path(__file__).parents[3] / "web" / "static"
_FILES = {"/": "index.html", "/phone.css": "phone.css", "/phone.js": "phone.js"}
_VERBS = {"say", "screen", "users", "faults", "record", "clock"}
LARGEST_BODY = 12 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Provider:
    """Where a played provider is, and the word its control API wants to hear."""

    url: str
    control_token: str


class PhonePage:
    """Serves the page and passes its calls on, so that the browser needs neither token nor other origins.

    Args:
        providers: by name.
    """

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._session: aiohttp.ClientSession | None = None
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback; port 0: any that is free."""
        app = web.Application(client_max_size=LARGEST_BODY)
        for path in _FILES:
            app.router.add_get(path, self._file)
        app.router.add_static("/static", _STATIC)
        app.router.add_get("/providers", self._names)
        app.router.add_route("*", "/control/{provider}/{verb}", self._pass_on)
        self._session = aiohttp.ClientSession()
        self._runner = web.AppRunner(app, access_log=None)
        self.url = await listen(self._runner, port)

    async def stop(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    async def _file(self, request: web.Request) -> web.FileResponse:
        return web.FileResponse(_HERE / _FILES[request.path], headers={"Cache-Control": "no-cache"})

    async def _names(self, _request: web.Request) -> web.Response:
        return web.json_response(list(self._providers))

    async def _pass_on(self, request: web.Request) -> web.Response:
        provider = self._providers.get(request.match_info["provider"])
        verb = request.match_info["verb"]
        if provider is None or verb not in _VERBS or request.method not in ("GET", "POST"):
            raise web.HTTPNotFound
        # Only this page may speak for people: another site's form cannot send JSON without asking first.
        if request.method == "POST" and request.content_type != "application/json":
            raise web.HTTPUnsupportedMediaType
        assert self._session is not None
        try:
            async with self._session.request(
                request.method,
                f"{provider.url}/_control/{verb}",
                params=request.query,
                data=await request.read(),
                headers={
                    "Authorization": f"Bearer {provider.control_token}",
                    "Content-Type": "application/json",
                },
            ) as answer:
                return web.Response(
                    body=await answer.read(), status=answer.status, content_type="application/json"
                )
        except aiohttp.ClientError:
            return web.json_response({"error": "the played provider does not answer"}, status=502)
