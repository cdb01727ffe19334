"""Tables of what providers tell besides messages."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, JsonColumn, UtcDateTime


class EarlySignRow(Base):
    """A sign about a message that is not here yet: providers tell things in any order.

    It is used up when the message comes; what never meets its message is deleted after some days.
    """

    __tablename__ = "early_signs"
    __table_args__ = (
        CheckConstraint("kind IN ('delivered', 'read', 'withdrawn')", name="kind"),
        Index("ix_early_signs_received_at", "received_at"),
    )

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    provider_message_id: Mapped[str] = mapped_column(String(300), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    received_at: Mapped[datetime] = mapped_column(UtcDateTime())


class ChannelEventRow(Base):
    """An event without meaning for us, as it came: personal data, deleted after some days.

    `id` is made from the content, so that a repeated delivery is the same row. `known`: the provider
    documents it, we only have no use for it.
    """

    __tablename__ = "channel_events"
    __table_args__ = (
        Index("ix_channel_events_received_at", "received_at"),
        Index("ix_channel_events_channel_name", "channel", "name"),
    )

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(100))
    known: Mapped[bool]
    payload: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
    at: Mapped[datetime] = mapped_column(UtcDateTime())
    received_at: Mapped[datetime] = mapped_column(UtcDateTime())
