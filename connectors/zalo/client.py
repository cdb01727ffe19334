"""Calls Zalo's Open API: one pooled session, the token in the header `access_token`, errors by their code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import structlog

from connectors.zalo import errors
from connectors.zalo.limiter import RateLimit, RateLimitedError
from connectors.zalo.settings import ZaloSettings

log = structlog.get_logger(__name__)

_TIMEOUT = aiohttp.ClientTimeout(total=10, connect=3)
_CONNECTIONS = 32
_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture or file as it is uploaded."""

    content: bytes
    name: str
    content_type: str


class ZaloError(Exception):
    """A call that did not do what it should.

    Attributes:
        kind: what it means for the message.
        name: a short code for the record: "zalo_230", "timeout", "http_502".
        retry_after: seconds until it may be tried again, where that is known.
    """

    def __init__(self, kind: errors.Kind, name: str, retry_after: float | None = None) -> None:
        super().__init__(name)
        self.kind: errors.Kind = kind
        self.name = name
        self.retry_after = retry_after


class ZaloClient:
    """The Open API of one account.

    Args:
        settings: where the provider is.
    """

    def __init__(self, settings: ZaloSettings) -> None:
        self._base = settings.api_url.rstrip("/")
        self._limit = RateLimit(settings.requests_per_minute)
        self._session: aiohttp.ClientSession | None = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The pooled session, opened at first use."""
        if self._session is None or self._session.closed:
            self._session = aiohttp.ClientSession(
                timeout=_TIMEOUT, connector=aiohttp.TCPConnector(limit=_CONNECTIONS)
            )
        return self._session

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()

    async def send(self, token: str, recipient: dict[str, str], message: dict[str, Any]) -> str | None:
        """Send a customer-service message; return the provider's id of it.

        Raises:
            ZaloError: it was not taken.
        """
        body = {"recipient": recipient, "message": message}
        data = await self._call("POST", "/v3.0/oa/message/cs", token, body=body)
        given = data.get("message_id")
        return str(given) if given else None

    async def upload(self, token: str, what: Literal["image", "file"], file: Upload) -> str:
        """Upload a picture (at most 1 MB) or a file (at most 5 MB); return by what a message names it.

        Raises:
            ZaloError: it was not taken.
        """
        form = aiohttp.FormData()
        form.add_field("file", file.content, filename=file.name, content_type=file.content_type)
        data = await self._call("POST", f"/v2.0/oa/upload/{what}", token, form=form)
        given = data.get("attachment_id" if what == "image" else "token")
        if not isinstance(given, str) or not given:
            raise ZaloError("permanent", "malformed")
        return given

    async def account(self, token: str) -> dict[str, Any]:
        """Return what the provider knows of the account: `name`, `oa_id` and more.

        Raises:
            ZaloError: it does not tell.
        """
        return await self._call("GET", "/v2.0/oa/getoa", token)

    async def _call(
        self,
        method: str,
        path: str,
        token: str,
        *,
        body: dict[str, Any] | None = None,
        form: aiohttp.FormData | None = None,
    ) -> dict[str, Any]:
        try:
            await self._limit.acquire()
            async with self.session.request(
                method,
                self._base + path,
                json=body,
                data=form,
                headers={"access_token": token},
                allow_redirects=False,
            ) as response:
                content = await response.read()
        except RateLimitedError as error:
            raise ZaloError("transient", "rate_limited", error.retry_after) from error
        except TimeoutError as error:
            raise ZaloError("transient", "timeout") from error
        except aiohttp.ClientError as error:
            raise ZaloError("transient", type(error).__name__) from error
        self._limit.learn(response.headers)
        return self._answer(path, response.status, response.headers.get("Retry-After"), content)

    def _answer(self, path: str, status: int, retry_after: str | None, content: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(content)
        except ValueError:
            answer = None
        code = answer.get("error") if isinstance(answer, dict) else None
        if status == 429:
            given = float(retry_after) if retry_after and retry_after.isdecimal() else None
            raise ZaloError("transient", "http_429", self._limit.close(given))
        if status >= 500 or not isinstance(code, int):
            kind: errors.Kind = "transient" if status >= 500 or status < 400 else "permanent"
            raise ZaloError(kind, "malformed" if status < 400 else f"http_{status}")
        if code != 0:
            words = str(answer.get("message", ""))[:_LONGEST_WORDS] if isinstance(answer, dict) else ""
            log.warning("zalo_refused", path=path, code=code, words=words)
            pause = self._limit.close() if code == errors.RATE else None
            raise ZaloError(errors.kind_of(code), errors.name_of(code), pause)
        data = answer.get("data") if isinstance(answer, dict) else None
        return data if isinstance(data, dict) else {}
