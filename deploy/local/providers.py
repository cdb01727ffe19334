"""Starts a played provider (`tests/providers`) beside an instance, and connects the instance to it."""

from __future__ import annotations

import base64
import hashlib
import secrets
import sys
from datetime import timedelta
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qs, urlsplit

import aiohttp

from api.startup import prepare_database
from connectors.credentials import ChannelCredentials
from database.clock import SystemClock
from database.engine import Database
from deploy.local.stack import Stack
from deploy.local.supervisor import Service

ProviderChannel = Literal["zalo", "messenger"]

CONTROL_TOKEN = "control"  # noqa: S105 - of a provider that is played
"""What the control side of a played provider asks for."""

_NAME = "provider"


def provider_service(channel: ProviderChannel, port: int, stack: Stack) -> Service:
    """Return the played provider of a channel, which delivers to `stack` and whose API listens on `port`."""
    webhook = f"{stack.url}/webhooks/{channel}"
    command = [sys.executable, "-m", f"tests.providers.{channel}", "--port", str(port), "--webhook", webhook]
    if channel == "zalo":
        command += ["--redirect-uri", _redirect(stack)]

    async def is_ready() -> bool:
        try:
            async with (
                aiohttp.ClientSession() as http,
                http.get(f"http://127.0.0.1:{port}/_control/users") as response,
            ):
                return response.status == 401
        except aiohttp.ClientError:
            return False

    return Service(_NAME, command, is_ready)


async def connected_settings(
    channel: ProviderChannel, stack: Stack, logs: Path, database_url: str, key: str
) -> dict[str, str]:
    """Connect an instance to the provider that was started; return the settings it has to be started with.

    Args:
        channel: which provider.
        stack: the instance.
        logs: the supervisor's folder of logs; the provider prints its settings when it starts.
        database_url: the instance's database; it is brought up to date.
        key: the instance's secret key.
    """
    lines = (logs / f"{_NAME}.log").read_text(encoding="utf-8").splitlines()
    settings = dict(line.split("=", 1) for line in lines if "=" in line and line.split("=")[0].isupper())
    database = Database(database_url)
    try:
        await prepare_database(database)
        if channel == "zalo":
            await _connect_zalo(settings, database, _redirect(stack), key)
    finally:
        await database.close()
    return {**settings, "SECRET_KEY": key, "ZALO_REQUESTS_PER_MINUTE": "60000"}


def _redirect(stack: Stack) -> str:
    return f"{stack.url}/console/channels/connect/zalo/callback"


async def _connect_zalo(settings: dict[str, str], database: Database, redirect: str, key: str) -> None:
    """Do what an administrator does on the guided page: allow, and keep the pair of tokens."""
    verifier = secrets.token_urlsafe(32)
    digest = hashlib.sha256(verifier.encode()).digest()
    query = {
        "app_id": settings["ZALO_APP_ID"],
        "redirect_uri": redirect,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
    }
    url = settings["ZALO_OAUTH_URL"]
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{url}/v4/oa/permission", params=query, allow_redirects=False) as response:
            code = parse_qs(urlsplit(response.headers["Location"]).query)["code"][0]
        form = {
            "app_id": settings["ZALO_APP_ID"],
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": verifier,
        }
        headers = {"secret_key": settings["ZALO_APP_SECRET"]}
        async with http.post(f"{url}/v4/oa/access_token", data=form, headers=headers) as response:
            pair = await response.json(content_type=None)
    clock = SystemClock()
    await ChannelCredentials(database, clock, key).put(
        "zalo",
        account="1022",
        values={name: pair[name] for name in ("access_token", "refresh_token")},
        expires_at=clock.now() + timedelta(seconds=int(pair["expires_in"])),
    )
