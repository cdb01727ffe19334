"""What the channels log in with: encrypted at rest, changed by one at a time, shared by all processes.

A copy of the database without the instance's secret key opens nothing. The key is derived from the secret key
(HKDF, RFC 5869), the sealing is Fernet; after the secret key was changed, the older one is still given for
reading, until `reseal` has sealed everything anew.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal, cast

import structlog
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy.exc import IntegrityError

from connectors import credentials_store
from connectors.credentials_store import CredentialsRow
from database.clock import Clock
from database.engine import Database

log = structlog.get_logger(__name__)

State = Literal["ok", "refreshing", "failing", "needs_login"]

UNREADABLE = "unreadable"
"""The error of credentials that were sealed with a key we do not have."""

_PURPOSE = b"1022 channel credentials v1"
_LONGEST_ERROR = 300


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a channel logs in with.

    Attributes:
        account: the account's name as people know it.
        values: the secrets by name; never shown in a repr or a log.
        version: grows with every change of `values`.
        refreshed_at: when `values` were last changed.
        expires_at: when they stop working; None: never.
        state: `refreshing`: somebody renews them now; `failing`: renewing them fails, they still may work;
            `needs_login`: an administrator has to connect the account again.
        state_since: since when.
        error: why, as a short code.
        lease: the name of whoever renews them now, until `lease_until`.
    """

    channel: str
    account: str
    values: Mapping[str, str] = field(repr=False)
    version: int
    refreshed_at: datetime
    expires_at: datetime | None
    state: State
    state_since: datetime
    error: str | None = None
    lease: str | None = None
    lease_until: datetime | None = None


class ChannelCredentials:
    """Keeps the credentials of all channels.

    Args:
        database: where they are kept.
        clock: the time.
        key: the instance's secret key.
        older_keys: secret keys of before, for reading only.
    """

    def __init__(self, database: Database, clock: Clock, key: str, older_keys: Sequence[str] = ()) -> None:
        self._database = database
        self._clock = clock
        self._newest = _sealer(key)
        self._all = MultiFernet([self._newest, *map(_sealer, older_keys)])

    async def get(self, channel: str) -> Credentials | None:
        """Return a channel's credentials; None when it was never connected.

        What cannot be decrypted comes back without values, as `needs_login` with the error `unreadable`.
        """
        async with self._database.read() as session:
            row = await credentials_store.find(session, channel)
        return None if row is None else self._opened(row)

    async def put(
        self, channel: str, *, account: str, values: Mapping[str, str], expires_at: datetime | None = None
    ) -> Credentials:
        """Store new credentials of a channel; whoever renews the old ones just now is not waited for.

        Raises:
            ValueError: there is nothing to store.
        """
        if not values:
            raise ValueError("credentials without values")
        try:
            return await self._put(channel, account, values, expires_at)
        except IntegrityError:
            # Two connected the channel for the first time at the same moment: the later one stands.
            return await self._put(channel, account, values, expires_at)

    async def change(
        self, channel: str, fn: Callable[[Credentials], Credentials | None]
    ) -> Credentials | None:
        """Change a channel's credentials in one transaction, with the row locked.

        Args:
            channel: which.
            fn: is given the credentials as they stand and returns them changed (`dataclasses.replace`), or
                None to leave them. `version`, `refreshed_at` and `state_since` are kept by this class.

        Returns:
            The credentials as they stand now, on disk; None when the channel was never connected.
        """
        async with self._database.write() as session:
            row = await credentials_store.find(session, channel, lock=True)
            if row is None:
                return None
            before = self._opened(row)
            after = fn(before)
            if after is None or after == before:
                return before
            kept = self._kept(before, after)
            await credentials_store.change(session, channel, self._row(kept))
        return kept

    async def reseal(self) -> int:
        """Seal with the newest key what an older one had sealed; return how many."""
        count = 0
        async with self._database.write() as session:
            for row in await credentials_store.every(session):
                if _opens(self._newest, row.sealed):
                    continue
                try:
                    sealed = self._all.rotate(row.sealed)
                except InvalidToken:
                    log.error("credentials_unreadable", channel=row.channel)
                    continue
                await credentials_store.change(session, row.channel, {"sealed": sealed})
                count += 1
        return count

    async def _put(
        self, channel: str, account: str, values: Mapping[str, str], expires_at: datetime | None
    ) -> Credentials:
        now = self._clock.now()
        async with self._database.write() as session:
            row = await credentials_store.find(session, channel, lock=True)
            made = Credentials(
                channel=channel,
                account=account,
                values=MappingProxyType(dict(values)),
                version=row.version + 1 if row else 1,
                refreshed_at=now,
                expires_at=expires_at,
                state="ok",
                state_since=now,
            )
            if row is None:
                await credentials_store.add(session, {"channel": channel, **self._row(made)})
            else:
                await credentials_store.change(session, channel, self._row(made))
        return made

    def _kept(self, before: Credentials, after: Credentials) -> Credentials:
        now = self._clock.now()
        is_new = dict(after.values) != dict(before.values)
        return replace(
            after,
            channel=before.channel,
            values=MappingProxyType(dict(after.values)),
            version=before.version + is_new,
            refreshed_at=now if is_new else before.refreshed_at,
            state_since=now if after.state != before.state else before.state_since,
            error=after.error[:_LONGEST_ERROR] if after.error else None,
        )

    def _row(self, credentials: Credentials) -> dict[str, Any]:
        row: dict[str, Any] = {
            name: getattr(credentials, name)
            for name in (
                "account",
                "version",
                "refreshed_at",
                "expires_at",
                "state",
                "state_since",
                "error",
                "lease",
                "lease_until",
            )
        }
        if credentials.values:
            # The channel is sealed in: a row copied to another channel does not open there.
            content = {"channel": credentials.channel, "values": dict(credentials.values)}
            row["sealed"] = self._newest.encrypt(json.dumps(content).encode())
        return row

    def _opened(self, row: CredentialsRow) -> Credentials:
        values = self._values(row)
        readable = values is not None
        return Credentials(
            channel=row.channel,
            account=row.account,
            values=MappingProxyType(values or {}),
            version=row.version,
            refreshed_at=row.refreshed_at,
            expires_at=row.expires_at,
            state=cast(State, row.state) if readable else "needs_login",
            state_since=row.state_since,
            error=row.error if readable else UNREADABLE,
            lease=row.lease,
            lease_until=row.lease_until,
        )

    def _values(self, row: CredentialsRow) -> dict[str, str] | None:
        try:
            content = json.loads(self._all.decrypt(row.sealed))
        except InvalidToken:
            return None
        if content["channel"] != row.channel:
            return None
        values: dict[str, str] = content["values"]
        return values


def _sealer(key: str) -> Fernet:
    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))


def _opens(sealer: Fernet, sealed: bytes) -> bool:
    try:
        sealer.decrypt(sealed)
    except InvalidToken:
        return False
    return True
