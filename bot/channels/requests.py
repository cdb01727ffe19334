"""What may be posted to the gateway, and the clear refusal of everything else."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

MAX_BODY_BYTES = 64 * 1024
MAX_TEXT_CHARACTERS = 8_000
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:@-]{0,127}")
_POSTBACK = re.compile(r"/([a-z0-9_]+)(\{.*\})?", re.DOTALL)
# Looks like the slash that would make an intent command of a typed text, and is one character as well,
# so that offsets stay right.
_HARMLESS_SLASH = "\u2215"


class BadRequestError(ValueError):
    """The request is not one the gateway takes; the text says what is wrong with it."""


@dataclass(frozen=True)
class Turn:
    """One message of one conversation, ready for Rasa.

    `text` is what Rasa reads; `metadata` holds the message id and the text as typed.
    """

    conversation: str
    message_id: str
    text: str
    metadata: dict[str, Any]


def _identifier(body: dict[str, Any], key: str) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not _ID.fullmatch(value):
        raise BadRequestError(
            f"'{key}' must be 1 to 128 letters, digits or ._:@- and begin with a letter or digit"
        )
    return value


def _postback(text: str, intents: Collection[str]) -> str:
    match = _POSTBACK.fullmatch(text)
    if not match or match[1] not in intents:
        raise BadRequestError(
            "'text' of a postback must be '/<intent>' of the domain, with a JSON object or without"
        )
    if match[2]:
        try:
            values = json.loads(match[2])
        except ValueError as error:
            raise BadRequestError("the payload of a postback must be a JSON object") from error
        if not all(isinstance(value, str | int | float) for value in values.values()):
            raise BadRequestError("the payload of a postback may hold strings and numbers only")
    return text


def parse_turn(raw: bytes, intents: Collection[str]) -> Turn:
    """Read the body of a request.

    Args:
        raw: the body, JSON in UTF-8.
        intents: intents that a postback may name.

    Raises:
        BadRequestError: with a sentence on what is wrong.
    """
    if len(raw) > MAX_BODY_BYTES:
        raise BadRequestError(f"the body must not be longer than {MAX_BODY_BYTES} bytes")
    try:
        body = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadRequestError("the body must be JSON in UTF-8") from error
    if not isinstance(body, dict):
        raise BadRequestError("the body must be a JSON object")
    conversation, message_id = _identifier(body, "conversation"), _identifier(body, "message_id")
    typed = body.get("text")
    if not isinstance(typed, str) or not typed.strip():
        raise BadRequestError("'text' must be a string that is not empty")
    if len(typed) > MAX_TEXT_CHARACTERS:
        raise BadRequestError(f"'text' must not be longer than {MAX_TEXT_CHARACTERS} characters")
    try:
        typed.encode()
    except UnicodeEncodeError as error:
        raise BadRequestError("'text' must be valid Unicode") from error
    postback = body.get("postback", False)
    if not isinstance(postback, bool):
        raise BadRequestError("'postback' must be true or false")
    metadata = body.get("metadata", {})
    if not isinstance(metadata, dict):
        raise BadRequestError("'metadata' must be an object")
    text = typed.strip()
    if postback:
        text = _postback(text, intents)
    elif text.startswith("/"):
        text = _HARMLESS_SLASH + text[1:]
    metadata = {"text": typed, "conversation_id": conversation, **metadata, "message_id": message_id}
    return Turn(conversation, message_id, text, metadata)
