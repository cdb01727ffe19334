"""What administrators do with accounts: invite, name, give roles and an agency, reset, deactivate.

An account is never deleted: the trail names it. Nobody changes the account they work with here, and there is
always an administrator left who can log in.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import repository
from accounts.errors import (
    InvalidAccountError,
    LastAdministratorError,
    LoginTakenError,
    OwnAccountError,
    UnknownUserError,
)
from accounts.models import PasswordLinkRow, UserRow
from accounts.parts import Parts, folded, user_of
from accounts.schemas import ROLES, ROLES_OF_AGENCY, User
from accounts.secret_box import hashed
from database.base import new_id

INVITATION = timedelta(hours=72)
"""How long a one-time link to set a password can be used."""

_LONGEST_LOGIN, _LONGEST_NAME, _LONGEST_AGENCY = 100, 200, 100


class UserAdministration:
    """The accounts, for those who manage them.

    Args:
        parts: the shared parts.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def everybody(self) -> list[User]:
        """Return all users by name."""
        async with self._parts.database.read() as session:
            return [user_of(row) for row in await repository.users(session)]

    async def invite(
        self, *, login: str, name: str, roles: Sequence[str], agency: str | None = None, actor: str
    ) -> tuple[User, str]:
        """Create an account; return it and the token of the link with which its owner sets the password.

        Raises:
            LoginTakenError: another account has this login.
            InvalidAccountError: login, name, roles or agency do not fit.
        """
        checked_agency = _check(name, roles, agency)
        if not 1 <= len(folded(login)) <= _LONGEST_LOGIN or any(c.isspace() for c in folded(login)):
            raise InvalidAccountError("login")
        now = self._parts.clock.now()
        row = new_row(login, name, roles, checked_agency, now)
        try:
            async with self._parts.database.write() as session:
                await repository.add_user(session, row)
                token = await new_link(session, row.id, now, INVITATION)
                detail = {"roles": list(row.roles), "agency": row.agency}
                await self._parts.note(session, actor, "user.created", row.id, detail)
        except IntegrityError as error:
            raise LoginTakenError from error
        return user_of(row), token

    async def change(
        self, user_id: str, *, name: str, roles: Sequence[str], agency: str | None = None, actor: str
    ) -> User:
        """Set name, roles and agency; other rights end the person's log-ins.

        Raises:
            UnknownUserError, OwnAccountError, LastAdministratorError, InvalidAccountError: nothing changed.
        """
        checked_agency = _check(name, roles, agency)
        wanted = [role for role in ROLES if role in roles]
        async with self._parts.database.write() as session:
            row = await self._locked(session, user_id)
            rights_change = set(row.roles) != set(wanted) or row.agency != checked_agency
            if rights_change and user_id == actor:
                raise OwnAccountError
            before = {"roles": list(row.roles), "agency": row.agency}
            if "administrator" not in wanted:
                await self._check_not_last(session, user_id)
            await repository.change_user(
                session, user_id, name=name.strip(), roles=wanted, agency=checked_agency
            )
            if rights_change:
                await repository.drop_sessions_of(session, user_id)
            after = {"roles": wanted, "agency": checked_agency}
            await self._parts.note(
                session, actor, "user.changed", user_id, {"before": before, "after": after}
            )
        return user_of(await self._parts.user_row(user_id))

    async def reset(self, user_id: str, *, actor: str) -> str:
        """Take the password away, end all log-ins; return the token of a link to set another.

        Raises:
            UnknownUserError, OwnAccountError, LastAdministratorError: nothing changed.
        """
        if user_id == actor:
            raise OwnAccountError
        now = self._parts.clock.now()
        async with self._parts.database.write() as session:
            row = await self._locked(session, user_id)
            if not row.active:
                raise UnknownUserError
            await self._check_not_last(session, user_id)
            await repository.change_user(session, user_id, password_hash=None)
            await repository.drop_sessions_of(session, user_id)
            await self._parts.note(session, actor, "user.reset", user_id)
            return await new_link(session, user_id, now, INVITATION)

    async def reset_totp(self, user_id: str, *, actor: str) -> None:
        """Switch somebody's one-time codes off, for a lost telephone, and end their log-ins.

        Raises:
            UnknownUserError, OwnAccountError: nothing changed.
        """
        if user_id == actor:
            raise OwnAccountError
        async with self._parts.database.write() as session:
            await self._locked(session, user_id)
            await repository.change_user(session, user_id, totp_secret=None, totp_pending=None)
            await repository.replace_recovery_codes(session, user_id, ())
            await repository.drop_sessions_of(session, user_id)
            await self._parts.note(session, actor, "user.totp_reset", user_id)

    async def deactivate(self, user_id: str, *, actor: str) -> None:
        """Shut an account: its log-ins end, its links stop working.

        Raises:
            UnknownUserError, OwnAccountError, LastAdministratorError: nothing changed.
        """
        if user_id == actor:
            raise OwnAccountError
        async with self._parts.database.write() as session:
            await self._locked(session, user_id)
            await self._check_not_last(session, user_id)
            await repository.change_user(session, user_id, active=False)
            await repository.drop_sessions_of(session, user_id)
            await repository.drop_links_of(session, user_id)
            await self._parts.note(session, actor, "user.deactivated", user_id)

    async def reactivate(self, user_id: str, *, actor: str) -> str:
        """Open an account again; return the token of a link to set a new password.

        Raises:
            UnknownUserError: there is none.
        """
        now = self._parts.clock.now()
        async with self._parts.database.write() as session:
            await self._locked(session, user_id)
            await repository.change_user(session, user_id, active=True, password_hash=None)
            await self._parts.note(session, actor, "user.reactivated", user_id)
            return await new_link(session, user_id, now, INVITATION)

    async def _locked(self, session: AsyncSession, user_id: str) -> UserRow:
        # All of them: whether an administrator is left depends on every account.
        for row in await repository.lock_users(session):
            if row.id == user_id:
                return row
        raise UnknownUserError

    async def _check_not_last(self, session: AsyncSession, user_id: str) -> None:
        others = [
            row
            for row in await repository.users(session)
            if row.id != user_id and row.active and row.password_hash and "administrator" in row.roles
        ]
        if not others:
            raise LastAdministratorError


def new_row(login: str, name: str, roles: Sequence[str], agency: str | None, now: datetime) -> UserRow:
    """Return a new account, without a password."""
    return UserRow(
        id=new_id(),
        login=folded(login),
        name=name.strip(),
        password_hash=None,
        roles=[role for role in ROLES if role in roles],
        active=True,
        agency=agency,
        totp_step=0,
        created_at=now,
    )


async def new_link(session: AsyncSession, user_id: str, now: datetime, span: timedelta) -> str:
    """Add a one-time link to set a password; return its token. Earlier ones stop working."""
    token = secrets.token_urlsafe(32)
    await repository.add_link(
        session,
        PasswordLinkRow(token_hash=hashed(token), user_id=user_id, created_at=now, expires_at=now + span),
    )
    return token


def _check(name: str, roles: Sequence[str], agency: str | None) -> str | None:
    if not 1 <= len(name.strip()) <= _LONGEST_NAME:
        raise InvalidAccountError("name")
    if not roles or not set(roles) <= set(ROLES):
        raise InvalidAccountError("roles")
    trimmed = (agency or "").strip() or None
    if len(trimmed or "") > _LONGEST_AGENCY or (trimmed is None and not ROLES_OF_AGENCY.isdisjoint(roles)):
        raise InvalidAccountError("agency")
    return trimmed
