"""All SQL of users, their sessions, links and codes (the trail's is in `audit_repository`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, cast

from sqlalchemy import CursorResult, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.models import ChallengeRow, PasswordLinkRow, RecoveryCodeRow, SessionRow, UserRow


async def user_by_login(session: AsyncSession, login: str) -> UserRow | None:
    """Return the user with this case-folded login."""
    return (await session.execute(select(UserRow).where(UserRow.login == login))).scalar_one_or_none()


async def user_by_id(session: AsyncSession, user_id: str) -> UserRow | None:
    """Return one user."""
    return await session.get(UserRow, user_id)


async def users_by_id(session: AsyncSession, ids: Sequence[str]) -> Sequence[UserRow]:
    """Return those of `ids` that are users."""
    return (await session.execute(select(UserRow).where(UserRow.id.in_(ids)))).scalars().all()


async def users(session: AsyncSession) -> Sequence[UserRow]:
    """Return all users by name."""
    return (await session.execute(select(UserRow).order_by(UserRow.name))).scalars().all()


async def lock_users(session: AsyncSession) -> Sequence[UserRow]:
    """Return all users, locked until the unit of work ends: who may manage them is decided on all of them."""
    return (await session.execute(select(UserRow).order_by(UserRow.id).with_for_update())).scalars().all()


async def add_user(session: AsyncSession, row: UserRow) -> None:
    """Insert a user at once, so that a login taken meanwhile shows here."""
    session.add(row)
    await session.flush()


async def change_user(session: AsyncSession, user_id: str, **values: Any) -> None:
    """Set columns of a user."""
    await session.execute(update(UserRow).where(UserRow.id == user_id).values(**values))


async def add_link(session: AsyncSession, row: PasswordLinkRow) -> None:
    """Insert a one-time link; the user's earlier ones stop working."""
    await session.execute(
        update(PasswordLinkRow)
        .where(PasswordLinkRow.user_id == row.user_id, PasswordLinkRow.used_at.is_(None))
        .values(used_at=row.created_at)
    )
    session.add(row)


async def drop_links_of(session: AsyncSession, user_id: str) -> None:
    """Delete a user's one-time links."""
    await session.execute(delete(PasswordLinkRow).where(PasswordLinkRow.user_id == user_id))


async def link_owner(session: AsyncSession, token_hash: str, now: datetime) -> str | None:
    """Return whose link this is while it can be used."""
    query = select(PasswordLinkRow.user_id).where(
        PasswordLinkRow.token_hash == token_hash,
        PasswordLinkRow.used_at.is_(None),
        PasswordLinkRow.expires_at > now,
    )
    return (await session.execute(query)).scalar_one_or_none()


async def use_link(session: AsyncSession, token_hash: str, now: datetime) -> str | None:
    """Use a link up; return whose it was, None when it cannot be used (any more)."""
    statement = (
        update(PasswordLinkRow)
        .where(
            PasswordLinkRow.token_hash == token_hash,
            PasswordLinkRow.used_at.is_(None),
            PasswordLinkRow.expires_at > now,
        )
        .values(used_at=now)
        .returning(PasswordLinkRow.user_id)
    )
    return (await session.execute(statement)).scalar_one_or_none()


async def add_session(session: AsyncSession, row: SessionRow) -> None:
    """Insert a log-in."""
    session.add(row)


async def find_session(
    session: AsyncSession, token_hash: str, now: datetime
) -> tuple[SessionRow, UserRow] | None:
    """Return a log-in that has not run out, with its active user."""
    query = (
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.token_hash == token_hash, SessionRow.expires_at > now, UserRow.active)
    )
    row = (await session.execute(query)).first()
    return None if row is None else (row[0], row[1])


async def sessions_with_users(
    session: AsyncSession, token_hashes: Sequence[str], now: datetime
) -> list[tuple[SessionRow, UserRow]]:
    """Return those of some log-ins that have not run out, each with its active user."""
    query = (
        select(SessionRow, UserRow)
        .join(UserRow, UserRow.id == SessionRow.user_id)
        .where(SessionRow.token_hash.in_(token_hashes), SessionRow.expires_at > now, UserRow.active)
    )
    return [(row[0], row[1]) for row in await session.execute(query)]


async def touch_session(session: AsyncSession, token_hash: str, seen: datetime, expires: datetime) -> None:
    """Note that a log-in is in use."""
    await session.execute(
        update(SessionRow).where(SessionRow.token_hash == token_hash).values(seen_at=seen, expires_at=expires)
    )


