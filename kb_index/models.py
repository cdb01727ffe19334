"""The table that keeps what was imported, one row a layer of an entry."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, new_id


class KbEntry(Base):
    """One layer (starter, portal, sheet) of one entry; `payload` is the schema's JSON."""

    __tablename__ = "kb_entries"
    __table_args__ = (UniqueConstraint("key", "layer"),)

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    key: Mapped[str] = mapped_column(index=True)
    kind: Mapped[str]
    layer: Mapped[str]
    payload: Mapped[dict[str, Any]]
    content_hash: Mapped[str]
    effective_from: Mapped[date | None]
    effective_to: Mapped[date | None]
    source_file: Mapped[str]
    imported_at: Mapped[datetime]
