"""The played provider as the driver sees it: people who write, their phones, what goes wrong."""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

import aiohttp

from connectors.credentials import ChannelCredentials
from database.clock import SystemClock
from database.engine import Database

_CONTROL_TOKEN = "control"  # noqa: S105 - of a provider that is played


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on somebody's phone."""

    is_mine: bool
    text: str


class Played:
    """Talks to the control side of a played provider.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {_CONTROL_TOKEN}"}
        self._http = aiohttp.ClientSession(headers=headers, timeout=aiohttp.ClientTimeout(total=60))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def say(self, user: str, text: str) -> bool:
        """Have somebody write; return whether the webhook will be signed as it should."""
        return bool((await self._post("say", {"user": user, "text": text}))["good"])

    async def faults(self, **faults: Any) -> None:
        """Let things go wrong, or not any more."""
        await self._post("faults", faults)

    async def items(self) -> int:
        """Return how many messages all phones show together."""
        return sum(user["items"] for user in await self._get("users"))

    async def users(self) -> list[str]:
        """Return everybody who has written."""
        return [user["user"] for user in await self._get("users")]

    async def screen(self, user: str) -> list[Shown]:
        """Return what somebody's phone shows, oldest first."""
        return [
            Shown(one["from"] == "me", str(one.get("text") or ""))
            for one in await self._get("screen", user=user)
            if one.get("kind") != "typing"
        ]

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return the provider's record of its deliveries."""
        return [entry for entry in await self._get("record") if entry["kind"] == "webhook"]

    async def _post(self, what: str, body: dict[str, Any]) -> Any:
        assert self._http is not None
        async with self._http.post(f"{self.url}/_control/{what}", json=body) as response:
            response.raise_for_status()
            return await response.json()

    async def _get(self, what: str, **query: str) -> Any:
        assert self._http is not None
        async with self._http.get(f"{self.url}/_control/{what}", params=query) as response:
            response.raise_for_status()
            return await response.json()


async def connect_zalo(settings: dict[str, str], database_url: str, redirect: str, key: str) -> None:
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
    database = Database(database_url)
    clock = SystemClock()
    try:
        await ChannelCredentials(database, clock, key).put(
            "zalo",
            account="1022",
            values={name: pair[name] for name in ("access_token", "refresh_token")},
            expires_at=clock.now() + timedelta(seconds=int(pair["expires_in"])),
        )
    finally:
        await database.close()
