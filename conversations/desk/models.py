"""Tables of the desk: who had a conversation and why, notes, canned answers, people, and the search index."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import (
    DDL,
    BigInteger,
    CheckConstraint,
    Connection,
    ForeignKey,
    Index,
    Integer,
    String,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import Mapped, Mapper, mapped_column

import conversations.models  # noqa: F401 - the tables referred to
import tickets.models  # noqa: F401 - the same
from database.base import Base, JsonColumn

_NUMBER = BigInteger().with_variant(Integer(), "sqlite")
_IS_MEMBER = text("ended_at IS NULL")


class HistoryIsAppendOnlyError(RuntimeError):
    """Something tried to change or delete a row of a conversation's history of owners."""


class ConversationEventRow(Base):
    """One change of a conversation's owner or rank: who did what, and when.

    `after_sequence` is the last message before it, so that a page shows it at its place. `actor` is a user's
    id, `bot`, `citizen` or `system`.
    """

    __tablename__ = "conversation_events"
    __table_args__ = (
        Index("ix_conversation_events_conversation_id", "conversation_id", "id"),
        Index("ix_conversation_events_kind_at", "kind", "at"),
    )

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    after_sequence: Mapped[int]
    at: Mapped[datetime]
    kind: Mapped[str] = mapped_column(String(24))
    actor: Mapped[str] = mapped_column(String(32))
    data: Mapped[dict[str, Any]] = mapped_column(JsonColumn, default=dict)


class EventTextRow(Base):
    """Why somebody did it, in words. Apart from the history: it may have to be erased."""

    __tablename__ = "conversation_event_texts"

    event_id: Mapped[int] = mapped_column(ForeignKey("conversation_events.id"), primary_key=True)
    text: Mapped[str] = mapped_column(String(500))