async def note_proof(session: AsyncSession, token_hash: str, at: datetime) -> None:
    """Note that password or code was given again in a log-in."""
    await session.execute(update(SessionRow).where(SessionRow.token_hash == token_hash).values(proved_at=at))


async def sessions_of(session: AsyncSession, user_id: str, now: datetime) -> Sequence[SessionRow]:
    """Return a user's log-ins that have not run out, the last used first."""
    query = (
        select(SessionRow)
        .where(SessionRow.user_id == user_id, SessionRow.expires_at > now)
        .order_by(SessionRow.seen_at.desc())
    )
    return (await session.execute(query)).scalars().all()


async def drop_session(session: AsyncSession, token_hash: str) -> str | None:
    """Delete one log-in; return whose it was."""
    statement = delete(SessionRow).where(SessionRow.token_hash == token_hash).returning(SessionRow.user_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def drop_session_of(session: AsyncSession, user_id: str, key: str) -> int:
    """Delete a user's own log-in by the beginning of its hash; return how many there were."""
    statement = delete(SessionRow).where(
        SessionRow.user_id == user_id, SessionRow.token_hash.startswith(key, autoescape=True)
    )
    return cast(CursorResult[Any], await session.execute(statement)).rowcount


async def drop_sessions_of(session: AsyncSession, user_id: str, *, but: str | None = None) -> int:
    """Delete a user's log-ins, and first steps of log-ins; return how many log-ins.

    Args:
        session: the unit of work.
        user_id: whose.
        but: the hash of the one that stays.
    """
    await session.execute(delete(ChallengeRow).where(ChallengeRow.user_id == user_id))
    statement = delete(SessionRow).where(SessionRow.user_id == user_id)
    if but is not None:
        statement = statement.where(SessionRow.token_hash != but)
    return cast(CursorResult[Any], await session.execute(statement)).rowcount


async def drop_run_out(session: AsyncSession, now: datetime) -> None:
    """Delete log-ins and first steps that have run out."""
    await session.execute(delete(SessionRow).where(SessionRow.expires_at <= now))
    await session.execute(delete(ChallengeRow).where(ChallengeRow.expires_at <= now))


async def add_challenge(session: AsyncSession, row: ChallengeRow) -> None:
    """Insert the first step of a log-in."""
    session.add(row)


async def challenged(session: AsyncSession, token_hash: str, now: datetime) -> UserRow | None:
    """Return the active user whose first step this is, while it counts."""
    query = (
        select(UserRow)
        .join(ChallengeRow, ChallengeRow.user_id == UserRow.id)
        .where(ChallengeRow.token_hash == token_hash, ChallengeRow.expires_at > now, UserRow.active)
    )
    return (await session.execute(query)).scalar_one_or_none()


async def take_challenge(session: AsyncSession, token_hash: str) -> bool:
    """Use a first step up; False where it was used already."""
    statement = (
        delete(ChallengeRow).where(ChallengeRow.token_hash == token_hash).returning(ChallengeRow.user_id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def take_step(session: AsyncSession, user_id: str, step: int) -> bool:
    """Use a time step's code up; False where it, or a later one, was used already."""
    statement = (
        update(UserRow)
        .where(UserRow.id == user_id, UserRow.totp_step < step)
        .values(totp_step=step)
        .returning(UserRow.id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def replace_recovery_codes(session: AsyncSession, user_id: str, hashes: Sequence[str]) -> None:
    """Set a user's recovery codes; the earlier ones stop working."""
    await session.execute(delete(RecoveryCodeRow).where(RecoveryCodeRow.user_id == user_id))
    if hashes:
        await session.execute(
            insert(RecoveryCodeRow), [{"code_hash": value, "user_id": user_id} for value in hashes]
        )


async def take_recovery_code(session: AsyncSession, user_id: str, code_hash: str, now: datetime) -> bool:
    """Use a recovery code up; False where there is none, or it was used already."""
    statement = (
        update(RecoveryCodeRow)
        .where(
            RecoveryCodeRow.code_hash == code_hash,
            RecoveryCodeRow.user_id == user_id,
            RecoveryCodeRow.used_at.is_(None),
        )
        .values(used_at=now)
        .returning(RecoveryCodeRow.user_id)
    )
    return (await session.execute(statement)).scalar_one_or_none() is not None


async def count_recovery_codes(session: AsyncSession, user_id: str) -> int:
    """Return how many recovery codes a user has left."""
    query = select(RecoveryCodeRow.code_hash).where(
        RecoveryCodeRow.user_id == user_id, RecoveryCodeRow.used_at.is_(None)
    )
    return len((await session.execute(query)).all())
