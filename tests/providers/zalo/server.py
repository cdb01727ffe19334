"""The played Zalo as one HTTP server: Open API, OAuth, media, control."""

from __future__ import annotations

from tests.providers.played.server import PlayedProvider
from tests.providers.zalo.control import Control
from tests.providers.zalo.oauth import OAuth
from tests.providers.zalo.open_api import OpenApi
from tests.providers.zalo.state import Options, State
from tests.providers.zalo.webhooks import Webhooks

LARGEST_BODY = 8 * 1024 * 1024


class PlayedZalo(PlayedProvider):
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
        api = [*self.api.routes(), *self.oauth.routes()]
        super().__init__(self.state, self.webhooks, self.control, api, LARGEST_BODY)

    async def stop(self) -> None:
        """Stop listening and delivering."""
        self.oauth.release()
        await super().stop()

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
