"""Decides what a message may be sent as: the window it falls in, `messaging_type` and tag.

Within 24 hours of the citizen's last word anything goes, as RESPONSE. After that only what a person wrote,
for seven days, with the tag HUMAN_AGENT, and only if Meta has granted the page that permission. A message of
the assistant never carries a tag.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/policy/policy-overview
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from conversations.schemas import Author

WINDOW = timedelta(hours=24)
PERSON_WINDOW = timedelta(days=7)
HUMAN_AGENT = "HUMAN_AGENT"


@dataclass(frozen=True, slots=True)
class Envelope:
    """What goes around the message in a call of the Send API."""

    messaging_type: str
    tag: str | None = None

    def fields(self) -> dict[str, str]:
        """Return the fields as the Send API names them."""
        fields = {"messaging_type": self.messaging_type}
        return fields if self.tag is None else {**fields, "tag": self.tag}


RESPONSE = Envelope("RESPONSE")
BY_PERSON = Envelope("MESSAGE_TAG", HUMAN_AGENT)


def envelope(
    author: Author, *, last_heard_at: datetime | None, now: datetime, human_agent: bool
) -> Envelope | None:
    """Return how a message may be sent, None when it may not be any more.

    Args:
        author: who wrote it.
        last_heard_at: when the citizen last said something here; None: not known, Meta will decide.
        now: the moment of sending.
        human_agent: Meta has granted the page the permission to use the tag HUMAN_AGENT.
    """
    if last_heard_at is None or now - last_heard_at <= WINDOW:
        return RESPONSE
    if author == "operator" and human_agent and now - last_heard_at <= PERSON_WINDOW:
        return BY_PERSON
    return None
