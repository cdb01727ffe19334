"""The played Zalo as one HTTP server: Open API, OAuth, media, control."""

from __future__ import annotations

from aiohttp import web

from tests.providers.zalo.control import Control
from tests.providers.zalo.oauth import OAuth
from tests.providers.zalo.open_api import OpenApi
from tests.providers.zalo.state import Options, State
from tests.providers.zalo.webhooks import Webhooks

LARGEST_BODY = 8 * 1024 * 1024


class PlayedZalo:
    """Plays Zalo for one Official Account. Nothing in it knows the app under test but its addresses.

    Args:
        options: as the app under test is set up.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.state = State(self.options)
        self.webhooks = Webhooks(self.state)
        self.api = OpenApi(self.state, self.webhooks)
        self.oauth = OAuth(self.state)
        self.control = Control(self.state, self.webhooks, self.api, self.oauth)
        self.url = ""
        self._runner: web.AppRunner | None = None

    async def start(self, port: int = 0) -> None:
        """Listen on the loopback; port 0: any that is free."""
        app = web.Application(client_max_size=LARGEST_BODY)
        app.add_routes([*self.control.routes(), web.get("/media/{key}", self._media)])
        app.add_routes([*self.api.routes(), *self.oauth.routes()])
        self._runner = web.AppRunner(app, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        self.options.public_url = self.url
        await self.webhooks.start()

    async def stop(self) -> None:
        """Stop listening and delivering."""
        self.oauth.release()
        await self.webhooks.stop()
        if self._runner is not None:
            await self._runner.cleanup()

    def settings(self) -> dict[str, str]:
        """Return the settings an app is to be started with."""
        options = self.options
        return {
            "ZALO_API_URL": self.url,
            "ZALO_OAUTH_URL": self.url,
            "ZALO_APP_ID": options.app_id,
            "ZALO_APP_SECRET": options.app_secret,
            "ZALO_OA_ID": options.oa_id,
            "ZALO_OA_SECRET": options.oa_secret,
        }

    async def _media(self, request: web.Request) -> web.Response:
        found = self.state.media.get(request.match_info["key"])
        if found is None:
            raise web.HTTPNotFound
        return web.Response(body=found[0], content_type=found[1])
