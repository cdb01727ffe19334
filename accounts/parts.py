"""What the services of the accounts share: rules, database, clock, secrets, and the writing of the trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import audit_repository, repository
from accounts.errors import UnknownUserError
from accounts.limits import Attempts, Limit, take
from accounts.models import UserRow
from accounts.passwords import Passwords
from accounts.schemas import User
from accounts.secret_box import SecretBox
from database.clock import Clock
from database.engine import Database


@dataclass(frozen=True, slots=True)
class Rules:
    """How long log-ins last and who needs a one-time code.

    Attributes:
        idle: a session that is not used ends after this.
        longest: a session ends after this, used or not.
        proof: how long a password or code that was given again counts for dangerous actions.
        totp_roles: roles that must have a one-time code.
    """

    idle: timedelta = timedelta(hours=2)
    longest: timedelta = timedelta(hours=14)
    proof: timedelta = timedelta(minutes=10)
    totp_roles: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Parts:
    """The shared parts."""

    database: Database
    clock: Clock
    rules: Rules
    passwords: Passwords
    box: SecretBox
    attempts: Attempts

    async def note(
        self,
        session: AsyncSession,
        actor: str,
        action: str,
        target: str,
        detail: dict[str, Any] | None = None,
    ) -> None:
        """Append to the audit trail inside a unit of work."""
        await audit_repository.add(session, self.clock.now(), actor, action, target, detail or {})

    async def take_attempt(self, limits: list[Limit]) -> list[int]:
        """Write an attempt down before it is judged; return the ids with which it is taken back.

        Raises:
            TooManyAttemptsError: a limit is reached.
        """
        async with self.database.write() as session:
            return await take(session, limits, self.clock.now())

    async def user_row(self, user_id: str) -> UserRow:
        """Return a user as stored.

        Raises:
            UnknownUserError: there is none.
        """
        async with self.database.read() as session:
            row = await repository.user_by_id(session, user_id)
        if row is None:
            raise UnknownUserError
        return row

    def must_enrol(self, row: UserRow) -> bool:
        """Tell whether a user's roles require a one-time code that is not set up."""
        return row.totp_secret is None and not self.rules.totp_roles.isdisjoint(row.roles)


def user_of(row: UserRow) -> User:
    """Return a stored user as others see them."""
    return User(
        id=row.id,
        login=row.login,
        name=row.name,
        roles=tuple(row.roles),
        active=row.active,
        has_password=row.password_hash is not None,
        agency=row.agency,
        has_totp=row.totp_secret is not None,
        last_login_at=row.last_login_at,
    )


def folded(login: str) -> str:
    """Return a login in its one form."""
    return login.strip().casefold()
