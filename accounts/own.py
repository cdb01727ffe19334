"""What people do with their own account: password, one-time code, sessions, proving that it is still them."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import codes, limits, repository
from accounts.errors import TotpRequiredError, WrongCodeError, WrongCredentialsError
from accounts.models import UserRow
from accounts.parts import Parts
from accounts.passwords import check_password
from accounts.schemas import SessionLine, Visit
from accounts.second_factor import accept_code, recovery_mark
from accounts.secret_box import hashed

_KEY_LENGTH = 16


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What a telephone needs for one-time codes: the address of the QR code, and the secret to type."""

    address: str
    secret: str


class OwnAccount:
    """One's own account.

    Args:
        parts: the shared parts.
    """

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def prove(self, token: str, user_id: str, typed: str, visit: Visit) -> None:
        """Note in a session that its owner has just given the password or a one-time code again.

        Raises:
            TooManyAttemptsError: locked for a while.
            WrongCredentialsError: neither the password nor a code.
        """
        row = await self._parts.user_row(user_id)
        counted = self._parts.attempts.limits(f"prove:{user_id}", visit, hashed(token))
        taken = await self._parts.take_attempt(counted)
        is_right = await self._parts.passwords.matches(row.password_hash, typed)
        now = self._parts.clock.now()
        async with self._parts.database.write() as session:
            is_right = is_right or await accept_code(self._parts, session, row, typed) is not None
            if is_right:
                await limits.forgive(session, taken, counted, now)
                await repository.note_proof(session, hashed(token), now)
            else:
                await self._parts.note(session, user_id, "login.proof_failed", user_id)
        if not is_right:
            raise WrongCredentialsError

    async def change_password(
        self, token: str, user_id: str, current: str, password: str, visit: Visit
    ) -> None:
        """Set another password; all other log-ins end.

        Raises:
            TooManyAttemptsError: locked for a while.
            WrongCredentialsError: `current` is not the password.
            WeakPasswordError: the new one is too easily found.
        """
        row = await self._parts.user_row(user_id)
        counted = self._parts.attempts.limits(f"prove:{user_id}", visit, hashed(token))
        taken = await self._parts.take_attempt(counted)
        if not await self._parts.passwords.matches(row.password_hash, current):
            await self._note(user_id, "login.proof_failed")
            raise WrongCredentialsError
        check_password(password, (row.login, row.name))
        password_hash = await self._parts.passwords.hash(password)
        async with self._parts.database.write() as session:
            await limits.forgive(session, taken, counted, self._parts.clock.now())
            await repository.change_user(session, user_id, password_hash=password_hash)
            await repository.drop_links_of(session, user_id)
            await repository.drop_sessions_of(session, user_id, but=hashed(token))
            await self._parts.note(session, user_id, "user.password_changed", user_id)

    async def begin_totp(self, user_id: str) -> Enrolment:
        """Return what a telephone needs; a code confirms it. Asked again before that, it is the same."""
        async with self._parts.database.write() as session:
            row = await repository.user_by_id(session, user_id)
            assert row is not None
            secret = self._parts.box.unseal(row.totp_pending) if row.totp_pending else None
            if secret is None:
                secret = codes.new_secret()
                await repository.change_user(session, user_id, totp_pending=self._parts.box.seal(secret))
        return Enrolment(codes.address(secret, row.login), secret)

    async def confirm_totp(self, token: str, user_id: str, code: str, visit: Visit) -> tuple[str, ...]:
        """Switch one-time codes on; return the recovery codes, shown once. Other log-ins end.

        Raises:
            TooManyAttemptsError: locked for a while.
            WrongCodeError: not the code of the telephone that was shown the secret.
        """
        row = await self._parts.user_row(user_id)
        counted = self._parts.attempts.limits(f"enrol:{user_id}", visit, hashed(token))
        taken = await self._parts.take_attempt(counted)
        now = self._parts.clock.now()
        secret = self._parts.box.unseal(row.totp_pending) if row.totp_pending else None
        step = codes.matching_step(secret, code, now) if secret else None
        if step is None:
            raise WrongCodeError
        fresh = codes.new_recovery_codes()
        async with self._parts.database.write() as session:
            await limits.forgive(session, taken, counted, now)
            await repository.change_user(
                session, user_id, totp_secret=row.totp_pending, totp_pending=None, totp_step=step
            )
            await self._keep_recovery(session, row, fresh)
            await repository.drop_sessions_of(session, user_id, but=hashed(token))
            await self._parts.note(session, user_id, "user.totp_on", user_id)
        return fresh

    async def renew_recovery_codes(self, user_id: str) -> tuple[str, ...]:
        """Replace the recovery codes; return the new ones, shown once."""
        row = await self._parts.user_row(user_id)
        fresh = codes.new_recovery_codes()
        async with self._parts.database.write() as session:
            await self._keep_recovery(session, row, fresh)
            await self._parts.note(session, user_id, "user.recovery_codes", user_id)
        return fresh

    async def stop_totp(self, user_id: str) -> None:
        """Switch one-time codes off.

        Raises:
            TotpRequiredError: the roles require them.
        """
        row = await self._parts.user_row(user_id)
        if not self._parts.rules.totp_roles.isdisjoint(row.roles):
            raise TotpRequiredError
        async with self._parts.database.write() as session:
            await repository.change_user(session, user_id, totp_secret=None, totp_pending=None)
            await repository.replace_recovery_codes(session, user_id, ())
            await self._parts.note(session, user_id, "user.totp_off", user_id)

    async def recovery_codes_left(self, user_id: str) -> int:
        """Return how many recovery codes are left."""
        async with self._parts.database.read() as session:
            return await repository.count_recovery_codes(session, user_id)

    async def sessions(self, user_id: str) -> list[SessionLine]:
        """Return one's log-ins, the last used first."""
        now, rules = self._parts.clock.now(), self._parts.rules
        async with self._parts.database.read() as session:
            rows = await repository.sessions_of(session, user_id, now)
        return [
            SessionLine(row.token_hash[:_KEY_LENGTH], row.agent, row.address, row.created_at, row.seen_at)
            for row in rows
            if now < row.created_at + rules.longest
        ]

    async def end_session(self, user_id: str, key: str) -> bool:
        """End one of one's log-ins; False where there is none under this key."""
        if len(key) != _KEY_LENGTH:
            return False
        async with self._parts.database.write() as session:
            ended = await repository.drop_session_of(session, user_id, key)
            if ended:
                await self._parts.note(session, user_id, "session.ended", user_id)
        return ended > 0

    async def end_other_sessions(self, token: str, user_id: str) -> int:
        """End all of one's log-ins but this one; return how many there were."""
        async with self._parts.database.write() as session:
            ended = await repository.drop_sessions_of(session, user_id, but=hashed(token))
            await self._parts.note(session, user_id, "session.ended_others", user_id, {"count": ended})
        return ended

    async def _keep_recovery(self, session: AsyncSession, row: UserRow, fresh: tuple[str, ...]) -> None:
        marks = [recovery_mark(self._parts, row.id, code) for code in fresh]
        await repository.replace_recovery_codes(session, row.id, marks)

    async def _note(self, user_id: str, action: str) -> None:
        async with self._parts.database.write() as session:
            await self._parts.note(session, user_id, action, user_id)
