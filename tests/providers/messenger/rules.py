"""What Meta refuses, and with which error."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from tests.providers.messenger.state import Person, State

DAY = timedelta(hours=24)
WEEK = timedelta(days=7)
_TYPES = {"RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY"}
_ACTIONS = {"typing_on", "typing_off", "mark_seen"}
_MESSAGE_FIELDS = {"text", "attachment", "quick_replies", "metadata"}
_BODY_FIELDS = {"recipient", "messaging_type", "tag", "message", "sender_action", "notification_type"}


class RefusalError(Exception):
    """An error as Meta answers it."""

    def __init__(
        self,
        code: int,
        message: str,
        *,
        subcode: int | None = None,
        kind: str = "OAuthException",
        status: int = 400,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.subcode = subcode
        self.kind = kind
        self.status = status

    def body(self, trace: str) -> dict[str, Any]:
        """Return the answer's body."""
        error: dict[str, Any] = {"message": self.message, "type": self.kind, "code": self.code}
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        return {"error": {**error, "fbtrace_id": trace}}


def by_code(code: int, subcode: int | None) -> RefusalError:
    """Return the error with a code, as it is asked for."""
    status = {1: 500, 2: 503, 190: 401, 10: 403, 200: 403, 4: 403, 613: 403}.get(code, 400)
    return RefusalError(code, f"(#{code}) as it was asked for", subcode=subcode, status=status)


