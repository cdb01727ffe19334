"""Reads Meta's webhooks: every event of every entry becomes a message or an event of ours, none is lost.

Source: https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from connectors.base import ChannelEvent, InboundMessage
from connectors.messenger import attachments
from connectors.messenger.attachments import Contents
from connectors.messenger.connector import CHANNEL
from conversations.channel_events import Echo, OtherEvent, Receipt, Withdrawal
from conversations.schemas import MAX_TEXT, Attachment, clean_text

Event = InboundMessage | ChannelEvent

MOST_ATTACHMENTS = 10
"""Pictures of one message of ours; Messenger sends up to thirty in one of theirs."""

KNOWN = (
    "reaction",
    "optin",
    "referral",
    "pass_thread_control",
    "take_thread_control",
    "request_thread_control",
    "app_roles",
    "policy_enforcement",
    "account_linking",
    "game_play",
    "message_edit",
    "response_feedback",
    "messaging_feedback",
    "message_context",
    "consumer_notification",
)
"""Events in Meta's list that change nothing here."""

_OURS = re.compile(r"(?P<id>[0-9a-f]{32})(?::(?P<part>\d{1,3}))?")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC)


class NotAWebhookError(Exception):
    """The body is signed, but it is not an envelope of Meta's."""


@dataclass(frozen=True, slots=True)
class Account:
    """Whose events these are."""

    page_id: str
    app_id: str


@dataclass(frozen=True, slots=True)
class HeardBack:
    """An echo of something we sent: under which reference, and Meta's id of it."""

    reference: str
    provider_id: str


def parse(body: bytes, account: Account, now: datetime) -> list[Event | HeardBack]:
    """Return what a webhook tells, in its order.

    Args:
        body: the raw bytes, whose signature was right.
        account: our page and our app.
        now: when it came, for events without a time of their own.

    Raises:
        NotAWebhookError: it is no JSON, or none of Meta's envelopes.
    """
    try:
        envelope = json.loads(body)
    except ValueError as error:
        raise NotAWebhookError("no JSON") from error
    if not isinstance(envelope, dict) or not isinstance(envelope.get("entry"), list):
        raise NotAWebhookError("no entries")
    found: list[Event | HeardBack] = []
    for entry in envelope["entry"]:
        if not isinstance(entry, dict):
            found.append(_unknown("entry", {"entry": entry}, now))
            continue
        found.extend(_entry(entry, str(envelope.get("object")), account, now))
    return found


def _entry(
    entry: dict[str, Any], subject: str, account: Account, now: datetime
) -> Iterator[Event | HeardBack]:
    at = _time(entry.get("time")) or now
    if subject != "page" or str(entry.get("id")) != account.page_id:
        yield _unknown("other_account", {"object": subject, **entry}, at)
        return
    is_known = False
    for name in ("messaging", "standby"):
        items = entry.get(name)
        for item in items if isinstance(items, list) else ():
            is_known = True
            if not isinstance(item, dict):
                yield _unknown(name, {name: item}, at)
                continue
            try:
                yield from _item(item, account, at, is_standby=name == "standby")
            except (ValidationError, ValueError, TypeError, KeyError, AttributeError):
                # A shape that nobody has described must not stop the others, nor come again for ever.
                yield _unknown("malformed", item, at)
    for change in entry["changes"] if isinstance(entry.get("changes"), list) else ():
        is_known = True
        yield OtherEvent(CHANNEL, "changes", {"change": change}, at, known=True)
    if not is_known:
        yield _unknown("entry", entry, at)


def _item(
    item: dict[str, Any], account: Account, entry_at: datetime, *, is_standby: bool
) -> Iterator[Event | HeardBack]:
    at = _time(item.get("timestamp")) or entry_at
    message = item.get("message")
    if isinstance(message, dict):
        if message.get("is_echo"):
            yield from _echo(item, message, account, at)
        elif message.get("is_deleted"):
            yield Withdrawal(CHANNEL, _sender(item), str(message["mid"]), at)
        elif is_standby:
            # Another app or the page's own inbox has the conversation: nothing of it is ours to answer.
            yield OtherEvent(CHANNEL, "standby", item, at, known=True)
        else:
            yield from _messages(item, message)
    elif isinstance(item.get("postback"), dict):
        if is_standby:
            yield OtherEvent(CHANNEL, "standby", item, at, known=True)
        else:
            yield from _postback(item, item["postback"], at)
    elif isinstance(item.get("delivery"), dict):
        yield _receipt(item, item["delivery"], "delivered", at)
    elif isinstance(item.get("read"), dict):
        yield _receipt(item, item["read"], "read", at)
    else:
        name = next((known for known in KNOWN if known in item), None)
        if name is None:
            yield _unknown(_name(item), item, at)
        else:
            yield OtherEvent(CHANNEL, name, item, at, known=True)


