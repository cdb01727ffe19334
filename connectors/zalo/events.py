"""Reads a webhook of Zalo: a citizen's message, or one of the channel's other events.

The shapes differ between events and have changed over the years, so nothing is taken for granted: what is
missing or of another type is as if it had not been said, and an event without what matters in it is kept as
`OtherEvent`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from connectors.zalo import contact
from connectors.zalo.settings import CHANNEL
from conversations.channel_events import ChannelEvent, Echo, OtherEvent, Receipt, Relation, Withdrawal
from conversations.schemas import MAX_TEXT, Attachment, InboundMessage, Kind, Location

USELESS: Final = frozenset(
    {
        "user_click_chatnow",
        "user_reacted_message",
        "anonymous_reacted_message",
        "user_received_message",
        "user_seen_message",
    }
)
"""Events we know and have no use for; of the receipts those that do not say for whom."""

_KINDS: Final[Mapping[str, Kind]] = {
    "text": "text",
    "link": "text",
    "business_card": "text",
    "image": "image",
    "gif": "image",
    "audio": "voice",
    "video": "video",
    "sticker": "sticker",
    "file": "file",
    "location": "location",
}
_MOST_ATTACHMENTS = 10
_LONGEST_ID = 200

Fields = Mapping[str, Any]


def read(body: Fields, raw: bytes, *, oa_id: str, now: datetime) -> InboundMessage | ChannelEvent:
    """Return what a webhook tells.

    Args:
        body: the webhook's body, parsed.
        raw: the same as it came; gives an id to what has none.
        oa_id: our account; what was sent to another one is not ours. Empty: not compared.
        now: stands for a missing or impossible timestamp.
    """
    name = text_of(body, "event_name")[:100]
    at = _time(body.get("timestamp"), now)
    found: InboundMessage | ChannelEvent | None = None
    if not _is_for_another(body, name, oa_id):
        for prefix in ("user_send_", "anonymous_send_"):
            if name.startswith(prefix):
                found = _message(body, raw, name.removeprefix(prefix), at, named=prefix == "user_send_")
        if name.startswith("oa_send_"):
            found = _echo(body, raw, at)
        elif name == "user_submit_info":
            found = _contact(body, at)
        elif name == "user_withdraw":
            found = _withdrawal(body, at)
        elif name in ("user_received_message", "user_seen_message"):
            found = _receipt(body, name, at)
        elif name in ("follow", "unfollow"):
            found = _relation(body, name, at)
    if found is None:
        found = OtherEvent(CHANNEL, name or "unnamed", dict(body), at, known=name in USELESS)
    return found


def text_of(fields: Any, *names: str) -> str:
    """Return the first of some fields that holds a text or a number, as text that can be stored."""
    if not isinstance(fields, Mapping):
        return ""
    for name in names:
        value = fields.get(name)
        if isinstance(value, str) and value.strip():
            # A lone half of a surrogate pair can be written in JSON, but not stored.
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace").strip()
        if isinstance(value, int | float) and not isinstance(value, bool):
            return str(value)
    return ""


def timestamp_of(body: Fields) -> str:
    """Return the field `timestamp` as it is signed."""
    value = body.get("timestamp")
    return value if isinstance(value, str) else text_of(body, "timestamp")


def _is_for_another(body: Fields, name: str, oa_id: str) -> bool:
    if not oa_id:
        return False
    if name.startswith(("oa_send_", "user_received_", "user_seen_")):
        account = text_of(body.get("sender"), "id")
    elif name in ("follow", "unfollow", "user_submit_info"):
        account = text_of(body, "oa_id") or text_of(body.get("recipient"), "id")
    else:
        account = text_of(body.get("recipient"), "id")
    return account not in ("", oa_id)


def _message(
    body: Fields, raw: bytes, type_: str, at: datetime, *, named: bool
) -> InboundMessage | OtherEvent | None:
    kind = _KINDS.get(type_)
    message = body.get("message")
    user = _person(text_of(body.get("sender"), "id"))
    if kind is None or not user or not isinstance(message, Mapping):
        return None
    if not named:
        # Somebody without a relation to the account: only the conversation's id reaches them.
        user = anonymous(user, text_of(message, "conversation_id"))
    payloads = _payloads(message)
    text = text_of(message, "text")
    location = _location(payloads, message) if kind == "location" else None
    if kind == "location" and location is None:
        return None
    if type_ == "link":
        text = _with_link(text, payloads)
    elif type_ == "business_card":
        text = "\n".join(filter(None, [text, contact.card_sentence(payloads)]))
    attachments = () if kind in ("text", "location") else _attachments(kind, payloads)
    if not text and not attachments and location is None:
        return None
    return InboundMessage(
        channel=CHANNEL,
        external_user_id=user,
        provider_message_id=_message_id(message, raw),
        text=text[:MAX_TEXT],
        kind=kind,
        # A tapped button arrives as a text; whether it was offered is checked where the offers are known.
        postback=kind == "text" and text.startswith("/") and not any(map(str.isspace, text.split("{")[0])),
        attachments=attachments,
        location=location,
        provider_timestamp=at,
    )


def anonymous(user: str, conversation: str) -> str:
    """Return how somebody who writes without being known to the account is called."""
    return f"anonymous:{user}:{conversation}"[:_LONGEST_ID]


def _contact(body: Fields, at: datetime) -> InboundMessage | None:
    user = _person(text_of(body.get("sender"), "id") or text_of(body, "user_id"))
    info = body.get("info")
    if not isinstance(info, Mapping):
        message = body.get("message")
        info = message.get("info", message) if isinstance(message, Mapping) else body
    sentence = contact.sentence(info)
    if not user or not sentence:
        return None
    message_id = text_of(body.get("message"), "msg_id")
    return InboundMessage(
        channel=CHANNEL,
        external_user_id=user,
        provider_message_id=(message_id or f"submit_info:{user}:{timestamp_of(body)}")[:300],
        text=sentence[:MAX_TEXT],
        provider_timestamp=at,
    )


def _echo(body: Fields, raw: bytes, at: datetime) -> Echo | None:
    user = _person(text_of(body.get("recipient"), "id"))
    message = body.get("message")
    if not user or not isinstance(message, Mapping):
        return None
    kind = _KINDS.get(text_of(body, "event_name").rpartition("_")[2], "file")
    kept = () if kind in ("text", "location") else _attachments(kind, _payloads(message))
    return Echo(
        channel=CHANNEL,
        external_user_id=user,
        provider_message_id=_message_id(message, raw),
        at=at,
        text=text_of(message, "text")[:MAX_TEXT],
        attachments=kept,
        from_elsewhere=bool(text_of(body.get("sender"), "admin_id")),
    )


def _receipt(body: Fields, name: str, at: datetime) -> Receipt | None:
    user = _person(text_of(body.get("recipient"), "id"))
    message = body.get("message")
    if not user or not isinstance(message, Mapping):
        return None
    several = message.get("msg_ids")
    given = several if isinstance(several, list) else [message.get("msg_id")]
    ids = tuple(text for one in given if (text := text_of({"id": one}, "id")))
    if not ids:
        return None
    kind = "delivered" if name == "user_received_message" else "read"
    return Receipt(CHANNEL, user, "delivered" if kind == "delivered" else "read", at, ids)


def _withdrawal(body: Fields, at: datetime) -> Withdrawal | None:
    user = _person(text_of(body.get("sender"), "id") or text_of(body, "user_id"))
    message_id = text_of(body.get("message"), "msg_id") or text_of(body, "msg_id")
    return Withdrawal(CHANNEL, user, message_id, at) if user and message_id else None


def _relation(body: Fields, name: str, at: datetime) -> Relation | None:
    user = _person(text_of(body.get("follower"), "id") or text_of(body.get("sender"), "id"))
    if not user:
        return None
    return Relation(CHANNEL, user, "follow" if name == "follow" else "unfollow", at)


def _time(value: object, now: datetime) -> datetime:
    try:
        return datetime.fromtimestamp(int(str(value)) / 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return now


def _person(user: str) -> str:
    return user if user.isprintable() and len(user) <= _LONGEST_ID else ""


def _message_id(message: Fields, raw: bytes) -> str:
    given = text_of(message, "msg_id", "message_id")
    return given[:300] if given.isprintable() and given else f"body:{hashlib.sha256(raw).hexdigest()}"


def _payloads(message: Fields) -> list[Fields]:
    attachments = message.get("attachments")
    if not isinstance(attachments, list):
        return []
    found = (one.get("payload", one) if isinstance(one, Mapping) else None for one in attachments)
    return [payload for payload in found if isinstance(payload, Mapping)][:_MOST_ATTACHMENTS]


def _attachments(kind: Kind, payloads: list[Fields]) -> tuple[Attachment, ...]:
    kept = []
    for payload in payloads:
        url = text_of(payload, "url", "href", "thumbnail")
        if kind in ("text", "postback", "location") or not url or len(url) > 2_000:
            continue
        size = text_of(payload, "size")
        kept.append(
            Attachment(
                kind=kind,
                url=url,
                name=text_of(payload, "name")[:300] or None,
                size=int(size) if size.isdecimal() and len(size) < 15 else None,
            )
        )
    return tuple(kept)


def _with_link(text: str, payloads: list[Fields]) -> str:
    lines = [text] if text else []
    for payload in payloads:
        for line in (text_of(payload, "description", "title"), text_of(payload, "url", "href")):
            if line and line not in text:
                lines.append(line)
    return "\n".join(lines)


def _location(payloads: list[Fields], message: Fields) -> Location | None:
    for place in (*payloads, message):
        point = place.get("coordinates", place.get("location", place))
        latitude = text_of(point, "latitude", "lat")
        longitude = text_of(point, "longitude", "long", "lng", "lon")
        try:
            return Location(latitude=float(latitude), longitude=float(longitude))
        except ValueError:
            continue
    return None


def parse(raw: bytes) -> Fields | None:
    """Return a webhook's body, None when it is not a JSON object.

    Whole numbers beyond what JSON's readers agree on stay exact in Python, so ids survive as numbers too.
    """
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError):
        return None
    return body if isinstance(body, dict) else None
