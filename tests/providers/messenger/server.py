"""The played Messenger as one HTTP server: Graph API, media, control."""

from __future__ import annotations

from tests.providers.messenger.control import Control
from tests.providers.messenger.graph import Graph
from tests.providers.messenger.state import Options, State
from tests.providers.messenger.webhooks import Webhooks
from tests.providers.played.server import PlayedProvider

LARGEST_BODY = 30 * 1024 * 1024


class PlayedMessenger(PlayedProvider):
    """Plays Meta for one page. Nothing in it knows the app under test but its webhook address.

    Args:
        options: as the app under test is set up.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options or Options()
        self.state = State(self.options)
        self.webhooks = Webhooks(self.state)
        self.control = Control(self.state, self.webhooks)
        graph = Graph(self.state, self.webhooks)
        super().__init__(self.state, self.webhooks, self.control, graph.routes(), LARGEST_BODY)

    @property
    def api_url(self) -> str:
        """The address for MESSENGER_API_URL."""
        return f"{self.url}/v25.0"

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
