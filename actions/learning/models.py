"""Tables of learning from use. Nothing in them leads back to a conversation or a person."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, Float, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from database.base import Base, JsonColumn, UtcDateTime


class LearningSampleRow(Base):
    """A text that was misunderstood, anonymised; the same words are one row that counts.

    `key` is a digest of the canonical text. `hint` is what the citizen's choice or an operator says is right:
    a procedure's code or an intent. States: open; decided: `phrase` and `evaluation` (written to `nlu_data`,
    in one file or the other), `name` (of the procedure in `label`, as in `names`), `known` (nothing to write,
    it stood there already), `dropped`. Samples decided together share `decision`.
    """

    __tablename__ = "learning_samples"
    __table_args__ = (
        UniqueConstraint("key"),
        CheckConstraint(
            "reason IN ('corrected', 'chosen_second', 'clarified_and_none_chosen', 'unclear', "
            "'nothing_found', 'asked_person')",
            name="reason",
        ),
        CheckConstraint(
            "state IN ('open', 'phrase', 'evaluation', 'name', 'known', 'dropped')", name="state"
        ),
        Index("ix_learning_samples_state_count", "state", "count"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    key: Mapped[str] = mapped_column(String(64))
    text: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(String(32))
    intent: Mapped[str | None] = mapped_column(String(64))
    confidence: Mapped[float | None] = mapped_column(Float)
    ranking: Mapped[list[Any]] = mapped_column(JsonColumn)
    procedures: Mapped[list[Any]] = mapped_column(JsonColumn)
    hint: Mapped[str | None] = mapped_column(String(64))
    model: Mapped[str | None] = mapped_column(String(64))
    count: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(12))
    label: Mapped[str | None] = mapped_column(String(64))
    names: Mapped[list[Any]] = mapped_column(JsonColumn)
    decision: Mapped[str | None] = mapped_column(String(32), index=True)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime())
    first_seen: Mapped[datetime] = mapped_column(UtcDateTime())
    last_seen: Mapped[datetime] = mapped_column(UtcDateTime(), index=True)


class LearningProgressRow(Base):
    """How far the messages have been looked through: one row."""

    __tablename__ = "learning_progress"

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    handled_at: Mapped[datetime] = mapped_column(UtcDateTime())
    message_id: Mapped[str] = mapped_column(String(32))
