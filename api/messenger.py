"""Puts the parts of the Messenger channel together; without its settings the channel is off."""

from __future__ import annotations

from dataclasses import dataclass

from api.settings import Settings
from connectors.credentials import ChannelCredentials
from connectors.messenger.client import GraphClient
from connectors.messenger.connector import CHANNEL, Messenger
from connectors.messenger.events import Account
from connectors.messenger.webhook import Keys, MessengerWebhook
from database.clock import Clock

PAGE_TOKEN = "page_token"  # noqa: S105 - the name it is stored under
"""Name of the page's token among the channel's credentials."""

_NEEDED = ("messenger_page_id", "messenger_app_id", "messenger_app_secret")


@dataclass(frozen=True, slots=True)
class MessengerParts:
    """The channel: what sends, and what receives."""

    connector: Messenger
    webhook: MessengerWebhook

    async def close(self) -> None:
        """Close the connections."""
        await self.connector.close()


def missing_settings(settings: Settings) -> list[str]:
    """Return the names of the settings that the channel needs and does not have."""
    values = {
        "messenger_page_id": settings.messenger_page_id,
        "messenger_app_id": settings.messenger_app_id,
        "messenger_app_secret": settings.messenger_app_secret.get_secret_value(),
    }
    return [name.upper() for name in _NEEDED if not values[name]]


def graph_client(settings: Settings, credentials: ChannelCredentials) -> GraphClient:
    """Return the Graph API with the token of the settings, else with the stored one as it is at each call."""

    async def token() -> str | None:
        given = settings.messenger_page_token.get_secret_value()
        if given:
            return given
        stored = await credentials.get(CHANNEL)
        return stored.values.get(PAGE_TOKEN) if stored is not None else None

    return GraphClient(
        page_id=settings.messenger_page_id,
        app_id=settings.messenger_app_id,
        app_secret=settings.messenger_app_secret.get_secret_value(),
        token=token,
        api_url=settings.messenger_api_url,
    )


def build_messenger(
    settings: Settings, credentials: ChannelCredentials, clock: Clock
) -> MessengerParts | None:
    """Return the channel, None while it is off."""
    if missing_settings(settings):
        return None
    connector = Messenger(
        graph_client(settings, credentials), clock, human_agent=settings.messenger_human_agent
    )
    keys = Keys(
        app_secret=settings.messenger_app_secret.get_secret_value(),
        verify_token=settings.messenger_verify_token.get_secret_value(),
        allow_sha1=settings.messenger_allow_sha1,
    )
    account = Account(settings.messenger_page_id, settings.messenger_app_id)
    return MessengerParts(connector, MessengerWebhook(account, keys, connector, clock))
