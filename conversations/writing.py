"""Writes rows inside somebody else's unit of work: what is said, and who has the conversation next."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository
from conversations.replies import fitted, must_be_listed
from conversations.repository import Row
from conversations.schemas import Author, BotMessage, Capabilities
from database.base import new_id
from vntext.masking import mask_personal

PREVIEW_LENGTH = 200


def outbound_rows(
    conversation: Row,
    messages: Sequence[BotMessage],
    *,
    author: Author,
    author_id: str | None,
    key: str,
    first_sequence: int,
    able: Capabilities,
    now: datetime,
) -> list[dict[str, Any]]:
    """Return the rows of what is said, in order.

    `key` makes a second writing of the same answer fail on the unique constraint instead of saying it twice.
    """
    parts = [part for message in messages for part in fitted(message, able)]
    return [
        {
            "id": new_id(),
            "conversation_id": conversation["id"],
            "sequence": first_sequence + number,
            "session": conversation["session"],
            "direction": "out",
            "author": author,
            "author_id": author_id,
            "channel": conversation["channel"],
            "idempotency_key": key if number == 0 else f"{key}:{number}",
            "kind": part.attachments[0].kind if part.attachments and not part.text else "text",
            "text": part.text,
            "payload": _payload(part, able),
            "turn": part.turn,
            "state": "pending",
            "attempts": 0,
            "provider_timestamp": now,
            "created_at": now,
        }
        for number, part in enumerate(parts)
    ]


async def say_in(
    session: AsyncSession,
    conversation: Row,
    messages: Sequence[BotMessage],
    /,
    *,
    author: Author,
    author_id: str | None = None,
    key: str,
    able: Capabilities,
    now: datetime,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Append messages to a locked conversation and set its columns; return the rows written.

    `changes` may carry `next_sequence` when the caller has used sequences itself in this unit of work.
    """
    first = changes.pop("next_sequence", conversation["next_sequence"])
    rows = outbound_rows(
        conversation,
        messages,
        author=author,
        author_id=author_id,
        key=key,
        first_sequence=first,
        able=able,
        now=now,
    )
    await repository.add_outbound(session, rows)
    if rows and author == "operator":
        # The list shows what people said: that the assistant answered is no news to an operator.
        changes |= {"last_message": preview(rows[-1]["text"]), "last_author": author}
    await repository.change_conversation(
        session, conversation["id"], next_sequence=first + len(rows), last_activity_at=now, **changes
    )
    return rows


def _payload(part: BotMessage, able: Capabilities) -> dict[str, Any]:
    """Return what is kept beside the text: also choices that are written out stay on record as offered."""
    payload: dict[str, Any] = {}
    if part.buttons:
        payload["buttons"] = [button.model_dump() for button in part.buttons]
        if must_be_listed(part.buttons, able):
            payload["listed"] = True
    if part.attachments:
        payload["attachments"] = [file.model_dump(exclude_none=True) for file in part.attachments]
    return payload


def preview(text: str) -> str:
    """Return the beginning of a text for lists, personal numbers masked."""
    line = " ".join(mask_personal(text[: 2 * PREVIEW_LENGTH]).split())
    return line if len(line) <= PREVIEW_LENGTH else line[: PREVIEW_LENGTH - 1] + "…"
