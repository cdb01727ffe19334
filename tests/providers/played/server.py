"""A played provider as one HTTP server: its API, media, control."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from aiohttp import web

from tests.providers.played.control import Control
from tests.providers.played.state import AnyState
from tests.providers.played.webhooks import Webhooks


class PlayedProvider:
    """Plays a provider for one account. Nothing in it knows the app under test but its addresses.

    Args:
        state: what the provider knows.
        webhooks: tells the app under test.
        control: what the provider is told to do.
        api: the addresses of the provider's own API.
        largest_body: in bytes.
    """

    def __init__(
        self,
        state: AnyState,
        webhooks: Webhooks[Any],
        control: Control[Any, Any],
        api: Iterable[web.RouteDef],
        largest_body: int,
    ) -> None:
        self.url = ""
        self._state = state
        self._webhooks = webhooks
        self._app = web.Application(client_max_size=largest_body)
        self._app.add_routes([*control.routes(), web.get("/media/{key}", self._media), *api])
        self._runner = web.AppRunner(self._app, access_log=None)

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback; port 0: any that is free."""
        self.url = self._state.options.public_url = await listen(self._runner, port)
        await self._webhooks.start()

    async def stop(self) -> None:
        """Stop listening and delivering."""
        await self._webhooks.stop()
        await self._runner.cleanup()

    def settings(self) -> dict[str, str]:
        """Return the settings an app is to be started with."""
        raise NotImplementedError

    async def _media(self, request: web.Request) -> web.Response:
        found = self._state.media.get(request.match_info["key"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], content_type=found[1])


async def listen(runner: web.AppRunner, port: int) -> str:
    """Listen on the loopback; return the address."""
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"
