"""Tables of the channels' health: how each stands now, and what passed in each hour."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, JsonColumn, UtcDateTime


class ChannelHealthRow(Base):
    """How one channel stands: `state` is ok, down, limited or auth, `error` the last one's short code."""

    __tablename__ = "channel_health"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    last_event_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    last_success_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    last_error_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error: Mapped[str | None] = mapped_column(String(300))
    state: Mapped[str] = mapped_column(String(12))
    state_since: Mapped[datetime] = mapped_column(UtcDateTime())


class ChannelHourRow(Base):
    """What passed in one hour, which begins at `hour`; `errors` counts by short code."""

    __tablename__ = "channel_hours"

    channel: Mapped[str] = mapped_column(String(32), primary_key=True)
    hour: Mapped[datetime] = mapped_column(UtcDateTime(), primary_key=True)
    events: Mapped[int] = mapped_column(Integer)
    sent: Mapped[int] = mapped_column(Integer)
    refused: Mapped[int] = mapped_column(Integer)
    errors: Mapped[dict[str, Any]] = mapped_column(JsonColumn)
