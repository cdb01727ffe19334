"""The channel over a real database and the played Zalo."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest

from connectors.credentials import ChannelCredentials
from connectors.zalo.channel import ZaloChannel, build_zalo
from connectors.zalo.settings import ZaloSettings
from database.engine import Database
from tests.providers.zalo.server import PlayedZalo
from tests.providers.zalo.state import Options, challenge_of

VERIFIER = "v" * 43
REDIRECT = "https://1022.example/console/channels/connect/zalo/callback"


class ShiftedClock:
    """The machine's clock, which can be put forward."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        return datetime.now(UTC) + self.offset

    def forward(self, **span: float) -> None:
        self.offset += timedelta(**span)


@pytest.fixture
def zalo_database(either_database: Database) -> Database:
    """Each test runs on both databases."""
    return either_database


@pytest.fixture
async def played() -> AsyncIterator[PlayedZalo]:
    server = PlayedZalo(Options(redirect_uri=REDIRECT, code_challenge=challenge_of(VERIFIER), seed=1))
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
def zalo_clock() -> ShiftedClock:
    return ShiftedClock()


@pytest.fixture
def zalo_settings(played: PlayedZalo) -> ZaloSettings:
    options = played.options
    return ZaloSettings(
        app_id=options.app_id,
        app_secret=options.app_secret,
        oa_id=options.oa_id,
        oa_secret=options.oa_secret,
        api_url=played.url,
        oauth_url=played.url,
        redirect_url=REDIRECT,
        code_verifier=VERIFIER,
        contact_image_url="https://1022.example/card.png",
    )


@pytest.fixture
def credentials(zalo_database: Database, zalo_clock: ShiftedClock) -> ChannelCredentials:
    return ChannelCredentials(zalo_database, zalo_clock, "key")


@pytest.fixture
async def channel(
    zalo_settings: ZaloSettings,
    zalo_database: Database,
    zalo_clock: ShiftedClock,
    credentials: ChannelCredentials,
) -> AsyncIterator[ZaloChannel]:
    """The channel, not connected."""
    made = build_zalo(zalo_settings, zalo_database, zalo_clock, credentials)
    yield made
    await made.stop()


@pytest.fixture
async def connected(
    channel: ZaloChannel, played: PlayedZalo, credentials: ChannelCredentials, zalo_clock: ShiftedClock
) -> ZaloChannel:
    """The channel, connected an hour ago."""
    pair = played.state.new_pair()
    zalo_clock.forward(hours=-1)
    await credentials.put(
        "zalo",
        account=played.options.oa_name,
        values={"access_token": pair["access_token"], "refresh_token": pair["refresh_token"]},
        expires_at=zalo_clock.now() + timedelta(hours=25),
    )
    zalo_clock.forward(hours=1)
    return channel
