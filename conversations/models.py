"""Tables of the conversation core: one row a conversation, one row a message said in either direction."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    false,
    literal_column,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, JsonColumn, UtcDateTime

# What still has to be worked on or sent: small at any time, so that the sweepers' queries stay cheap for
# ever. A database uses a partial index only when the query repeats its condition word for word: see IS_OPEN
# below.
_OPEN = text("state IN ('received', 'processing', 'pending')")
_WORKED_ON = text("work_claim IS NOT NULL")
_SENT_FROM = text("send_claim IS NOT NULL")
_SILENT = text("silent_since IS NOT NULL")
_UNSENT = text("direction = 'out' AND state = 'failed'")
_HANDLED = text("direction = 'in' AND handled_at IS NOT NULL")


class ConversationRow(Base):
    """One person on one channel. Kept for ever; a `session` is one stretch of talk inside it.

    `waiting_since` says since when the citizen waits for a person's word, in the queue and also while
    somebody holds the conversation; `silent_since` since when that holder lets them wait. `handoff` is the
    record of the last hand-over (`desk.schemas.Handoff`), `person_id` the person it is known to be of.

    `work_claim` and `send_claim` say which process handles the conversation's inbound messages, or sends its
    outbound ones, until when. They are leases: whoever finishes checks that the claim is still its own.
    `last_heard_at` is the citizen's last word by the provider's clock: windows of sending count from it.
    """

    __tablename__ = "conversations"
    __table_args__ = (
        UniqueConstraint("channel", "external_user_id"),
        CheckConstraint("owner IN ('bot', 'queue', 'person')", name="owner"),
        Index("ix_conversations_owner_waiting", "owner", "waiting_since"),
        Index("ix_conversations_owner_activity", "owner", "last_activity_at"),
        # Conversations whose holder keeps the citizen waiting; looked through every few seconds.
        Index("ix_conversations_silent", "silent_since", sqlite_where=_SILENT, postgresql_where=_SILENT),
        Index("ix_conversations_last_activity", "last_activity_at"),
        # Held by few conversations at any time; looked through every few seconds.
        Index(
            "ix_conversations_work_claim", "work_claim", sqlite_where=_WORKED_ON, postgresql_where=_WORKED_ON
        ),
        Index(
            "ix_conversations_send_claim", "send_claim", sqlite_where=_SENT_FROM, postgresql_where=_SENT_FROM
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    channel: Mapped[str] = mapped_column(String(32))
    external_user_id: Mapped[str] = mapped_column(String(200))
    owner: Mapped[str] = mapped_column(String(8), default="bot")
    assigned_to: Mapped[str | None] = mapped_column(String(32), index=True)
    session: Mapped[int] = mapped_column(Integer, default=1)
    next_sequence: Mapped[int] = mapped_column(Integer, default=1)
    last_activity_at: Mapped[datetime] = mapped_column(UtcDateTime())
    last_message: Mapped[str] = mapped_column(String(200), default="")
    last_author: Mapped[str] = mapped_column(String(16), default="citizen")
    unread: Mapped[int] = mapped_column(Integer, default=0)
    waiting_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    silent_since: Mapped[datetime | None] = mapped_column(UtcDateTime())
    urgent: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    handoff_reason: Mapped[str | None] = mapped_column(String(500))
    handoff: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    last_held_by: Mapped[str | None] = mapped_column(String(32))
    person_id: Mapped[str | None] = mapped_column(String(32), index=True)
    queue_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    work_claim: Mapped[str | None] = mapped_column(String(120))
    work_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    send_claim: Mapped[str | None] = mapped_column(String(120))
    send_until: Mapped[datetime | None] = mapped_column(UtcDateTime())
    last_heard_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    unfollowed_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())


class MessageRow(Base):
    """One message, in or out.

    States in: received → processing → done | failed. States out: pending → sent | failed.
    `next_attempt_at` is when it may be worked on or sent next; None: at once. What the citizen took back
    has `withdrawn_at` and nothing else of what was said.
    `read_with` is the id of the first of several pieces that are read as one message; it is written before
    the bot is asked, so that a second try after a crash asks exactly the same thing.
    """

    __tablename__ = "messages"
    __table_args__ = (
        UniqueConstraint("channel", "provider_message_id"),
        UniqueConstraint("conversation_id", "idempotency_key"),
        UniqueConstraint("conversation_id", "sequence"),
        CheckConstraint("direction IN ('in', 'out')", name="direction"),
        CheckConstraint(
            "state IN ('received', 'processing', 'done', 'pending', 'sent', 'failed')", name="state"
        ),
        Index("ix_messages_open", "conversation_id", "state", sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_messages_open_created", "created_at", sqlite_where=_OPEN, postgresql_where=_OPEN),
        # What never arrived; shown until somebody has seen to it.
        Index("ix_messages_failed", "conversation_id", sqlite_where=_UNSENT, postgresql_where=_UNSENT),
        # Read in order by whoever learns from what was said (see `past_turns`).
        Index("ix_messages_handled", "handled_at", "id", sqlite_where=_HANDLED, postgresql_where=_HANDLED),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    sequence: Mapped[int] = mapped_column(Integer)
    session: Mapped[int] = mapped_column(Integer)
    direction: Mapped[str] = mapped_column(String(3))
    author: Mapped[str] = mapped_column(String(16))
    author_id: Mapped[str | None] = mapped_column(String(32))
    channel: Mapped[str] = mapped_column(String(32))
    provider_message_id: Mapped[str | None] = mapped_column(String(300))
    idempotency_key: Mapped[str | None] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(16), default="text")
    text: Mapped[str] = mapped_column(Text, default="")
    payload: Mapped[dict[str, Any]] = mapped_column(JsonColumn, default=dict)
    turn: Mapped[dict[str, Any] | None] = mapped_column(JsonColumn)
    state: Mapped[str] = mapped_column(String(12))
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    next_attempt_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    error: Mapped[str | None] = mapped_column(String(300))
    read_with: Mapped[str | None] = mapped_column(String(32))
    provider_timestamp: Mapped[datetime] = mapped_column(UtcDateTime())
    created_at: Mapped[datetime] = mapped_column(UtcDateTime())
    handled_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    delivered_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime())


IS_OPEN = MessageRow.__table__.c.state.in_(
    [literal_column(f"'{state}'") for state in ("received", "processing", "pending")]
)
"""The partial indexes' condition; every query for unfinished messages states it beside its own."""
