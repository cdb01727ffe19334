"""The table of stored files: one row a file, its bytes lie in the instance's folder."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base

_UNUSED = text("attached_at IS NULL")


class StoredFileRow(Base):
    """A file of one person on one channel, and by these two of their conversation.

    `client_id` is made by the sender's program: sent again, the file is there once. `digest` is the SHA-256
    of the bytes as they are kept. `attached_at` is when a message first carried the file; one that no message
    carries is deleted after some days.
    """

    __tablename__ = "stored_files"
    __table_args__ = (
        UniqueConstraint("channel", "external_user_id", "client_id"),
        CheckConstraint("kind IN ('image', 'file')", name="kind"),
        Index("ix_stored_files_unused", "created_at", sqlite_where=_UNUSED, postgresql_where=_UNUSED),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    external_user_id: Mapped[str] = mapped_column(String(200))
    client_id: Mapped[str] = mapped_column(String(64))
    kind: Mapped[str] = mapped_column(String(8))
    content_type: Mapped[str] = mapped_column(String(100))
    name: Mapped[str] = mapped_column(String(200))
    size: Mapped[int]
    digest: Mapped[str] = mapped_column(String(64))
    width: Mapped[int | None]
    height: Mapped[int | None]
    created_at: Mapped[datetime]
    attached_at: Mapped[datetime | None]
