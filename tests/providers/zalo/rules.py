"""What Zalo refuses, and with which code; refusals come as HTTP 200."""

from __future__ import annotations

import unicodedata
from datetime import timedelta
from typing import Any

from tests.providers.zalo.state import Person, State

FREE = timedelta(hours=48)
LONGEST = timedelta(days=7)
LARGEST = {"image": 1024 * 1024, "file": 5 * 1024 * 1024, "gif": 5 * 1024 * 1024}
TYPES = {
    "image": {"image/jpeg", "image/png"},
    "gif": {"image/gif"},
    "file": {
        "application/pdf",
        "application/msword",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    },
}
UPLOAD_KEPT = timedelta(days=7)
_LONGEST_TEXT = 2_000
_BUTTONS = {"oa.open.url", "oa.query.show", "oa.query.hide", "oa.open.phone", "oa.open.sms"}
_MESSAGE_FIELDS = {"text", "attachment", "quote_message_id"}


class RefusalError(Exception):
    """An error as Zalo answers it."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


def check_token(state: State, token: str | None) -> None:
    """Look at the header `access_token`."""
    if not token:
        raise RefusalError(-216, "Access token is missing")
    known = state.access.get(token)
    if known is None:
        raise RefusalError(-216, "Access token is invalid")
    if known.is_void or known.expires_at <= state.now():
        raise RefusalError(-220, "Access token has expired")


def check_recipient(state: State, body: Any) -> Person:
    """Return whom a message goes to, if it may be sent there now."""
    recipient = body.get("recipient") if isinstance(body, dict) else None
    if not isinstance(recipient, dict):
        raise _invalid("recipient is missing")
    person = state.by_id.get(str(recipient.get("user_id") or recipient.get("anonymous_id")))
    if person is None:
        raise RefusalError(-213, "User has not followed official account")
    if person.conversation is not None and recipient.get("conversation_id") != person.conversation:
        raise _invalid("conversation_id is invalid")
    if person.blocked:
        raise RefusalError(-244, "User has restricted this type of message")
    if person.last_heard is None:
        raise RefusalError(-213, "User has not interacted with official account")
    if state.now() - person.last_heard > LONGEST:
        raise RefusalError(-230, "User has not interacted with the OA in the past 7 days")
    return person


def check_message(state: State, message: Any) -> None:
    """Look at a message's content."""
    if not isinstance(message, dict) or not message or set(message) - _MESSAGE_FIELDS:
        raise _invalid("message is invalid")
    text = message.get("text")
    if text is not None:
        if not isinstance(text, str) or not text.strip():
            raise _invalid("text is empty")
        if not unicodedata.is_normalized("NFC", text):
            raise _invalid("text is not NFC")
        if len(text) > _LONGEST_TEXT:
            raise _invalid("text is longer than 2000 characters")
    attachment = message.get("attachment")
    if attachment is None:
        if text is None:
            raise _invalid("message has neither text nor attachment")
        return
    payload = attachment.get("payload") if isinstance(attachment, dict) else None
    if not isinstance(payload, dict):
        raise _invalid("attachment is invalid")
    if attachment.get("type") == "file":
        find_upload(state, payload.get("token"), "file")
    elif attachment.get("type") == "template":
        _check_template(state, payload, has_text=text is not None)
    else:
        raise _invalid("attachment type is invalid")


def _check_template(state: State, payload: dict[str, Any], *, has_text: bool) -> None:
    kind = payload.get("template_type")
    elements = payload.get("elements")
    if kind is None and "buttons" in payload:
        if not state.options.buttons_allowed or not has_text:
            raise _invalid("buttons are not supported")
        _check_buttons(payload["buttons"])
    elif kind == "media":
        if not isinstance(elements, list) or len(elements) != 1 or elements[0].get("media_type") != "image":
            raise _invalid("one element of type image is wanted")
        if "url" not in elements[0]:
            find_upload(state, elements[0].get("attachment_id"), "image")
    elif kind == "request_user_info":
        if not isinstance(elements, list) or len(elements) != 1:
            raise _invalid("one element is wanted")
        if not all(str(elements[0].get(name, "")).strip() for name in ("title", "subtitle", "image_url")):
            raise _invalid("title, subtitle and image_url are wanted")
        if has_text:
            raise _invalid("request_user_info takes no text")
        if not state.options.cards_allowed:
            raise RefusalError(-224, "OA tier does not support this type of message")
    else:
        raise _invalid(f"template_type {kind} is not supported")


def _check_buttons(buttons: Any) -> None:
    if not isinstance(buttons, list) or not 1 <= len(buttons) <= 5:
        raise _invalid("1 to 5 buttons are wanted")
    for button in buttons:
        if not isinstance(button, dict) or button.get("type") not in _BUTTONS:
            raise _invalid("button type is invalid")
        if not 1 <= len(str(button.get("title", ""))) <= 100:
            raise _invalid("button title is longer than 100 characters")
        payload = button.get("payload")
        is_query = button["type"].startswith("oa.query")
        if not isinstance(payload, str if is_query else dict) or not payload:
            raise _invalid("button payload is invalid")


def find_upload(state: State, token: Any, kind: str) -> Any:
    """Return an upload that can be sent."""
    found = state.uploads.get(str(token))
    if found is None or found.kind != kind or found.expires_at <= state.now():
        raise _invalid(f"{kind} is invalid or has expired")
    return found


def check_upload(state: State, kind: str, content: bytes, content_type: str) -> None:
    """Look at a file that is uploaded."""
    if state.uploaded >= state.options.uploads_a_month:
        raise RefusalError(-211, "Out of quota")
    if not content or len(content) > LARGEST[kind]:
        raise RefusalError(-210, "File size exceeds the limit")
    if content_type not in TYPES[kind]:
        raise RefusalError(-210, "File type is not supported")


def _invalid(what: str) -> RefusalError:
    return RefusalError(-201, f"Params is invalid: {what}")
