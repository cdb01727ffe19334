"""Lays a message out as Messenger can show it: files first, then the text with its quick replies.

Quick replies disappear when anything follows them, so that the text comes last. A choice whose title does not
fit on a button is written into the text under a number, and the button carries the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from conversations.replies import split_text
from conversations.schemas import Button, OutboundFile, OutboundMessage
from vntext.catalogue import say

LONGEST_TEXT = 1_999
"""Meta takes less than 2,000 characters."""

SAFE_TEXT = 1_800
"""Longest text asked of the core: numbered choices are added to it here, and an emoji may count twice."""

MOST_QUICK_REPLIES = 13
LONGEST_TITLE = 20
LONGEST_PAYLOAD = 1_000
LARGEST_FILE = 25 * 1024 * 1024
"""Bytes of the largest attachment."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one call of the Send API carries.

    Attributes:
        reference: our id of it, which Meta gives back with the echo.
        message: the body's `message`, for a file without its attachment.
        file: the file that has to be uploaded for it.
    """

    reference: str
    message: dict[str, Any]
    file: OutboundFile | None = None


def length(text: str) -> int:
    """Return a text's length in the units in which Meta might count: UTF-16, where an emoji counts twice."""
    return len(text.encode("utf-16-le")) // 2


def parts(message: OutboundMessage) -> list[Part]:
    """Return the calls that show a message, in order; the last one's reference is the message's own id."""
    bodies: list[tuple[dict[str, Any], OutboundFile | None]] = [({}, file) for file in message.files]
    bodies += [(body, None) for body in _texts(message.text, message.buttons)]
    last = len(bodies) - 1
    return [
        Part(
            reference(message.id, None if number == last else number),
            {**body, "metadata": reference(message.id, None if number == last else number)},
            file,
        )
        for number, (body, file) in enumerate(bodies)
    ]


def reference(message_id: str, number: int | None) -> str:
    """Return what goes as `metadata`: the last part bears the message's id alone."""
    return message_id if number is None else f"{message_id}:{number}"


def _texts(text: str, buttons: Sequence[Button]) -> list[dict[str, Any]]:
    if not text.strip():
        return []
    shown, replies = _with_choices(text.strip(), [b for b in buttons if len(b.payload) <= LONGEST_PAYLOAD])
    limit = LONGEST_TEXT
    pieces = split_text(shown, limit)
    while any(length(piece) > LONGEST_TEXT for piece in pieces):
        limit -= 200
        pieces = split_text(shown, limit)
    bodies: list[dict[str, Any]] = [{"text": piece} for piece in pieces]
    if replies:
        bodies[-1]["quick_replies"] = replies
    return bodies


def _with_choices(text: str, buttons: Sequence[Button]) -> tuple[str, list[dict[str, str]]]:
    fits = len(buttons) <= MOST_QUICK_REPLIES and all(length(b.title) <= LONGEST_TITLE for b in buttons)
    if fits:
        return text, [_quick_reply(button.title, button.payload) for button in buttons]
    lines = [
        say("conversation.choices.line", number=number, title=button.title)
        for number, button in enumerate(buttons, 1)
    ]
    # The core has numbered them already, and put the last of them into the last part.
    if lines[-1] not in text:
        text = "\n".join([text, "", *lines])
    numbered = enumerate(buttons[:MOST_QUICK_REPLIES], 1)
    return text, [_quick_reply(str(number), button.payload) for number, button in numbered]


def _quick_reply(title: str, payload: str) -> dict[str, str]:
    return {"content_type": "text", "title": title, "payload": payload}