def check_access(state: State, query: Mapping[str, str]) -> None:
    """Look at the token and the proof of the app's secret."""
    options = state.options
    token = query.get("access_token", "")
    if not token:
        raise RefusalError(104, "An access token is required to request this resource.", status=401)
    if token != options.page_token:
        raise RefusalError(190, "Invalid OAuth access token - Cannot parse access token", status=401)
    if state.faults.expire_token:
        raise RefusalError(190, "Error validating access token: Session has expired", subcode=463, status=401)
    given = query.get("appsecret_proof")
    if given is None:
        if options.needs_proof:
            raise _method("API calls from the server require an appsecret_proof argument")
        return
    right = hmac.new(options.app_secret.encode(), token.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(right, given):
        raise _method("Invalid appsecret_proof provided in the API argument")


def check_page(state: State, page: str, path: str) -> None:
    """Only the page of the token can be reached."""
    if page not in (state.options.page_id, "me"):
        message = f"Unsupported request. Object with ID '{page}' does not exist ({path})"
        raise RefusalError(100, message, subcode=33, kind="GraphMethodException")


def check_send(state: State, body: Any) -> Person:
    """Look at a call of the Send API; return whom it goes to."""
    if not isinstance(body, dict) or not isinstance(body.get("recipient"), dict):
        raise _invalid("The parameter recipient is required")
    if set(body) - _BODY_FIELDS:
        raise _invalid(f"Unexpected keys: {sorted(set(body) - _BODY_FIELDS)}")
    person = state.by_id.get(str(body["recipient"].get("id")))
    if person is None or person.last_heard is None:
        raise RefusalError(100, "(#100) No matching user found", subcode=2018001)
    if person.blocked:
        raise RefusalError(551, "(#551) This person isn't available right now.", subcode=1545041)
    if "sender_action" in body:
        if "message" in body:
            raise _invalid("Cannot send both message and state at the same time.")
        if body["sender_action"] not in _ACTIONS:
            raise _invalid("sender_action must be one of typing_on, typing_off, mark_seen")
        return person
    _check_message(state, body.get("message"))
    _check_window(state, person, body)
    return person


def _check_window(state: State, person: Person, body: dict[str, Any]) -> None:
    kind, tag = body.get("messaging_type"), body.get("tag")
    if kind not in _TYPES:
        raise _invalid("Param messaging_type must be one of {RESPONSE, UPDATE, MESSAGE_TAG, UTILITY}")
    if (kind == "MESSAGE_TAG") != (tag is not None):
        raise _invalid("A tag goes with messaging_type MESSAGE_TAG, and only with it")
    if tag is not None and tag != "HUMAN_AGENT":
        raise _invalid("Invalid parameter: the tag does not exist or was retired")
    if tag is not None and not state.options.has_human_agent:
        raise RefusalError(10, "(#10) Application does not have permission for the tag", status=403)
    assert person.last_heard is not None
    silent = state.now() - person.last_heard
    if silent > (WEEK if tag else DAY):
        raise RefusalError(
            10, "(#10) This message is sent outside of allowed window.", subcode=2018278, status=403
        )


def _check_message(state: State, message: Any) -> None:
    if not isinstance(message, dict) or ("text" in message) == ("attachment" in message):
        raise _invalid("Message cannot be empty, must provide valid attachment or text")
    if set(message) - _MESSAGE_FIELDS:
        raise _invalid(f"Unexpected keys in message: {sorted(set(message) - _MESSAGE_FIELDS)}")
    metadata = message.get("metadata", "")
    if not isinstance(metadata, str) or len(metadata) >= 1000:
        raise _invalid("Length of param message[metadata] must be less than 1000")
    if "text" in message:
        text = message["text"]
        if not isinstance(text, str) or not text.strip():
            raise _invalid("Message cannot be empty, must provide valid attachment or text")
        if _length(text) >= 2000:
            raise _invalid("Length of param message[text] must be less than 2000")
    else:
        check_attachment(state, message["attachment"], is_upload=False)
    if "quick_replies" in message:
        _check_quick_replies(message["quick_replies"])


def check_attachment(state: State, attachment: Any, *, is_upload: bool) -> None:
    """Look at an attachment that is uploaded, or sent."""
    if not isinstance(attachment, dict) or attachment.get("type") not in ("image", "audio", "video", "file"):
        raise _invalid("Param attachment[type] must be one of {image, audio, video, file}")
    payload = attachment.get("payload")
    if not isinstance(payload, dict):
        raise _invalid("Param attachment[payload] must be an object")
    if is_upload or "url" in payload:
        return
    known = state.attachments.get(str(payload.get("attachment_id")))
    if known is None or known["type"] != attachment["type"]:
        raise RefusalError(100, "(#100) The attachment id is invalid or gone", subcode=2018074)


def _check_quick_replies(replies: Any) -> None:
    if not isinstance(replies, list) or not replies:
        raise RefusalError(194, "(#194) param message[quick_replies] has too few elements")
    if len(replies) > 13:
        raise RefusalError(105, "(#105) param message[quick_replies] has too many elements")
    for reply in replies:
        if not isinstance(reply, dict) or reply.get("content_type") != "text":
            raise _invalid("Param content_type must be one of {text, user_phone_number, user_email}")
        title, payload = reply.get("title"), reply.get("payload")
        if not isinstance(title, str) or not title or _length(title) > 20:
            raise _invalid("Length of param title must be from 1 to 20")
        if not isinstance(payload, str) or not payload or len(payload) > 1000:
            raise _invalid("Length of param payload must be from 1 to 1000")


def check_profile(body: Any, present: dict[str, Any]) -> None:
    """Look at what is set as the page's profile."""
    if not isinstance(body, dict) or not body:
        raise _invalid("Nothing to set")
    if set(body) - {"get_started", "greeting", "persistent_menu"}:
        raise _invalid("Unexpected keys")
    if "get_started" in body:
        payload = (body["get_started"] or {}).get("payload")
        if not isinstance(payload, str) or not 0 < len(payload) <= 1000:
            raise _invalid("get_started[payload] must have 1 to 1000 characters")
    greetings = body.get("greeting", ())
    if any(not 0 < _length(str(item.get("text", ""))) <= 160 for item in greetings):
        raise _invalid("greeting[text] must have 1 to 160 characters")
    if greetings and not any(item.get("locale") == "default" for item in greetings):
        raise _invalid("A greeting for the locale default is required")
    if "persistent_menu" in body:
        if "get_started" not in {**present, **body}:
            raise RefusalError(
                100,
                "(#100) You must set a Get Started button if you also wish to use persistent menu",
                subcode=2018145,
            )
        for menu in body["persistent_menu"]:
            _check_menu(menu.get("call_to_actions", ()))


def _check_menu(actions: Any) -> None:
    if not 0 < len(actions) <= 20:
        raise _invalid("call_to_actions must have 1 to 20 elements")
    for action in actions:
        if not 0 < _length(action.get("title", "")) <= 30:
            raise _invalid("title must have 1 to 30 characters")
        is_link = action.get("type") == "web_url"
        if is_link and not str(action.get("url", "")).startswith("https://"):
            raise _invalid("url must be https")
        if not is_link and (action.get("type") != "postback" or not action.get("payload")):
            raise _invalid("type must be one of {web_url, postback}; a postback has a payload")


def _length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def _invalid(message: str) -> RefusalError:
    return RefusalError(100, f"(#100) {message}")


def _method(message: str) -> RefusalError:
    return RefusalError(100, message, kind="GraphMethodException")
