"""Makes of an outbound row the message a connector sends: with its files, and buttons only where they fit."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from conversations.repository import Row
from conversations.schemas import Button, Capabilities, OutboundFile, OutboundMessage
from vntext.catalogue import say

FindFile = Callable[[str], Awaitable[OutboundFile | None]]
"""Returns a stored file by its id, ready to be sent."""


async def no_files(_file_id: str) -> OutboundFile | None:
    """Find no file."""
    return None


async def outgoing(conversation: Row, row: Row, able: Capabilities, find_file: FindFile) -> OutboundMessage:
    """Return what is sent for `row`."""
    payload = row["payload"] or {}
    ids = [file["file_id"] for file in payload.get("attachments", ()) if file.get("file_id")]
    found = [file for file_id in ids if (file := await find_file(file_id)) is not None]
    fitting = tuple(file for file in found if (able.images if file.kind == "image" else able.files))
    # The web chat's page finds the files in the row itself.
    left_out = 0 if able.repeatable else len(ids) - len(fitting)
    text: str = row["text"]
    if left_out:
        text = "\n".join(filter(None, [text, say("channels.files_left_out", count=left_out)]))
    buttons = () if payload.get("listed") else payload.get("buttons", ())
    return OutboundMessage(
        id=row["id"],
        conversation_id=row["conversation_id"],
        channel=row["channel"],
        external_user_id=conversation["external_user_id"],
        sequence=row["sequence"],
        text=text,
        buttons=tuple(Button(**button) for button in buttons),
        author=row["author"],
        attempt=row["attempts"] + 1,
        created_at=row["created_at"],
        route=(row["turn"] or {}).get("route"),
        files=fitting,
        last_heard_at=conversation["last_heard_at"],
    )