class NoteRow(Base):
    """What operators write to each other about a conversation; it is never sent."""

    __tablename__ = "conversation_notes"
    __table_args__ = (UniqueConstraint("conversation_id", "idempotency_key"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    after_sequence: Mapped[int]
    author_id: Mapped[str] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    mentions: Mapped[list[Any]] = mapped_column(JsonColumn, default=list)
    idempotency_key: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime]


class CannedAnswerRow(Base):
    """An answer written beforehand, of one operator or (`owner_id` empty) of all.

    `plain` is title and text as they are searched: without marks, in lower case.
    """

    __tablename__ = "canned_answers"
    __table_args__ = (UniqueConstraint("owner_id", "title"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    owner_id: Mapped[str] = mapped_column(String(32), default="")
    title: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(Text)
    plain: Mapped[str] = mapped_column(Text)
    changed_by: Mapped[str] = mapped_column(String(32))
    changed_at: Mapped[datetime]


class PersonRow(Base):
    """Somebody who is known to be behind several conversations."""

    __tablename__ = "people"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    created_at: Mapped[datetime]


class PersonMergeRow(Base):
    """One decision of an operator that conversations are of the same person; it can be undone."""

    __tablename__ = "person_merges"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"))
    by: Mapped[str] = mapped_column(String(32))
    at: Mapped[datetime]
    reason: Mapped[str] = mapped_column(String(500))
    undone_by: Mapped[str | None] = mapped_column(String(32))
    undone_at: Mapped[datetime | None]
    undone_reason: Mapped[str | None] = mapped_column(String(500))


class PersonMemberRow(Base):
    """From when to when a conversation counted as a person's; rows are ended, never changed otherwise.

    `former_id` is the membership that this one took the place of, so that undoing puts it back.
    """

    __tablename__ = "person_members"
    __table_args__ = (
        Index(
            "ix_person_members_current",
            "conversation_id",
            unique=True,
            sqlite_where=_IS_MEMBER,
            postgresql_where=_IS_MEMBER,
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey("people.id"), index=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    merge_id: Mapped[str] = mapped_column(ForeignKey("person_merges.id"), index=True)
    former_id: Mapped[str | None] = mapped_column(String(32))
    began_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ContactRow(Base):
    """A telephone number known to be of a conversation's citizen; `source` says from where."""

    __tablename__ = "conversation_contacts"
    __table_args__ = (
        UniqueConstraint("conversation_id", "phone"),
        CheckConstraint("source IN ('call', 'contact', 'operator', 'ticket')", name="source"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    conversation_id: Mapped[str] = mapped_column(ForeignKey("conversations.id"))
    phone: Mapped[str] = mapped_column(String(20), index=True)
    name: Mapped[str] = mapped_column(String(200), default="")
    source: Mapped[str] = mapped_column(String(12))
    seen_at: Mapped[datetime]


class SearchDocumentRow(Base):
    """What can be found: a message, a ticket, a contact; its words without marks.

    Numbers grow with time, so that the newest are found first.
    """

    __tablename__ = "search_documents"
    __table_args__ = (UniqueConstraint("ref", "kind"),)

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True, autoincrement=True)
    kind: Mapped[str] = mapped_column(String(8))
    ref: Mapped[str] = mapped_column(String(32))
    conversation_id: Mapped[str] = mapped_column(String(32), index=True)
    words: Mapped[Any] = mapped_column(Text().with_variant(TSVECTOR(), "postgresql"))


class SearchedConversationRow(Base):
    """How far a conversation's messages are in the index."""

    __tablename__ = "search_conversations"

    conversation_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    sequence: Mapped[int]


class SearchProgressRow(Base):
    """How far the index is behind, by source; its row is the lock under which the index grows."""

    __tablename__ = "search_progress"

    source: Mapped[str] = mapped_column(String(16), primary_key=True)
    until: Mapped[datetime]


APPEND_ONLY_SQLITE = tuple(
    f"CREATE TRIGGER IF NOT EXISTS conversation_events_no_{verb.lower()} "
    f"BEFORE {verb} ON conversation_events "
    "BEGIN SELECT RAISE(ABORT, 'conversation_events is append-only'); END"
    for verb in ("UPDATE", "DELETE")
)
APPEND_ONLY_POSTGRESQL = (
    "CREATE OR REPLACE FUNCTION conversation_events_append_only() RETURNS trigger AS $$ "
    "BEGIN RAISE EXCEPTION 'conversation_events is append-only'; END $$ LANGUAGE plpgsql",
    "CREATE OR REPLACE TRIGGER conversation_events_append_only "
    "BEFORE UPDATE OR DELETE ON conversation_events "
    "FOR EACH ROW EXECUTE FUNCTION conversation_events_append_only()",
)

# The index of words is each database's own. What is withdrawn or erased leaves it by itself, whoever changes
# the message; a ticket's words when its sender's name or number changes, which only erasing does.
_FORGET = "DELETE FROM search_documents WHERE ref = OLD.id AND kind = 'message'"
_FORGET_TICKET = "DELETE FROM search_documents WHERE ref = OLD.id AND kind = 'ticket'"
SEARCH_SQLITE = (
    "CREATE VIRTUAL TABLE IF NOT EXISTS search_words USING fts5("
    "words, content='search_documents', content_rowid='id', tokenize='ascii', prefix='2 3')",
    "CREATE TRIGGER IF NOT EXISTS search_documents_added AFTER INSERT ON search_documents "
    "BEGIN INSERT INTO search_words(rowid, words) VALUES (NEW.id, NEW.words); END",
    "CREATE TRIGGER IF NOT EXISTS search_documents_deleted AFTER DELETE ON search_documents "
    "BEGIN INSERT INTO search_words(search_words, rowid, words) VALUES ('delete', OLD.id, OLD.words); END",
    "CREATE TRIGGER IF NOT EXISTS messages_text_changed AFTER UPDATE OF text ON messages "
    f"WHEN OLD.text <> NEW.text BEGIN {_FORGET}; END",
    f"CREATE TRIGGER IF NOT EXISTS messages_deleted AFTER DELETE ON messages BEGIN {_FORGET}; END",
    "CREATE TRIGGER IF NOT EXISTS tickets_sender_changed AFTER UPDATE OF name, phone ON tickets "
    f"WHEN OLD.name <> NEW.name OR OLD.phone <> NEW.phone BEGIN {_FORGET_TICKET}; END",
)
SEARCH_POSTGRESQL = (
    "CREATE INDEX IF NOT EXISTS search_words ON search_documents USING gin (words)",
    "CREATE OR REPLACE FUNCTION messages_forget_words() RETURNS trigger AS $$ "
    f"BEGIN {_FORGET}; RETURN NULL; END $$ LANGUAGE plpgsql",
    "CREATE OR REPLACE TRIGGER messages_text_changed AFTER UPDATE OF text ON messages "
    "FOR EACH ROW WHEN (OLD.text IS DISTINCT FROM NEW.text) EXECUTE FUNCTION messages_forget_words()",
    "CREATE OR REPLACE TRIGGER messages_deleted AFTER DELETE ON messages "
    "FOR EACH ROW EXECUTE FUNCTION messages_forget_words()",
    "CREATE OR REPLACE FUNCTION tickets_forget_words() RETURNS trigger AS $$ "
    f"BEGIN {_FORGET_TICKET}; RETURN NULL; END $$ LANGUAGE plpgsql",
    "CREATE OR REPLACE TRIGGER tickets_sender_changed AFTER UPDATE OF name, phone ON tickets "
    "FOR EACH ROW WHEN (OLD.name <> NEW.name OR OLD.phone <> NEW.phone) "
    "EXECUTE FUNCTION tickets_forget_words()",
)
for _dialect, _statements in (
    ("sqlite", (*APPEND_ONLY_SQLITE, *SEARCH_SQLITE)),
    ("postgresql", (*APPEND_ONLY_POSTGRESQL, *SEARCH_POSTGRESQL)),
):
    for _statement in _statements:
        _ddl = DDL(_statement)  # type: ignore[no-untyped-call]
        # After all tables: some of them are of the conversation core.
        event.listen(Base.metadata, "after_create", _ddl.execute_if(dialect=_dialect))


@event.listens_for(ConversationEventRow, "before_update")
@event.listens_for(ConversationEventRow, "before_delete")
def _refuse_change(
    _mapper: Mapper[ConversationEventRow], _connection: Connection, _target: ConversationEventRow
) -> None:
    raise HistoryIsAppendOnlyError("a conversation's history of owners is only added to")
