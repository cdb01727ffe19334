"""Keeps the access token alive: renewed early, by one process at a time, stored before it is used.

A refresh token works once and is replaced with every use, so two renewals at once, or a new pair that is not
stored, cost the account. Therefore:

1. Whoever renews first writes a lease into the credentials' row, under the row's lock. A lease outlives any
   call of the provider; it is only taken over when it has run out.
2. The new pair is committed before anybody sees it. While the database is away the process keeps trying, with
   the pair in its memory. It is committed whenever the row still holds the pair it replaces, whoever has the
   lease by then.
3. A process that dies between the provider's answer and the commit takes the pair with it, and so does an
   answer that is lost on the way. That cannot be undone. The next one finds the lease that was left, or the
   error `no_answer`, tries the old refresh token, and when that is refused the state is `needs_login` with
   the error `pair_lost`: an administrator connects the account again. Until it runs out, the access token in
   use may still work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from connectors.credentials import ChannelCredentials, Credentials
from connectors.zalo.oauth import TIMEOUT, OAuthError, TokenPair, ZaloOAuth
from connectors.zalo.settings import CHANNEL
from database.base import new_id
from database.clock import Clock
from database.engine import STORAGE_DOWN

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=3 * TIMEOUT)
"""How long nobody else renews after somebody began."""

RENEW_AT = 0.8
"""Share of its life after which an access token is renewed: 20 of 25 hours."""

PAIR_LOST = "pair_lost"
"""The error when a new pair was lost on its way to us."""

NO_ANSWER = "no_answer"
INTERRUPTED = "interrupted"

_ANSWER_MISSING = frozenset({NO_ANSWER, INTERRUPTED})
_LOOK_SECONDS = 60.0
_AFTER_REFUSAL = timedelta(minutes=30)
_AFTER_FAILURE = timedelta(minutes=1)
_TOO_NEW = timedelta(minutes=1)
_LONGEST_PAUSE = 5.0
_STOP_SECONDS = 30.0

Change = Callable[[Credentials], Credentials | None]


class NoTokenError(Exception):
    """There is no access token to use; `name` says why in a short code."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class ZaloTokens:
    """The access token of one account, shared by all processes through the database.

    Args:
        credentials: where the pair is kept.
        oauth: where a new one comes from.
        clock: the time.
        lease: how long nobody else renews after somebody began.
    """

    def __init__(
        self,
        credentials: ChannelCredentials,
        oauth: ZaloOAuth,
        clock: Clock,
        *,
        lease: timedelta = LEASE,
    ) -> None:
        self._credentials = credentials
        self._oauth = oauth
        self._clock = clock
        self._lease = lease
        self._known: Credentials | None = None
        self._renewing: asyncio.Task[bool] | None = None

    async def access(self) -> str:
        """Return the access token to use now.

        Raises:
            NoTokenError: never connected, or it has run out and could not be renewed.
        """
        if not self._is_fresh(self._known):
            self._known = await self._credentials.get(CHANNEL)
        if self._known is None:
            raise NoTokenError("not_connected")
        if not self._is_fresh(self._known):
            await self.renew(self._known.version)
        if not self._is_fresh(self._known):
            raise NoTokenError(self._known.error or "token_expired")
        return self._known.values["access_token"]

    async def after_refusal(self, token: str) -> str | None:
        """The provider refused an access token: return another one to try, None when there is none.

        When somebody renewed it meanwhile, that is the other one. A token of less than a minute is not
        renewed: then its age is not the trouble.
        """
        stored = self._known = await self._credentials.get(CHANNEL)
        if stored is None or not stored.values:
            return None
        if stored.values["access_token"] != token:
            return stored.values["access_token"]
        if self._clock.now() - stored.refreshed_at < _TOO_NEW:
            return None
        await self.renew(stored.version)
        after = self._known
        if after is None or after.version == stored.version:
            return None
        return after.values.get("access_token")

    async def connect(self, account: str, pair: TokenPair) -> None:
        """Store the pair that an administrator has just allowed."""
        self._known = await self._credentials.put(
            CHANNEL, account=account, values=_values(pair), expires_at=self._clock.now() + pair.life
        )

    async def keep_fresh(self) -> None:
        """Renew the token whenever it is due, for ever; every process may run it."""
        while True:
            try:
                await self.renew_if_due()
            except Exception as error:
                log.warning("zalo_token_look_failed", error=type(error).__name__)
            await asyncio.sleep(_LOOK_SECONDS)

    async def renew_if_due(self) -> bool:
        """Renew the token if its time has come; return whether a new one is stored."""
        stored = self._known = await self._credentials.get(CHANNEL)
        if stored is None or not self._is_due(stored):
            return False
        return await self.renew(stored.version)

    async def renew(self, version: int) -> bool:
        """Renew the pair of a version; return whether a new one is stored.

        It goes on when the caller is cancelled: a pair that was asked for must not be dropped.
        """
        if self._renewing is None:
            self._renewing = asyncio.create_task(self._renew(version), name="zalo-renew")
            self._renewing.add_done_callback(self._finished)
        return await asyncio.shield(self._renewing)

    async def stop(self) -> None:
        """Let a renewal that is under way finish."""
        if self._renewing is not None:
            await asyncio.wait([self._renewing], timeout=_STOP_SECONDS)

    def _finished(self, task: asyncio.Task[bool]) -> None:
        self._renewing = None
        if not task.cancelled() and (error := task.exception()) is not None:
            log.error("zalo_renewal_failed", error=type(error).__name__)

    async def _renew(self, version: int) -> bool:
        lease = new_id()
        interrupted = False
        now = self._clock.now()

        def take(stored: Credentials) -> Credentials | None:
            nonlocal interrupted
            if stored.version != version or not stored.values or _is_held(stored, now):
                return None
            interrupted = stored.lease is not None
            return replace(
                stored,
                # A failure that goes on keeps the moment it began.
                state="refreshing" if stored.state == "ok" else stored.state,
                error=INTERRUPTED if interrupted else stored.error,
                lease=lease,
                lease_until=now + self._lease,
            )

        taken = self._known = await self._credentials.change(CHANNEL, take)
        if taken is None or taken.lease != lease:
            return False
        if interrupted:
            log.error("zalo_renewal_was_interrupted", since=taken.state_since.isoformat())
        try:
            pair = await self._oauth.refresh(taken.values["refresh_token"])
        except OAuthError as error:
            stored = await self._store_patiently(_failed(lease, error, self._clock.now()))
            if stored is not None:
                log.error("zalo_token_not_renewed", state=stored.state, error=stored.error)
            return False
        stored = await self._store_patiently(_renewed(version, pair, self._clock.now() + pair.life))
        return stored is not None and stored.version > version

    async def _store_patiently(self, change: Change) -> Credentials | None:
        """Commit a change, however long the database is away: nobody else knows what it says."""
        pause = 0.1
        while True:
            try:
                stored = await self._credentials.change(CHANNEL, change)
            except STORAGE_DOWN as error:
                log.critical("zalo_pair_not_stored_yet", error=type(error).__name__)
                await asyncio.sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            else:
                self._known = stored
                return stored

    def _is_fresh(self, stored: Credentials | None) -> bool:
        if stored is None or "access_token" not in stored.values:
            return False
        return stored.expires_at is None or stored.expires_at > self._clock.now()

    def _is_due(self, stored: Credentials) -> bool:
        now = self._clock.now()
        if not stored.values or _is_held(stored, now):
            return False
        if stored.state != "ok":
            return True
        if stored.expires_at is None:
            return False
        return now >= stored.refreshed_at + RENEW_AT * (stored.expires_at - stored.refreshed_at)


