"""Reads what hangs on a message of Messenger: files by address, a place, shared links.

Nothing is fetched here. Source:
https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events/messages
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from conversations.schemas import Attachment, Location

Kind = Literal["image", "file", "voice", "video", "sticker"]

_KINDS: dict[str, Kind] = {"image": "image", "file": "file", "audio": "voice", "video": "video"}
_LONGEST_URL = 2_000
_LONGEST_TITLE = 200


@dataclass(frozen=True, slots=True)
class Contents:
    """What hangs on a message.

    Attributes:
        links: shared posts and links, each as one line.
    """

    files: tuple[Attachment, ...] = ()
    location: Location | None = None
    links: tuple[str, ...] = ()

    def with_links(self, text: str) -> str:
        """Return a message's text with the links that it does not name itself."""
        missing = [link for link in self.links if link.split()[-1] not in text]
        return "\n".join([text, *missing]).strip()


def read(message: dict[str, Any]) -> Contents:
    """Return what hangs on a message; what has neither address nor place is left out."""
    files: list[Attachment] = []
    links: list[str] = []
    location = None
    given = message.get("attachments")
    for attachment in given if isinstance(given, list) else ():
        if not isinstance(attachment, dict):
            continue
        kind = str(attachment.get("type"))
        payload = attachment.get("payload")
        payload = payload if isinstance(payload, dict) else {}
        if kind == "location":
            location = _location(payload) or location
        elif kind in _KINDS:
            files.append(_file(kind, payload, message))
        elif link := _link(attachment, payload):
            links.append(link)
    return Contents(tuple(files), location, tuple(links))


def _file(kind: str, payload: dict[str, Any], message: dict[str, Any]) -> Attachment:
    is_sticker = "sticker_id" in payload or "sticker_id" in message
    url = payload.get("url")
    # An address that is too long to keep is as good as none: the file still shows as sent.
    fits = isinstance(url, str) and len(url) <= _LONGEST_URL
    return Attachment(kind="sticker" if is_sticker else _KINDS[kind], url=url if fits else "")


def _location(payload: dict[str, Any]) -> Location | None:
    coordinates = payload.get("coordinates")
    if not isinstance(coordinates, dict):
        return None
    return Location(latitude=coordinates["lat"], longitude=coordinates["long"])


def _link(attachment: dict[str, Any], payload: dict[str, Any]) -> str:
    """Return a shared post or link as "title address"; the address is last and holds no blank."""
    url = attachment.get("url") or attachment.get("URL") or payload.get("url")
    if not isinstance(url, str) or not url.strip() or len(url) > _LONGEST_URL:
        return ""
    title = attachment.get("title") or payload.get("title")
    words = str(title)[:_LONGEST_TITLE].split() if title else []
    return " ".join([*words, "".join(url.split())])
