"""Sends to the web chat: the stored row is the delivery, a live event tells the open pages."""

from __future__ import annotations

from typing import Any

from connectors.base import Capabilities, OutboundMessage, SendResult
from connectors.webchat.links import FileLinks
from conversations.events import LiveEvents
from conversations.schemas import MessageView
from conversations.topics import conversation_topic

CHANNEL = "webchat"


class WebChat:
    """The connector of the web chat.

    A page reads its messages from the database and learns by an event that there is something to read, so
    that nothing depends on its being open.

    Args:
        events: where open pages listen.
    """

    name = CHANNEL
    capabilities = Capabilities(max_text=8_000, buttons=True, images=True, files=True, repeatable=True)

    def __init__(self, events: LiveEvents) -> None:
        self._events = events

    async def send(self, message: OutboundMessage) -> SendResult:
        """Tell the open pages; the message counts as accepted because it is stored where they read it."""
        event: dict[str, Any] = {
            "type": "message",
            "conversation": message.conversation_id,
            "sequence": message.sequence,
        }
        # The address of a file is made for whoever reads it: with files, pages read the stored message.
        if not message.files:
            event["message"] = _shown(
                message.id,
                message.sequence,
                message.author,
                message.text,
                [button.model_dump() for button in message.buttons],
                message.created_at.isoformat(),
                message.route,
            )
        await self._events.publish(conversation_topic(message.conversation_id), **event)
        return SendResult.accepted()


def provider_id(visitor: str, client_id: object) -> str:
    """Return a message's id on this channel.

    It begins with the visitor, so that somebody else's client_id neither collides with a message nor hides
    it.
    """
    return f"{visitor}:{client_id}"


def visible(message: MessageView, links: FileLinks) -> dict[str, Any]:
    """Return a message as the widget reads it."""
    shown = _shown(
        message.id,
        message.sequence,
        message.author,
        message.text,
        [button.model_dump() for button in message.buttons],
        message.created_at.isoformat(),
        message.route if message.direction == "out" else None,
    )
    if message.direction == "in" and message.provider_message_id:
        shown["client_id"] = message.provider_message_id.rpartition(":")[2]
    if location := message.payload.get("location"):
        shown["location"] = location
    files = [file for file in message.payload.get("attachments", ()) if file.get("file_id")]
    if files:
        shown["attachments"] = [_file(file, links) for file in files]
    return shown


def _file(file: dict[str, Any], links: FileLinks) -> dict[str, Any]:
    """Return a stored file as the widget shows it; without an address it cannot be read."""
    shown: dict[str, Any] = {
        name: file[name] for name in ("kind", "name", "size", "width", "height") if name in file
    }
    return {"id": file["file_id"], "url": links.path(file["file_id"]), **shown}


def _shown(
    id_: str,
    sequence: int,
    author: str,
    text: str,
    buttons: list[dict[str, Any]],
    created_at: str,
    route: str | None,
) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": id_,
        "sequence": sequence,
        "author": author,
        "text": text,
        "buttons": buttons,
        "created_at": created_at,
    }
    if route is not None:
        shown["route"] = route
    return shown
