"""What an echo is: our own message come back, somebody else's answer, or neither."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import arrival, intake_repository, repository, sending_repository
from conversations.channel_events import Echo
from conversations.desk.repository import add_event
from conversations.reasons import channel_name
from conversations.repository import Row
from conversations.schemas import clean_text
from conversations.writing import preview
from database.base import new_id
from vntext.catalogue import say


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of an echo.

    Attributes:
        conversation_id: where something has changed; None where nothing has.
        has_settled: a message of ours that was in doubt has gone out; what waits behind it may go.
        is_foreign: a person answered in the provider's own tool, and it was new.
        owner_changed: the bot has stepped aside for it.
        is_unknown: it was sent from our account, but is nothing we know.
    """

    conversation_id: str | None = None
    sequence: int | None = None
    has_settled: bool = False
    is_foreign: bool = False
    owner_changed: bool = False
    is_unknown: bool = False


async def take(session: AsyncSession, event: Echo, now: datetime) -> Taken:
    """Take an echo in; again changes nothing."""
    known = await intake_repository.ours_by_provider_id(session, event.channel, [event.provider_message_id])
    if known:
        return Taken()
    conversation_id = await intake_repository.conversation_of(session, event.channel, event.external_user_id)
    current = await repository.lock(session, conversation_id) if conversation_id else None
    ours = await _ours(session, event, current)
    if ours is not None:
        return await _settle(session, event, ours, now)
    if not event.from_elsewhere:
        return Taken(is_unknown=True)
    return await _join(session, event, now)


async def _ours(session: AsyncSession, event: Echo, conversation: Row | None) -> Row | None:
    """Return the message of ours this is: by our id, else by its text among what is just being sent."""
    if event.our_id is not None:
        row = await repository.get_row(session, event.our_id)
        return row if row is not None and row["channel"] == event.channel else None
    if conversation is None or event.from_elsewhere:
        return None
    text = _plain(event.text)
    for row in await intake_repository.unsent(session, conversation["id"]):
        may_be_out = row["attempts"] > 0 or row["error"] is not None or conversation["send_claim"] is not None
        if may_be_out and _plain(row["text"]) == text:
            return row
        # In order: what comes after it cannot have gone out before it.
        break
    return None


async def _settle(session: AsyncSession, event: Echo, ours: Row, now: datetime) -> Taken:
    """Note that the provider has our message, whatever its send call says or has said."""
    values: dict[str, Any] = {"provider_message_id": event.provider_message_id}
    was_open = ours["state"] == "pending"
    if was_open or ours["state"] == "failed":
        values |= {"state": "sent", "handled_at": now, "error": None, "next_attempt_at": None}
    elif ours["provider_message_id"] is not None:
        return Taken()  # sent twice after all; the first id stays
    for sign in await sending_repository.take_signs(session, event.channel, event.provider_message_id):
        if sign["kind"] in ("delivered", "read"):
            values[f"{sign['kind']}_at"] = sign["at"]
    await repository.change_messages(session, [ours["id"]], **values)
    return Taken(ours["conversation_id"], ours["sequence"], has_settled=was_open)


async def _join(session: AsyncSession, event: Echo, now: datetime) -> Taken:
    """Write somebody else's answer into the history; the bot steps aside."""
    conversation = await arrival.open_conversation(session, event.channel, event.external_user_id, now)
    sequence: int = conversation["next_sequence"]
    payload: dict[str, Any] = {"elsewhere": True}
    if event.attachments:
        payload["attachments"] = [file.model_dump(exclude_none=True) for file in event.attachments]
    text = clean_text(event.text)
    await repository.add_outbound(
        session,
        [
            {
                "id": new_id(),
                "conversation_id": conversation["id"],
                "sequence": sequence,
                "session": conversation["session"],
                "direction": "out",
                "author": "operator",
                "author_id": None,
                "channel": event.channel,
                "provider_message_id": event.provider_message_id,
                "kind": event.attachments[0].kind if event.attachments and not text else "text",
                "text": text,
                "payload": payload,
                "state": "sent",
                "attempts": 0,
                "provider_timestamp": event.at,
                "created_at": now,
                "handled_at": now,
            }
        ],
    )
    is_held = conversation["owner"] == "person"
    # Once, until somebody takes it here: what they answer there next is the same turn of theirs.
    if not is_held or conversation["assigned_to"] is not None:
        await add_event(
            session,
            conversation,
            "answered_elsewhere",
            actor="system",
            at=now,
            reason=say("desk.elsewhere", channel=channel_name(event.channel)),
        )
    changes: dict[str, Any] = {
        "next_sequence": sequence + 1,
        "last_activity_at": max(now, conversation["last_activity_at"]),
        "last_message": preview(text),
        "last_author": "operator",
        "unread": conversation["unread"] + 1,
        "closed_at": None,
    }
    if not is_held:
        changes |= {
            "owner": "person",
            "assigned_to": None,
            "waiting_since": None,
            "queue_told_at": None,
            "handoff_reason": say("channels.elsewhere.reason", channel=channel_name(event.channel)),
        }
    await repository.change_conversation(session, conversation["id"], **changes)
    return Taken(conversation["id"], sequence, is_foreign=True, owner_changed=not is_held)


def _plain(text: str) -> str:
    return " ".join(clean_text(text).split())