def _messages(item: dict[str, Any], message: dict[str, Any]) -> Iterator[InboundMessage]:
    mid = str(message["mid"])
    contents = attachments.read(message)
    quick_reply = message.get("quick_reply")
    payload = str(quick_reply.get("payload", "")) if isinstance(quick_reply, dict) else ""
    text = payload or contents.with_links(_text(message.get("text")))
    first, *rest = _pages(contents.files)
    yield _inbound(item, mid, text=text, contents=contents, files=first, postback=bool(payload))
    for number, files in enumerate(rest, 2):
        yield _inbound(item, f"{mid}#{number}", text="", contents=Contents(), files=files)


def _pages(files: tuple[Attachment, ...]) -> list[tuple[Attachment, ...]]:
    starts = range(0, max(len(files), 1), MOST_ATTACHMENTS)
    return [files[start : start + MOST_ATTACHMENTS] for start in starts]


def _inbound(
    item: dict[str, Any],
    provider_message_id: str,
    *,
    text: str,
    contents: Contents,
    files: tuple[Attachment, ...],
    postback: bool = False,
) -> InboundMessage:
    return InboundMessage(
        channel=CHANNEL,
        external_user_id=_sender(item),
        provider_message_id=provider_message_id,
        text=clean_text(text)[:MAX_TEXT],
        kind=files[0].kind if files and not text else "text",
        postback=postback,
        attachments=files,
        location=contents.location,
        provider_timestamp=_time(item.get("timestamp")),
    )


def _postback(item: dict[str, Any], postback: dict[str, Any], at: datetime) -> Iterator[Event]:
    payload = _text(postback.get("payload"))
    title = _text(postback.get("title"))
    sender = _sender(item)
    mid = postback.get("mid")
    if not mid:
        # Without an id of Meta's, what it is and when it was makes one that a repeat has, too.
        same = hashlib.blake2b(f"{sender}|{item.get('timestamp')}|{payload}".encode(), digest_size=16)
        mid = f"postback:{same.hexdigest()}"
    yield InboundMessage(
        channel=CHANNEL,
        external_user_id=sender,
        provider_message_id=str(mid),
        text=clean_text(payload or title)[:MAX_TEXT],
        postback=bool(payload),
        provider_timestamp=_time(item.get("timestamp")),
    )
    if isinstance(postback.get("referral"), dict):
        yield OtherEvent(CHANNEL, "referral", {"sender": item.get("sender"), **postback}, at, known=True)


def _echo(
    item: dict[str, Any], message: dict[str, Any], account: Account, at: datetime
) -> Iterator[Event | HeardBack]:
    mid = str(message["mid"])
    metadata = message.get("metadata")
    ours = _OURS.fullmatch(metadata) if isinstance(metadata, str) else None
    is_ours = ours is not None or str(message.get("app_id")) == account.app_id
    if ours is not None:
        yield HeardBack(ours[0], mid)
    contents = attachments.read(message)
    yield Echo(
        CHANNEL,
        _id(item, "recipient"),
        mid,
        at,
        text=clean_text(contents.with_links(_text(message.get("text"))))[:MAX_TEXT],
        attachments=contents.files[:MOST_ATTACHMENTS],
        # Of a message in parts only the last part tells that the message is there.
        our_id=ours["id"] if ours is not None and ours["part"] is None else None,
        from_elsewhere=not is_ours,
    )


def _receipt(item: dict[str, Any], receipt: dict[str, Any], kind: Any, at: datetime) -> Receipt:
    mids = receipt.get("mids")
    return Receipt(
        CHANNEL,
        _sender(item),
        kind,
        at,
        provider_message_ids=tuple(str(mid) for mid in mids) if isinstance(mids, list) else (),
        watermark=_time(receipt.get("watermark")),
    )


def _sender(item: dict[str, Any]) -> str:
    return _id(item, "sender")


def _id(item: dict[str, Any], who: str) -> str:
    found = item[who]["id"]
    if not isinstance(found, str | int) or isinstance(found, bool) or not str(found).strip():
        raise ValueError("somebody without an id")
    return str(found)


def _text(value: Any) -> str:
    """Return a text that can be stored: half a surrogate pair becomes a question mark."""
    if not isinstance(value, str):
        return ""
    return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _time(milliseconds: Any) -> datetime | None:
    if not isinstance(milliseconds, int | float) or isinstance(milliseconds, bool) or milliseconds <= 0:
        return None
    try:
        return min(datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds), _LATEST)
    except OverflowError:
        return None


def _name(item: dict[str, Any]) -> str:
    extra = sorted(set(item) - {"sender", "recipient", "timestamp"})
    return "+".join(extra)[:60] or "empty"


def _unknown(name: str, payload: dict[str, Any], at: datetime) -> OtherEvent:
    return OtherEvent(CHANNEL, name, payload, at)
