"""Who may log in and who did what: users, passwords, sessions, the audit trail.

Passwords: argon2id with the library's defaults; at least 12 characters, no composition rules, not widely
known (NIST SP 800-63B, section 5.1.1). Tokens of sessions and links are random and stored as hashes only.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.exc import IntegrityError

from accounts import repository
from accounts.errors import (
    InvalidLinkError,
    LoginTakenError,
    TooManyAttemptsError,
    WeakPasswordError,
    WrongCredentialsError,
)
from accounts.models import PasswordLinkRow, SessionRow, UserRow
from accounts.schemas import ROLES, AuditEntry, OpenedSession, SessionInfo, User
from database.base import new_id
from database.clock import Clock
from database.engine import Database

SESSION_LENGTH = timedelta(hours=12)
LINK_LENGTH = timedelta(hours=24)
_TOUCH_EVERY = timedelta(minutes=5)
_ATTEMPT_WINDOW = timedelta(minutes=15)
_ATTEMPTS_PER_LOGIN = 5
_ATTEMPTS_PER_ADDRESS = 50
_SHORTEST, _LONGEST = 12, 200
_WIDELY_KNOWN = frozenset(
    {
        "123456789012",
        "password1234",
        "passwordpassword",
        "qwertyuiop12",
        "111111111111",
        "matkhau12345",
        "matkhaumatkhau",
    }
)


class AccountService:
    """Accounts.

    Args:
        database: where they are kept.
        clock: tells when sessions and links run out.
        hasher: argon2id; tests may pass a cheaper one.
    """

    def __init__(self, database: Database, clock: Clock, hasher: PasswordHasher | None = None) -> None:
        self._database = database
        self._clock = clock
        self._hasher = hasher or PasswordHasher()
        # Compared with when there is no such user, so that the answer takes as long.
        self._nobody = self._hasher.hash(secrets.token_hex(16))

    async def create_first_admin(self, *, login: str = "admin", name: str = "Quản trị viên") -> str | None:
        """Create an administrator where nobody exists yet.

        Returns:
            The token of a one-time link to set the password; a new one at each call until a password is set,
            None once there is an account with a password.
        """
        async with self._database.write() as session:
            everybody = await repository.users(session)
            if any(user.password_hash for user in everybody):
                return None
            user_id = everybody[0].id if everybody else new_id()
            if not everybody:
                await repository.add_user(session, self._new_row(user_id, login, name, ("administrator",)))
                await self._note(session, "system", "user.created", user_id, {"login": _folded(login)})
            return await self._new_link(session, user_id)

    async def create_user(
        self, *, login: str, name: str, roles: tuple[str, ...], actor: str
    ) -> tuple[User, str]:
        """Create an account; return it and the token of the link with which its owner sets the password.

        Raises:
            LoginTakenError: another account has this login.
            ValueError: login or name is empty or too long, or a role is unknown.
        """
        if (
            not 1 <= len(login.strip()) <= 100
            or not 1 <= len(name.strip()) <= 200
            or not set(roles) <= set(ROLES)
        ):
            raise ValueError("login, name or roles are not valid")
        row = self._new_row(new_id(), login, name.strip(), roles)
        try:
            async with self._database.write() as session:
                await repository.add_user(session, row)
                token = await self._new_link(session, row.id)
                await self._note(
                    session, actor, "user.created", row.id, {"login": row.login, "roles": list(roles)}
                )
        except IntegrityError as error:
            raise LoginTakenError from error
        return _user(row), token

    async def link_is_valid(self, token: str) -> bool:
        """Tell whether a one-time link can still be used."""
        async with self._database.read() as session:
            return await repository.link_owner(session, _hash(token), self._clock.now()) is not None

    async def set_password(self, token: str, password: str) -> User:
        """Set the password of the link's owner, use the link up, and end all other log-ins.

        Raises:
            WeakPasswordError: the link stays usable.
            InvalidLinkError: unknown, used or too old.
        """
        _check_password(password)
        password_hash = await asyncio.to_thread(self._hasher.hash, password)
        now = self._clock.now()
        async with self._database.write() as session:
            user_id = await repository.use_link(session, _hash(token), now)
            if user_id is None:
                raise InvalidLinkError
            await repository.set_password(session, user_id, password_hash)
            await repository.drop_sessions_of(session, user_id)
            await self._note(session, user_id, "user.password_set", user_id, {})
            row = await repository.user_by_id(session, user_id)
        assert row is not None
        return _user(row)

    async def log_in(self, login: str, password: str, *, address: str) -> OpenedSession:
        """Open a session.

        Args:
            login: as typed; case does not matter.
            password: as typed.
            address: where the request comes from, for the limit.

        Raises:
            TooManyAttemptsError: locked for 15 minutes after 5 failures of a login or 50 of an address.
            WrongCredentialsError: login or password is wrong; which one is not said.
        """
        who = (_hash(f"login:{_folded(login)}"), _hash(f"address:{address}"))
        now = self._clock.now()
        async with self._database.read() as session:
            since = now - _ATTEMPT_WINDOW
            if await repository.count_attempts(session, who[0], since) >= _ATTEMPTS_PER_LOGIN:
                raise TooManyAttemptsError
            if await repository.count_attempts(session, who[1], since) >= _ATTEMPTS_PER_ADDRESS:
                raise TooManyAttemptsError
            row = await repository.user_by_login(session, _folded(login))
        known = row.password_hash if row is not None and row.active else None
        is_right = await asyncio.to_thread(self._verify, known or self._nobody, password[: _LONGEST + 1])
        if row is None or known is None or not is_right:
            async with self._database.write() as session:
                await repository.add_attempts(session, who, now, now - 2 * _ATTEMPT_WINDOW)
                await self._note(
                    session, row.id if row else "unknown", "login.failed", row.id if row else "unknown", {}
                )
            raise WrongCredentialsError
        return await self._open(row, who[0], password)

    async def find_session(self, token: str) -> SessionInfo | None:
        """Return the log-in a cookie's token belongs to, None when there is none (any more).

        A log-in that is used goes on; it ends after 12 hours without use.
        """
        now = self._clock.now()
        token_hash = _hash(token)
        async with self._database.read() as session:
            found = await repository.find_session(session, token_hash, now)
        if found is None:
            return None
        row, user = found
        if now - row.seen_at > _TOUCH_EVERY:
            async with self._database.write() as session:
                await repository.touch_session(session, token_hash, now, now + SESSION_LENGTH)
        return SessionInfo(_user(user), row.csrf, row.expires_at)

    async def log_out(self, token: str) -> None:
        """End a session; an unknown one changes nothing."""
        async with self._database.write() as session:
            user_id = await repository.drop_session(session, _hash(token))
            if user_id is not None:
                await self._note(session, user_id, "logout", user_id, {})

    async def find_user(self, user_id: str) -> User | None:
        """Return one user."""
        async with self._database.read() as session:
            row = await repository.user_by_id(session, user_id)
        return None if row is None else _user(row)

    async def find_users(self, ids: Sequence[str]) -> list[User]:
        """Return those of `ids` that are users, with one query."""
        async with self._database.read() as session:
            return [_user(row) for row in await repository.users_by_id(session, ids)]

    async def record(
        self, actor: str, action: str, target: str, detail: dict[str, Any] | None = None
    ) -> None:
        """Append to the audit trail: who did what to which record. No personal data in `detail`."""
        async with self._database.write() as session:
            await self._note(session, actor, action, target, detail or {})

    async def audit(self, target: str | None = None, *, limit: int = 100) -> list[AuditEntry]:
        """Return the newest lines of the audit trail, of one record or of all."""
        async with self._database.read() as session:
            return await repository.audit(session, target, limit)

    async def _open(self, row: UserRow, who: str, password: str) -> OpenedSession:
        assert row.password_hash is not None
        renewed = None
        if self._hasher.check_needs_rehash(row.password_hash):
            renewed = await asyncio.to_thread(self._hasher.hash, password)
        now = self._clock.now()
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        opened = SessionRow(
            token_hash=_hash(token),
            user_id=row.id,
            csrf=csrf,
            created_at=now,
            seen_at=now,
            expires_at=now + SESSION_LENGTH,
        )
        async with self._database.write() as session:
            await repository.forget_attempts(session, who)
            if renewed is not None:
                await repository.set_password(session, row.id, renewed)
            await repository.add_session(session, opened)
            await self._note(session, row.id, "login", row.id, {})
        return OpenedSession(token, csrf, _user(row), now + SESSION_LENGTH)

    def _verify(self, password_hash: str, password: str) -> bool:
        try:
            return self._hasher.verify(password_hash, password)
        except (VerificationError, InvalidHashError):
            return False

    def _new_row(self, user_id: str, login: str, name: str, roles: tuple[str, ...]) -> UserRow:
        return UserRow(
            id=user_id,
            login=_folded(login),
            name=name,
            password_hash=None,
            roles=list(roles),
            active=True,
            created_at=self._clock.now(),
        )

    async def _new_link(self, session: Any, user_id: str) -> str:
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        await repository.add_link(
            session,
            PasswordLinkRow(
                token_hash=_hash(token), user_id=user_id, created_at=now, expires_at=now + LINK_LENGTH
            ),
        )
        return token

    async def _note(self, session: Any, actor: str, action: str, target: str, detail: dict[str, Any]) -> None:
        await repository.add_audit(session, self._clock.now(), actor, action, target, detail)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _folded(login: str) -> str:
    return login.strip().casefold()


def _check_password(password: str) -> None:
    is_one_letter = len(set(password)) < 4
    if not _SHORTEST <= len(password) <= _LONGEST or is_one_letter or password.casefold() in _WIDELY_KNOWN:
        raise WeakPasswordError


def _user(row: UserRow) -> User:
    return User(row.id, row.login, row.name, tuple(row.roles), row.active, row.password_hash is not None)
