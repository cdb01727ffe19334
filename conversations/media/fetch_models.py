"""The table of attachments that still lie at their provider."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, UtcDateTime


class FetchRow(Base):
    """One attachment to be fetched; the row goes when that is done, or given up."""

    __tablename__ = "media_fetches"

    message_id: Mapped[str] = mapped_column(ForeignKey("messages.id"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)
    lease: Mapped[str | None] = mapped_column(String(32))
