"""The played Messenger as one HTTP server: Graph API, media, control."""

from __future__ import annotations

from aiohttp import web

from tests.providers.messenger.control import Control
from tests.providers.messenger.graph import Graph
from tests.providers.messenger.state import Options, State
from tests.providers.messenger.webhooks import Webhooks

LARGEST_BODY = 30 * 1024 * 1024


class PlayedMessenger:
    """Plays Meta for one page. Nothing in it knows the app under test but its webhook address.

    Args:
        options: as the app under test is set up.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.state = State(self.options)
        self.webhooks = Webhooks(self.state)
        self.control = Control(self.state, self.webhooks)
        self.url = ""
        self._runner: web.AppRunner | None = None

    @property
    def api_url(self) -> str:
        """The address for MESSENGER_API_URL."""
        return f"{self.url}/v25.0"

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback; port 0: any that is free."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes([*self.control.routes(), web.get("/media/{key}", self._media)])
        app.add_routes(Graph(self.state, self.webhooks).routes())
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.options.public_url = self.url
        await self.webhooks.start()

    async def stop(self) -> None:
        """Stop listening and delivering."""
        await self.webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def settings(self) -> dict[str, str]:
        """Return the settings an app is to be started with."""
        options = self.options
        return {
            "MESSENGER_API_URL": self.api_url,
            "MESSENGER_PAGE_ID": options.page_id,
            "MESSENGER_APP_ID": options.app_id,
            "MESSENGER_APP_SECRET": options.app_secret,
            "MESSENGER_VERIFY_TOKEN": options.verify_token,
            "MESSENGER_PAGE_TOKEN": options.page_token,
            "MESSENGER_HUMAN_AGENT": str(options.has_human_agent).lower(),
        }

    async def _media(self, request: web.Request) -> web.Response:
        found = self.state.media.get(request.match_info["key"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], content_type=found[1])
