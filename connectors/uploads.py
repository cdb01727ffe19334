"""Remembers what a provider calls a file of ours, so that it is uploaded once and not at every try."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import String, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, UtcDateTime
from database.clock import Clock
from database.engine import Database


class UploadRow(Base):
    """A stored file as a provider knows it, until `expires_at`."""

    __tablename__ = "channel_uploads"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    file_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    token: Mapped[str] = mapped_column(String(500))
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)


class Uploads:
    """The uploads of all channels.

    Args:
        database: where they are kept.
        clock: tells when a provider has forgotten one.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    async def find(self, channel: str, file_id: str) -> str | None:
        """Return what a channel's provider calls a file, None when it has to be uploaded."""
        query = select(UploadRow.token).where(
            UploadRow.channel == channel,
            UploadRow.file_id == file_id,
            UploadRow.expires_at > self._clock.now(),
        )
        async with self._database.read() as session:
            return (await session.execute(query)).scalar_one_or_none()

    async def keep(self, channel: str, file_id: str, token: str, life: timedelta) -> None:
        """Remember an upload, and forget those that have run out."""
        now = self._clock.now()
        values = {"channel": channel, "file_id": file_id, "token": token, "expires_at": now + life}
        async with self._database.write() as session:
            await session.execute(delete(UploadRow).where(UploadRow.expires_at <= now))
            await self._insert(session, values)

    async def forget(self, channel: str, file_id: str) -> None:
        """The provider does not know an upload any more."""
        statement = (
            update(UploadRow)
            .where(UploadRow.channel == channel, UploadRow.file_id == file_id)
            .values(expires_at=self._clock.now())
        )
        async with self._database.write() as session:
            await session.execute(statement)

    async def _insert(self, session: AsyncSession, values: dict[str, object]) -> None:
        insert = sqlite.insert if self._database.is_sqlite else postgresql.insert
        changed = {"token": values["token"], "expires_at": values["expires_at"]}
        await session.execute(
            insert(UploadRow)
            .values(values)
            .on_conflict_do_update(index_elements=["channel", "file_id"], set_=changed)
        )
