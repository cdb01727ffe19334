"""Names of the live events' topics."""

from __future__ import annotations


def visitor_topic(channel: str, external_user_id: str) -> str:
    """Return the topic that tells of a person's first message: until then there is no conversation."""
    return f"visitor:{channel}:{external_user_id}"


def conversation_topic(conversation_id: str) -> str:
    """Return the topic of one conversation's live events."""
    return f"conversation:{conversation_id}"
