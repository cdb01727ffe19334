"""The played permission page and token endpoint of OAuth v4."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Any
from urllib.parse import urlencode

from aiohttp import web

from tests.providers.zalo.calls import played
from tests.providers.zalo.rules import RefusalError
from tests.providers.zalo.state import State, challenge_of

INVALID_REQUEST = -14003
INVALID_CODE = -14002
INVALID_REFRESH = -14014
INVALID_SECRET = -14004


class OAuth:
    """Gives out pairs of tokens; judges whether one is renewed twice at once.

    Args:
        state: the account.
    """

    def __init__(self, state: State) -> None:
        self._state = state
        self.held = asyncio.Event()
        self.quiet = asyncio.Event()
        self._released = asyncio.Event()

    def release(self) -> None:
        """Let refreshes that are held go on."""
        self.held.clear()
        self._released.set()
        self._released.clear()

    async def _hold(self) -> None:
        self.held.set()
        await self._released.wait()

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.get("/v4/oa/permission", self._permission),
            web.post("/v4/oa/access_token", played(self._state, self._tokens, is_limited=False)),
        ]

    async def _permission(self, request: web.Request) -> web.StreamResponse:
        """Allow at once what an administrator would allow by a tap."""
        query, options = request.query, self._state.options
        right = (
            query.get("app_id") == options.app_id
            and query.get("redirect_uri") == options.redirect_uri
            and options.redirect_uri
            and query.get("code_challenge")
            and options.code_challenge in (None, query["code_challenge"])
        )
        if not right:
            raise web.HTTPFound(f"/v4/permission/error?error_code={INVALID_REQUEST}")
        code = secrets.token_urlsafe(40)
        self._state.codes[code] = query["code_challenge"]
        back = {"code": code, "oa_id": options.oa_id, "state": query.get("state", "")}
        raise web.HTTPFound(f"{options.redirect_uri}?{urlencode(back)}")

    async def _tokens(self, request: web.Request, form: Any) -> dict[str, Any]:
        options = self._state.options
        if form is None or form.get("app_id") != options.app_id:
            raise RefusalError(INVALID_REQUEST, "Invalid app id")
        given = request.headers.get("secret_key", "")
        if not hmac.compare_digest(given.encode(), options.app_secret.encode()):
            raise RefusalError(INVALID_SECRET, "Invalid secret key")
        match form.get("grant_type"):
            case "authorization_code":
                return self._exchange(form)
            case "refresh_token":
                return await self._refresh(request, form)
        raise RefusalError(INVALID_REQUEST, "Invalid grant type")

    def _exchange(self, form: Any) -> dict[str, Any]:
        challenge = self._state.codes.pop(str(form.get("code")), None)
        if challenge is None:
            raise RefusalError(INVALID_CODE, "Invalid authorized code")
        if challenge_of(str(form.get("code_verifier", ""))) != challenge:
            raise RefusalError(INVALID_REQUEST, "Invalid code verifier")
        return self._state.new_pair()

    async def _refresh(self, request: web.Request, form: Any) -> dict[str, Any]:
        state = self._state
        state.refreshing += 1
        self.quiet.clear()
        state.most_refreshing = max(state.most_refreshing, state.refreshing)
        try:
            if state.faults.hold_refresh == "before":
                await self._hold()
                if request.transport is None or request.transport.is_closing():
                    raise RefusalError(INVALID_REQUEST, "whoever asked has gone")
            if form.get("refresh_token") != state.refresh:
                state.used_again += 1
                raise RefusalError(INVALID_REFRESH, "Invalid refresh token")
            state.refreshes += 1
            pair = state.new_pair()
            # Gives a second one the time to come in between.
            await asyncio.sleep(0.001)
            if state.faults.hold_refresh == "after":
                await self._hold()
            return pair
        finally:
            state.refreshing -= 1
            if not state.refreshing:
                self.quiet.set()
