"""All SQL of the accounts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import CursorResult, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.models import AttemptRow, AuditRow, PasswordLinkRow, SessionRow, UserRow
from accounts.schemas import AuditEntry


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


async def count_users(session: AsyncSession) -> int:
    """Return how many users there are."""
    return (await session.execute(select(func.count()).select_from(UserRow))).scalar_one()


async def add_user(session: AsyncSession, row: UserRow) -> None:
    """Insert a user at once, so that a login taken meanwhile shows here."""
    session.add(row)
    await session.flush()


async def set_password(session: AsyncSession, user_id: str, password_hash: str) -> None:
    """Set a user's password hash."""
    await session.execute(update(UserRow).where(UserRow.id == user_id).values(password_hash=password_hash))


async def add_link(session: AsyncSession, row: PasswordLinkRow) -> None:
    """Insert a one-time link; the user's earlier ones stop working."""
    await session.execute(
        update(PasswordLinkRow)
        .where(PasswordLinkRow.user_id == row.user_id, PasswordLinkRow.used_at.is_(None))
        .values(used_at=row.created_at)
    )
    session.add(row)


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


async def touch_session(session: AsyncSession, token_hash: str, seen: datetime, expires: datetime) -> None:
    """Note that a log-in is in use."""
    await session.execute(
        update(SessionRow).where(SessionRow.token_hash == token_hash).values(seen_at=seen, expires_at=expires)
    )


async def drop_session(session: AsyncSession, token_hash: str) -> str | None:
    """Delete one log-in; return whose it was."""
    statement = delete(SessionRow).where(SessionRow.token_hash == token_hash).returning(SessionRow.user_id)
    return (await session.execute(statement)).scalar_one_or_none()


async def drop_sessions_of(session: AsyncSession, user_id: str) -> None:
    """Delete all log-ins of a user."""
    await session.execute(delete(SessionRow).where(SessionRow.user_id == user_id))


async def count_attempts(session: AsyncSession, who: str, since: datetime) -> int:
    """Return failed attempts since a moment."""
    query = select(func.count()).where(AttemptRow.who == who, AttemptRow.at > since)
    return (await session.execute(query)).scalar_one()


async def add_attempts(session: AsyncSession, who: Sequence[str], at: datetime, forget: datetime) -> None:
    """Note a failed attempt under each name, and forget those from before `forget`."""
    await session.execute(delete(AttemptRow).where(AttemptRow.at < forget))
    await session.execute(insert(AttemptRow), [{"who": name, "at": at} for name in who])


async def forget_attempts(session: AsyncSession, who: str) -> None:
    """Forget failed attempts under a name."""
    result = await session.execute(delete(AttemptRow).where(AttemptRow.who == who))
    assert isinstance(result, CursorResult)


async def add_audit(
    session: AsyncSession, at: datetime, actor: str, action: str, target: str, detail: dict[str, Any]
) -> None:
    """Append to the audit trail."""
    await session.execute(
        insert(AuditRow).values(at=at, actor=actor, action=action, target=target, detail=detail)
    )


async def audit(session: AsyncSession, target: str | None, limit: int) -> list[AuditEntry]:
    """Return the newest lines of the audit trail, of one record or of all."""
    query = select(AuditRow).order_by(AuditRow.id.desc()).limit(limit)
    if target is not None:
        query = query.where(AuditRow.target == target)
    rows = (await session.execute(query)).scalars()
    return [AuditEntry(row.id, row.at, row.actor, row.action, row.target, row.detail) for row in rows]
