"""Calls Meta's Graph API for one page: one pooled session, every answer sorted, rate limits obeyed.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/reference
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
import structlog

from connectors.messenger import usage
from connectors.messenger.errors import RATE_LIMITED, Fault, GraphError, classify
from connectors.messenger.signature import proof

log = structlog.get_logger(__name__)

API_URL = "https://graph.facebook.com/v25.0"
"""Meta keeps a version for two years; v25.0 is the one its documentation of April 2026 uses."""

TokenSource = Callable[[], Awaitable[str | None]]
"""Returns the page's token as it is now; None: no page is connected."""

_SECONDS = 12.0
_CONNECT_SECONDS = 4.0
_CONNECTIONS = 50


class GraphClient:
    """The Graph API as one app and one page use it.

    Args:
        page_id: the page.
        app_id: the app.
        app_secret: the app's secret; it proves every call.
        token: where the page's token is found.
        api_url: the API's address with its version.
        timeout: seconds for one call.
    """

    def __init__(
        self,
        *,
        page_id: str,
        app_id: str,
        app_secret: str,
        token: TokenSource,
        api_url: str = API_URL,
        timeout: float = _SECONDS,
    ) -> None:
        self.page_id = page_id
        self.app_id = app_id
        self._secret = app_secret
        self._token = token
        self._url = api_url.rstrip("/")
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._resume_at = 0.0

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def send(self, body: Mapping[str, Any]) -> str:
        """Send a message or a sender action; return the message's id, "" for an action.

        Raises:
            GraphError: Meta did not take it, or whether it did is not known.
        """
        answer = await self._as_page("POST", f"{self.page_id}/messages", json=dict(body))
        return str(answer.get("message_id", ""))

    async def upload(self, kind: str, path: Path, *, name: str, content_type: str) -> str:
        """Upload a file and return its attachment id, which may be sent many times (Meta keeps it 90 days).

        Args:
            kind: Meta's type: "image" or "file".
            path: the file on disk.
            name: its name as the citizen sees it.
            content_type: its media type.

        Raises:
            GraphError: as for `send`.
            OSError: the file cannot be read.
        """
        content = await asyncio.to_thread(path.read_bytes)
        # Names as they are, in UTF-8, as a browser sends them.
        form = aiohttp.FormData(quote_fields=False)
        message = {"attachment": {"type": kind, "payload": {"is_reusable": True}}}
        form.add_field("message", json.dumps(message))
        form.add_field("filedata", content, filename=name, content_type=content_type)
        answer = await self._as_page("POST", f"{self.page_id}/message_attachments", data=form)
        return str(answer["attachment_id"])

    async def profile(self, fields: tuple[str, ...]) -> dict[str, Any]:
        """Return the page's Messenger profile: the fields that are set."""
        answer = await self._as_page(
            "GET", f"{self.page_id}/messenger_profile", params={"fields": ",".join(fields)}
        )
        found = answer.get("data")
        return dict(found[0]) if isinstance(found, list) and found else {}

    async def set_profile(self, values: Mapping[str, Any]) -> None:
        """Set fields of the page's Messenger profile."""
        await self._as_page("POST", f"{self.page_id}/messenger_profile", json=dict(values))

    async def page_name(self, token: str | None = None) -> str:
        """Return the page's name, asked with a token that is not stored yet, or with the stored one."""
        answer = await self._as_page("GET", self.page_id, params={"fields": "name"}, token=token)
        return str(answer.get("name", ""))

    async def subscriptions(self, token: str | None = None) -> frozenset[str]:
        """Return which events the page sends to this app."""
        answer = await self._as_page("GET", f"{self.page_id}/subscribed_apps", token=token)
        apps = answer.get("data")
        own = [app for app in apps if str(app.get("id")) == self.app_id] if isinstance(apps, list) else []
        return frozenset(str(name) for app in own for name in app.get("subscribed_fields", ()))

    async def subscribe(self, fields: tuple[str, ...], token: str | None = None) -> None:
        """Make the page send these events to this app."""
        params = {"subscribed_fields": ",".join(fields)}
        await self._as_page("POST", f"{self.page_id}/subscribed_apps", params=params, token=token)

    async def token_details(self, token: str) -> dict[str, Any]:
        """Return what Meta knows of a token: is_valid, app_id, scopes, expires_at (seconds, 0: never)."""
        answer = await self._call(
            "GET",
            "debug_token",
            params={"input_token": token, "access_token": f"{self.app_id}|{self._secret}"},
        )
        details = answer.get("data")
        return dict(details) if isinstance(details, dict) else {}

    async def _as_page(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        token: str | None = None,
        **body: Any,
    ) -> dict[str, Any]:
        token = token or await self._token()
        if not token:
            raise GraphError(Fault("auth", "not_connected"))
        signed = {**(params or {}), "access_token": token, "appsecret_proof": proof(token, self._secret)}
        return await self._call(method, path, params=signed, **body)

    async def _call(
        self, method: str, path: str, *, params: Mapping[str, str], **body: Any
    ) -> dict[str, Any]:
        left = self._resume_at - time.monotonic()
        if left > 0:
            raise GraphError(Fault("transient", RATE_LIMITED), retry_after=left)
        try:
            async with self._opened().request(
                method, f"{self._url}/{path}", params=params, allow_redirects=False, **body
            ) as response:
                content = await response.read()
                status, headers = response.status, response.headers
        except TimeoutError as error:
            raise GraphError(Fault("transient", "timeout")) from error
        except aiohttp.ClientError as error:
            # The cause is left out: its text holds the address, which holds the token.
            log.info("messenger_unreachable", error=type(error).__name__)
            raise GraphError(Fault("transient", "connection")) from None
        wait = usage.pause(headers)
        if wait > 0:
            self._resume_at = max(self._resume_at, time.monotonic() + wait)
            log.warning("messenger_rate_limited", seconds=round(wait))
        parsed = _parsed(content)
        if status == 200 and isinstance(parsed, dict) and "error" not in parsed:
            return parsed
        fault = classify(status, parsed)
        log.warning(
            "messenger_refused",
            status=status,
            code=fault.code,
            subcode=fault.subcode,
            reason=fault.reason,
        )
        raise GraphError(fault, retry_after=wait or None)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=_CONNECTIONS),
                timeout=aiohttp.ClientTimeout(total=self._timeout, connect=_CONNECT_SECONDS),
            )
        return self._session


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except ValueError:
        return None
