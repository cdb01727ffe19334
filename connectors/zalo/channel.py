"""The parts of the Zalo channel, put together for a process."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

from connectors.credentials import ChannelCredentials
from connectors.uploads import Uploads
from connectors.zalo.client import ZaloClient
from connectors.zalo.connector import ZaloConnector
from connectors.zalo.oauth import ZaloOAuth
from connectors.zalo.settings import ZaloSettings
from connectors.zalo.tokens import LEASE, ZaloTokens
from connectors.zalo.webhook import ZaloWebhook
from conversations.tasks import end_tasks
from database.clock import Clock
from database.engine import Database


@dataclass(slots=True)
class ZaloChannel:
    """One Official Account in both directions."""

    settings: ZaloSettings
    client: ZaloClient
    oauth: ZaloOAuth
    tokens: ZaloTokens
    connector: ZaloConnector
    webhook: ZaloWebhook
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to keep the token fresh."""
        self._tasks.append(asyncio.create_task(self.tokens.keep_fresh(), name="zalo-token"))

    async def stop(self) -> None:
        """Finish what is under way and close the connections."""
        await end_tasks(self._tasks)
        self._tasks.clear()
        await self.tokens.stop()
        await self.client.close()


def build_zalo(
    settings: ZaloSettings,
    database: Database,
    clock: Clock,
    credentials: ChannelCredentials,
    *,
    lease: timedelta = LEASE,
) -> ZaloChannel:
    """Make the channel; nothing is opened before it is used."""
    client = ZaloClient(settings)
    oauth = ZaloOAuth(settings, lambda: client.session)
    tokens = ZaloTokens(credentials, oauth, clock, lease=lease)
    connector = ZaloConnector(settings, client, tokens, Uploads(database, clock))
    return ZaloChannel(settings, client, oauth, tokens, connector, ZaloWebhook(settings, clock))
