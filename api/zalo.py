"""Puts the Zalo channel together from the settings; without them the channel is off."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import timedelta

from api.settings import Settings
from connectors.credentials import ChannelCredentials
from connectors.zalo.channel import ZaloChannel, build_zalo
from connectors.zalo.settings import ZaloSettings
from database.clock import Clock
from database.engine import Database

CONNECT_PATH = "/console/channels/connect/zalo"
CALLBACK_PATH = f"{CONNECT_PATH}/callback"
WEBHOOK_PATH = "/webhooks/zalo"


def missing_settings(settings: Settings) -> list[str]:
    """Return the names of the settings without which the channel is off."""
    given = {"ZALO_APP_ID": settings.zalo_app_id, "ZALO_APP_SECRET": _secret(settings, "zalo_app_secret")}
    return [name for name, value in given.items() if not value]


def zalo_settings(settings: Settings) -> ZaloSettings:
    """Return what the channel needs to know."""
    return ZaloSettings(
        app_id=settings.zalo_app_id,
        app_secret=_secret(settings, "zalo_app_secret"),
        oa_id=settings.zalo_oa_id,
        oa_secret=_secret(settings, "zalo_oa_secret"),
        api_url=settings.zalo_api_url,
        oauth_url=settings.zalo_oauth_url,
        redirect_url=settings.resolved_public_url() + CALLBACK_PATH,
        code_verifier=_verifier(settings),
        window=timedelta(hours=settings.zalo_window_hours),
        buttons=settings.zalo_buttons,
        contact_image_url=settings.zalo_contact_image_url,
        requests_per_minute=settings.zalo_requests_per_minute,
    )


def zalo_channel(
    settings: Settings, database: Database, clock: Clock, credentials: ChannelCredentials
) -> ZaloChannel | None:
    """Return the channel, None while it is off."""
    if missing_settings(settings):
        return None
    return build_zalo(zalo_settings(settings), database, clock, credentials)


def _verifier(settings: Settings) -> str:
    """Return the PKCE verifier (RFC 7636: 43 characters).

    Zalo has its challenge as a setting of the application, so it stays the same as the secret key does.
    """
    key = settings.resolved_secret_key().encode()
    digest = hmac.digest(key, b"zalo pkce " + settings.zalo_app_id.encode(), hashlib.sha256)
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _secret(settings: Settings, name: str) -> str:
    value: str = getattr(settings, name).get_secret_value()
    return value.strip()
