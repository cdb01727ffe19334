"""Who may log in and who did what: passwords, sessions, one-time links, the audit trail.

Tokens of sessions, links and first steps are random and stored as hashes only. What people do with their own
account is in `own`, what administrators do with the others' in `users`.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import AsyncIterator, Collection, Sequence
from datetime import timedelta
from typing import Any

from argon2 import PasswordHasher
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import audit_repository, limits, repository
from accounts.errors import InvalidLinkError, WrongCodeError, WrongCredentialsError
from accounts.limits import Attempts, Limit
from accounts.models import ChallengeRow, SessionRow, UserRow
from accounts.own import OwnAccount
from accounts.parts import Parts, Rules, folded, user_of
from accounts.passwords import Passwords, check_password
from accounts.schemas import (
    AuditEntry,
    AuditFilter,
    AuditPage,
    AuditPlace,
    CodeAsked,
    OpenedSession,
    SessionInfo,
    User,
    Visit,
)
from accounts.second_factor import accept_code
from accounts.secret_box import SecretBox, hashed
from accounts.users import INVITATION, UserAdministration, new_link, new_row
from database.base import new_id
from database.clock import Clock
from database.engine import Database

_CODE_SPAN = timedelta(minutes=5)
_TOUCH_EVERY = timedelta(minutes=1)
_KEY_LENGTH = 16
_TRAIL_BATCH = 1_000
_LONGEST_AGENT = 300
_LONGEST_ADDRESS = 64


class AccountService:
    """Accounts.

    Args:
        database: where they are kept.
        clock: tells when sessions and links run out.
        hasher: argon2id; tests may pass a cheaper one.
        secret: the instance's secret key; without one there is a key of this process, and what it seals or
            marks is of no use to another.
        rules: how long log-ins last and who needs a one-time code.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        hasher: PasswordHasher | None = None,
        *,
        secret: str | None = None,
        rules: Rules | None = None,
    ) -> None:
        box = SecretBox(secret or secrets.token_urlsafe(32))
        parts = Parts(database, clock, rules or Rules(), Passwords(hasher), box, Attempts(box))
        self._parts = parts
        self._database = database
        self._clock = clock
        self.own = OwnAccount(parts)
        self.users = UserAdministration(parts)

    @property
    def rules(self) -> Rules:
        """How long log-ins last and who needs a one-time code."""
        return self._parts.rules

    async def create_first_admin(self, *, login: str = "admin", name: str = "Quản trị viên") -> str | None:
        """Create an administrator where nobody exists yet.

        Returns:
            The token of a one-time link to set the password; a new one at each call until a password is set,
            None once there is an administrator with a password.
        """
        now = self._clock.now()
        async with self._database.write() as session:
            everybody = await repository.lock_users(session)
            managers = [row for row in everybody if row.active and "administrator" in row.roles]
            if any(row.password_hash for row in managers):
                return None
            if managers:
                return await new_link(session, managers[0].id, now, INVITATION)
            row = new_row(login, name, ("administrator",), None, now)
            await repository.add_user(session, row)
            await self._parts.note(session, "system", "user.created", row.id, {"roles": row.roles})
            return await new_link(session, row.id, now, INVITATION)

    async def link_is_valid(self, token: str) -> bool:
        """Tell whether a one-time link can still be used."""
        async with self._database.read() as session:
            return await repository.link_owner(session, hashed(token), self._clock.now()) is not None

    async def set_password(self, token: str, password: str) -> User:
        """Set the password of the link's owner, use the link up, and end all their log-ins.

        Raises:
            WeakPasswordError: the link stays usable.
            InvalidLinkError: unknown, used or too old.
        """
        now = self._clock.now()
        async with self._database.read() as session:
            owner = await repository.link_owner(session, hashed(token), now)
            row = await repository.user_by_id(session, owner) if owner else None
        if row is None or not row.active:
            raise InvalidLinkError
        check_password(password, (row.login, row.name))
        password_hash = await self._parts.passwords.hash(password)
        async with self._database.write() as session:
            user_id = await repository.use_link(session, hashed(token), now)
            if user_id is None:
                raise InvalidLinkError
            await repository.change_user(session, user_id, password_hash=password_hash)
            await repository.drop_sessions_of(session, user_id)
            await self._parts.note(session, user_id, "user.password_set", user_id)
            changed = await repository.user_by_id(session, user_id)
        assert changed is not None
        return user_of(changed)

    async def log_in(self, login: str, password: str, visit: Visit) -> OpenedSession | CodeAsked:
        """Check login and password: open a session, or ask for the one-time code.

        Args:
            login: as typed; case does not matter.
            password: as typed.
            visit: where the request comes from.

        Raises:
            TooManyAttemptsError: locked for a while (see `limits`).
            WrongCredentialsError: login or password is wrong; which one is not said.
        """
        subject = f"login:{folded(login)}"
        device = self._known_device(folded(login), visit.device)
        counted = self._parts.attempts.limits(subject, visit, device)
        taken = await self._parts.take_attempt(counted)
        async with self._database.read() as session:
            row = await repository.user_by_login(session, folded(login))
        known = row.password_hash if row is not None and row.active else None
        is_right = await self._parts.passwords.matches(known, password)
        if row is None or not is_right:
            await self.record(row.id if row else "unknown", "login.failed", row.id if row else "unknown")
            raise WrongCredentialsError
        if row.totp_secret is not None:
            return await self._ask_code(row, taken, counted)
        return await self._open(row, visit, device, taken, counted, password=password)

    async def confirm(self, asked: str, code: str, visit: Visit) -> OpenedSession:
        """Finish a log-in with a one-time code, or with a recovery code.

        Args:
            asked: the token of the first step, good for five minutes.
            code: as typed.
            visit: where the request comes from.

        Raises:
            TooManyAttemptsError: locked for a while.
            WrongCodeError: the code is wrong or was used, or the first step is too long ago.
        """
        now = self._clock.now()
        async with self._database.read() as session:
            row = await repository.challenged(session, hashed(asked), now)
        if row is None:
            raise WrongCodeError
        device = self._known_device(row.login, visit.device)
        counted = self._parts.attempts.limits(f"code:{row.id}", visit, device)
        taken = await self._parts.take_attempt(counted)
        async with self._database.write() as session:
            how = await accept_code(self._parts, session, row, code)
            is_first = how is not None and await repository.take_challenge(session, hashed(asked))
            if not is_first:
                await self._parts.note(session, row.id, "login.code_failed", row.id)
            elif how == "recovery":
                await self._parts.note(session, row.id, "login.recovery_code", row.id)
        if not is_first:
            raise WrongCodeError
        return await self._open(row, visit, device, taken, counted)

    async def find_session(self, token: str, *, is_used: bool = True) -> SessionInfo | None:
        """Return the log-in a cookie's token belongs to, None when there is none (any more).

        A log-in that is used goes on until it is too old altogether (`Rules`).

        Args:
            token: as it came.
            is_used: somebody does something; False: a program only looks, which keeps no log-in alive.
        """
        now, rules = self._clock.now(), self._parts.rules
        token_hash = hashed(token)
        async with self._database.read() as session:
            found = await repository.find_session(session, token_hash, now)
        if found is None:
            return None
        row, user = found
        if now >= row.created_at + rules.longest:
            return None
        expires = min(now + rules.idle, row.created_at + rules.longest) if is_used else row.expires_at
        if is_used and now - row.seen_at > _TOUCH_EVERY:
            async with self._database.write(durable=False) as session:
                await repository.touch_session(session, token_hash, now, expires)
        return SessionInfo(
            user=user_of(user),
            csrf=row.csrf,
            expires_at=expires,
            key=token_hash[:_KEY_LENGTH],
            proved_at=row.proved_at,
            must_enrol=self._parts.must_enrol(user),
        )

    async def logged_in(self, tokens: Collection[str]) -> dict[str, User]:
        """Return whose log-ins some cookies' tokens are, with one query; what has ended is left out.

        It keeps no log-in alive: open pages ask, not people.
        """
        now, rules = self._clock.now(), self._parts.rules
        by_hash = {hashed(token): token for token in tokens}
        async with self._database.read() as session:
            found = await repository.sessions_with_users(session, list(by_hash), now)
        return {
            by_hash[row.token_hash]: user_of(user)
            for row, user in found
            if now < row.created_at + rules.longest
        }

    def is_proved(self, session: SessionInfo) -> bool:
        """Tell whether password or code was given in this session a moment ago."""
        return (
            session.proved_at is not None and self._clock.now() - session.proved_at < self._parts.rules.proof
        )

    async def log_out(self, token: str) -> None:
        """End a session; an unknown one changes nothing."""
        async with self._database.write() as session:
            user_id = await repository.drop_session(session, hashed(token))
            if user_id is not None:
                await self._parts.note(session, user_id, "logout", user_id)

    async def find_user(self, user_id: str) -> User | None:
        """Return one user."""
        async with self._database.read() as session:
            row = await repository.user_by_id(session, user_id)
        return None if row is None else user_of(row)

    async def find_users(self, ids: Sequence[str]) -> list[User]:
        """Return those of `ids` that are users, with one query."""
        async with self._database.read() as session:
            return [user_of(row) for row in await repository.users_by_id(session, ids)]

    async def record(
        self, actor: str, action: str, target: str, detail: dict[str, Any] | None = None
    ) -> None:
        """Append to the audit trail: who did what to which record. No personal data in `detail`."""
        async with self._database.write() as session:
            await self._parts.note(session, actor, action, target, detail)

    async def audit(self, target: str | None = None, *, limit: int = 100) -> list[AuditEntry]:
        """Return the newest lines of the audit trail, of one record or of all."""
        found = await self.trail(AuditFilter(target=target), limit=limit)
        return list(found.entries)

    async def trail(
        self, wanted: AuditFilter, *, after: AuditPlace | None = None, limit: int = 50
    ) -> AuditPage:
        """Return a part of the audit trail, the newest first, from a place on."""
        async with self._database.read() as session:
            found = await audit_repository.find(session, wanted, after, limit + 1)
        entries = found[:limit]
        more = AuditPlace(entries[-1].at, entries[-1].id) if len(found) > limit else None
        return AuditPage(tuple(entries), more)

    async def whole_trail(self, wanted: AuditFilter) -> AsyncIterator[AuditEntry]:
        """Yield all lines of the audit trail that are wanted, the newest first."""
        place: AuditPlace | None = None
        while True:
            part = await self.trail(wanted, after=place, limit=_TRAIL_BATCH)
            for entry in part.entries:
                yield entry
            if part.next is None:
                return
            place = part.next

    async def _ask_code(self, row: UserRow, taken: list[int], counted: list[Limit]) -> CodeAsked:
        token = secrets.token_urlsafe(32)
        now = self._clock.now()
        async with self._database.write() as session:
            await limits.forgive(session, taken, counted, now)
            await repository.add_challenge(
                session,
                ChallengeRow(token_hash=hashed(token), user_id=row.id, expires_at=now + _CODE_SPAN),
            )
        return CodeAsked(token)

    async def _open(
        self,
        row: UserRow,
        visit: Visit,
        device: str | None,
        taken: list[int],
        counted: list[Limit],
        *,
        password: str | None = None,
    ) -> OpenedSession:
        renewed = None
        if (
            password is not None
            and row.password_hash
            and self._parts.passwords.is_outdated(row.password_hash)
        ):
            renewed = await self._parts.passwords.hash(password)
        now, rules = self._clock.now(), self._parts.rules
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(24)
        opened = SessionRow(
            token_hash=hashed(token),
            user_id=row.id,
            csrf=csrf,
            agent=visit.agent[:_LONGEST_AGENT],
            address=visit.address[:_LONGEST_ADDRESS],
            created_at=now,
            seen_at=now,
            expires_at=now + min(rules.idle, rules.longest),
            proved_at=now,
        )
        async with self._database.write() as session:
            await self._check_unchanged(session, row)
            await limits.forgive(session, taken, counted, now)
            await repository.drop_run_out(session, now)
            values: dict[str, Any] = {"last_login_at": now}
            if renewed is not None:
                values["password_hash"] = renewed
            await repository.change_user(session, row.id, **values)
            await repository.add_session(session, opened)
            await self._parts.note(session, row.id, "login", row.id)
        user = user_of(row)
        return OpenedSession(token, csrf, user, opened.expires_at, self._device_cookie(row.login, device))

    async def _check_unchanged(self, session: AsyncSession, row: UserRow) -> None:
        """While the password was compared, the account may have been shut or given another password."""
        current = await repository.user_by_id(session, row.id)
        if current is None or not current.active or current.password_hash != row.password_hash:
            raise WrongCredentialsError

    def _known_device(self, login: str, cookie: str | None) -> str | None:
        nonce, _, mark = (cookie or "").partition(".")
        is_ours = hmac.compare_digest(mark.encode(), self._device_mark(login, nonce).encode())
        return nonce if is_ours else None

    def _device_cookie(self, login: str, nonce: str | None) -> str:
        nonce = nonce or new_id()
        return f"{nonce}.{self._device_mark(login, nonce)}"

    def _device_mark(self, login: str, nonce: str) -> str:
        return self._parts.box.mark(f"device:{login}:{nonce}")
