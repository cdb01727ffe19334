"""A citizen takes a message back: everything of it that is ours to delete goes.

What stays: that there was a message, and a report that was made from it, with its files: that is a record of
its own which the citizen confirmed. The bot's tracker forgets with its session.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import intake_repository, repository
from conversations.channel_events import Withdrawal
from conversations.media import fetch_repository
from conversations.media import repository as media_repository
from tickets.repository import files_of_conversation
from vntext.catalogue import say


class Learned(Protocol):
    """Whoever learns from what was said."""

    async def withdraw(self, session: AsyncSession, message_id: str) -> None:
        """Forget what was learned from a message, in the caller's unit of work."""
        ...


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken back; `files` are to be deleted."""

    message_id: str
    conversation_id: str
    files: tuple[str, ...]


async def take(
    session: AsyncSession, event: Withdrawal, now: datetime, learned: Learned | None
) -> Taken | None:
    """Delete what was said; None when there was nothing to delete any more, or nothing yet."""
    found = await intake_repository.ours_by_provider_id(session, event.channel, [event.provider_message_id])
    if not found:
        # It overtook its own message, which will be kept without content when it comes.
        await intake_repository.add_sign(
            session, event.channel, event.provider_message_id, "withdrawn", event.at, now
        )
        return None
    conversation = await repository.lock(session, found[0]["conversation_id"])
    row = await repository.get_row(session, found[0]["id"])
    assert conversation is not None
    assert row is not None
    if row["direction"] != "in" or row["withdrawn_at"] is not None:
        return None
    if learned is not None:
        await learned.withdraw(session, row["id"])
    carried = [file.get("file_id") for file in (row["payload"] or {}).get("attachments", ())]
    kept = await files_of_conversation(session, conversation["id"])
    await fetch_repository.done(session, row["id"])
    await repository.change_messages(
        session,
        [row["id"]],
        text="",
        kind="text",
        payload={},
        turn=None,
        state="done",
        handled_at=row["handled_at"] or now,
        withdrawn_at=event.at,
    )
    if row["sequence"] == await repository.last_inbound_sequence(session, conversation["id"]):
        await repository.change_conversation(
            session, conversation["id"], last_message=say("channels.withdrawn")
        )
    files = tuple(file_id for file_id in carried if file_id and file_id not in kept)
    if files:
        await media_repository.detach(session, files)
    return Taken(row["id"], conversation["id"], files)
