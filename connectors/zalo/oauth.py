"""Zalo's OAuth v4: the permission page, and pairs of tokens for a code or for a refresh token.

A refresh token works once. A call whose answer did not arrive may therefore have used it up; such calls are
told apart from those that cannot have reached the provider.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import aiohttp

from connectors.zalo import errors
from connectors.zalo.settings import ZaloSettings

TIMEOUT = 20.0
"""Seconds one call may take."""

_SHORTEST_LIFE = timedelta(hours=1)
_LONGEST_LIFE = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class TokenPair:
    """An access token with its life, and the refresh token that replaces both once."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)
    life: timedelta


class OAuthError(Exception):
    """No pair of tokens.

    Attributes:
        name: a short code.
        refused: the provider answered, and refused.
        reached: the provider may have done it although no answer came.
    """

    def __init__(self, name: str, *, refused: bool = False, reached: bool = False) -> None:
        super().__init__(name)
        self.name = name
        self.refused = refused
        self.reached = reached


class ZaloOAuth:
    """The provider's permission page and token endpoint.

    Args:
        settings: the application and where the provider is.
        session: returns the HTTP session to use.
    """

    def __init__(self, settings: ZaloSettings, session: Callable[[], aiohttp.ClientSession]) -> None:
        self._settings = settings
        self._session = session
        self._base = settings.oauth_url.rstrip("/")

    @property
    def code_challenge(self) -> str:
        """The PKCE challenge (S256), which is also a setting of the application at Zalo."""
        digest = hashlib.sha256(self._settings.code_verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()

    def permission_url(self, state: str) -> str:
        """Return the address of the page where the account's administrator allows the application."""
        query = {
            "app_id": self._settings.app_id,
            "redirect_uri": self._settings.redirect_url,
            "code_challenge": self.code_challenge,
            "state": state,
        }
        return f"{self._base}/v4/oa/permission?{urlencode(query)}"

    async def exchange(self, code: str) -> TokenPair:
        """Return the pair for a code of the permission page.

        Raises:
            OAuthError: there is none.
        """
        verifier = self._settings.code_verifier
        return await self._tokens(grant_type="authorization_code", code=code, code_verifier=verifier)

    async def refresh(self, refresh_token: str) -> TokenPair:
        """Return the next pair; the refresh token is used up by it.

        Raises:
            OAuthError: there is none, as far as we know.
        """
        return await self._tokens(grant_type="refresh_token", refresh_token=refresh_token)

    async def _tokens(self, **form: str) -> TokenPair:
        try:
            async with self._session().post(
                f"{self._base}/v4/oa/access_token",
                data={"app_id": self._settings.app_id, **form},
                headers={"secret_key": self._settings.app_secret},
                timeout=aiohttp.ClientTimeout(total=TIMEOUT),
                allow_redirects=False,
            ) as response:
                status, content = response.status, await response.read()
        except aiohttp.ClientConnectorError as error:
            raise OAuthError("unreachable") from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise OAuthError("no_answer", reached=True) from error
        return _pair(status, content)


def _pair(status: int, content: bytes) -> TokenPair:
    try:
        answer = json.loads(content)
    except ValueError:
        answer = None
    if status >= 500 or status == 429:
        raise OAuthError(f"http_{status}", reached=True)
    if not isinstance(answer, dict):
        raise OAuthError(f"http_{status}" if status >= 400 else "malformed", reached=True)
    access, refresh = answer.get("access_token"), answer.get("refresh_token")
    if isinstance(access, str) and isinstance(refresh, str) and access and refresh:
        return TokenPair(access, refresh, _life(answer.get("expires_in")))
    code = _code(answer)
    raise OAuthError(errors.name_of(code), refused=code != errors.RATE)


def _code(answer: dict[str, Any]) -> int:
    code = answer.get("error", 0)
    return code if isinstance(code, int) else 0


def _life(given: object) -> timedelta:
    """Return how long an access token lives: told in seconds, as a string; without it the shortest known."""
    try:
        life = timedelta(seconds=int(str(given)))
    except (ValueError, OverflowError):
        return _SHORTEST_LIFE
    return min(max(life, timedelta(minutes=1)), _LONGEST_LIFE)
