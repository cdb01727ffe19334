"""What an inbound message is stored as, and what it changes in its conversation."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from conversations import repository, sending_repository
from conversations.desk.repository import WITH_BOT
from conversations.repository import Row
from conversations.schemas import Capabilities, InboundMessage
from database.base import new_id
from vntext.catalogue import lookup

SESSION_IDLE = timedelta(hours=24)
"""After so long a silence a conversation starts anew; its history stays."""

_OFFERS_LOOKED_AT = 60


async def open_conversation(session: AsyncSession, channel: str, external_user_id: str, now: datetime) -> Row:
    """Return a person's conversation on a channel, locked; made where there is none."""
    found = await repository.lock_by_user(session, channel, external_user_id)
    if found is not None:
        return found
    await repository.create_conversation(
        session,
        {
            "id": new_id(),
            "channel": channel,
            "external_user_id": external_user_id,
            "owner": "bot",
            "session": 1,
            "next_sequence": 1,
            "last_activity_at": now,
            "last_message": "",
            "last_author": "citizen",
            "unread": 0,
            "created_at": now,
        },
    )
    found = await repository.lock_by_user(session, channel, external_user_id)
    assert found is not None
    return found


def started_anew(conversation: Row, now: datetime) -> dict[str, Any]:
    """Return what changes when this message opens a new session: after closing, or after a day of silence.

    Who waits in the queue keeps the place. A person who held the conversation a day ago does not any more.
    """
    is_idle = now - conversation["last_activity_at"] > SESSION_IDLE
    if conversation["closed_at"] is None and not is_idle:
        return {}
    changes: dict[str, Any] = {"session": conversation["session"] + 1, "closed_at": None}
    if conversation["owner"] == "person":
        changes |= WITH_BOT
    return changes


def heard(conversation: Row, message: InboundMessage, now: datetime) -> dict[str, Any]:
    """Return what changes because the citizen said something: providers' windows begin anew.

    By the provider's own time, which may be long ago when it delivers late, but never in the future.
    """
    at = min(message.provider_timestamp or now, now)
    before: datetime | None = conversation["last_heard_at"]
    changes: dict[str, Any] = {"last_heard_at": at if before is None else max(before, at)}
    left: datetime | None = conversation["unfollowed_at"]
    if left is not None and at > left:
        changes["unfollowed_at"] = None
    return changes


async def taken_back(session: AsyncSession, message: InboundMessage, able: Capabilities) -> datetime | None:
    """Return when the citizen took this message back, before it came here; None when they did not."""
    if not able.reorders:
        return None
    signs = await sending_repository.take_signs(session, message.channel, message.provider_message_id)
    return next((sign["at"] for sign in signs if sign["kind"] == "withdrawn"), None)


def emptied(message: InboundMessage) -> InboundMessage:
    """Return a message without what was said: only that there was one is kept."""
    nothing = {"text": "", "attachments": (), "location": None, "postback": False, "kind": "text"}
    return message.model_copy(update=nothing)


async def content(
    session: AsyncSession, conversation_id: str, message: InboundMessage
) -> tuple[str, str, dict[str, Any]]:
    """Return kind, text and payload to store; a payload never offered is only what somebody typed."""
    payload: dict[str, Any] = {}
    if message.attachments:
        payload["attachments"] = [
            attachment.model_dump(exclude_none=True) for attachment in message.attachments
        ]
    if message.location is not None:
        payload["location"] = message.location.model_dump()
    if not message.postback:
        kind = message.kind if message.kind != "postback" else "text"
        if kind == "text" and message.location is not None and not message.text:
            kind = "location"
        return kind, message.text, payload
    title = await _offered_title(session, conversation_id, message.text)
    if title is None:
        return "text", message.text, payload
    return "postback", title, {**payload, "postback": message.text}


async def _offered_title(session: AsyncSession, conversation_id: str, postback: str) -> str | None:
    shown = await repository.offered(session, conversation_id, _OFFERS_LOOKED_AT)
    buttons = [button for row in shown for button in (row or {}).get("buttons", ())]
    for button in [*buttons, *lookup("conversation.greeting.buttons")]:
        if button["payload"] == postback:
            return str(button["title"])
    return None