def _is_held(stored: Credentials, now: datetime) -> bool:
    """Tell whether nobody may renew now: somebody does, or it failed a moment ago."""
    return stored.lease_until is not None and stored.lease_until > now


def _values(pair: TokenPair) -> dict[str, str]:
    return {"access_token": pair.access, "refresh_token": pair.refresh}


def _renewed(version: int, pair: TokenPair, expires_at: datetime) -> Change:
    def change(stored: Credentials) -> Credentials | None:
        if stored.version != version:
            return None  # an administrator has connected the account anew meanwhile
        return replace(
            stored,
            values=_values(pair),
            expires_at=expires_at,
            state="ok",
            error=None,
            lease=None,
            lease_until=None,
        )

    return change


def _failed(lease: str, error: OAuthError, now: datetime) -> Change:
    def change(stored: Credentials) -> Credentials | None:
        if stored.lease != lease:
            return None
        name = NO_ANSWER if error.reached else error.name
        if stored.error in _ANSWER_MISSING:
            # The pair may be lost since then, whatever happens now.
            name = PAIR_LOST if error.refused else stored.error
        if stored.state == "needs_login" and not error.refused:
            name = stored.error or name
        needs_login = error.refused or stored.state == "needs_login"
        return replace(
            stored,
            state="needs_login" if needs_login else "failing",
            error=PAIR_LOST if needs_login and stored.error == PAIR_LOST else name,
            lease=None,
            lease_until=now + (_AFTER_REFUSAL if needs_login else _AFTER_FAILURE),
        )

    return change
