"""What may stand in a log line: no words of people, no numbers of people, no secrets.

What people write is never logged by our own code. These functions are the second net, under what libraries
say and under mistakes: fields whose name says that they hold free text or secrets are hidden, all other
strings are masked, objects are named and not shown, and exceptions lose their message, which often quotes
the value that was wrong.
"""

from __future__ import annotations

import re
import traceback
from pathlib import PurePath
from types import TracebackType
from typing import Any

from vntext.masking import mask_personal

HIDDEN = "[hidden]"

IDENTIFIERS = frozenset(
    {
        "level", "timestamp", "logger", "service", "pid", "request_id", "correlation_id", "message_id",
        "conversation_id", "channel", "kind", "route", "action", "reason", "state", "method", "direction",
    }
)  # fmt: skip
"""Ours by construction: never words of people, though some look like their numbers."""

_FREE_TEXT = frozenset(
    {
        "text", "body", "content", "query", "question", "answer", "message", "messages", "name", "phone",
        "address", "email", "title", "input", "args", "positional_args", "parameters", "params", "payload",
        "token", "password", "secret", "authorization", "cookie", "headers", "external_user_id", "visitor",
        "user_text", "response_text", "slot_values", "tracker", "entities", "events", "key", "api_key",
    }
)  # fmt: skip

_LONGEST = 500
_DEEPEST = 3
_MOST_FRAMES = 30
_HARMLESS = re.compile(r"[A-Za-z_./:{}\[\]\-]{0,80}")
_SECRETS = re.compile(
    r"(?i)(?P<scheme>bearer|basic)\s+\S+"
    r"|(?P<name>[\w-]*(?:token|password|secret|api_?key|authorization|cookie)[\w-]*[\"']?\s*[=:]\s*)[\"']?(?:bearer\s+|basic\s+)?[^\s&\"',;]+"
    r"|(?P<url>://)[^\s/@]+@"
)
_LONG_WORD = re.compile(r"[A-Za-z0-9_\-+/=.]{32,}")
_HEX_ID = re.compile(r"[0-9a-f]{32}(?:-\d+)?")
_QUOTED = re.compile(r"'[^'\n]{3,}'|\"[^\"\n]{3,}\"|“[^”\n]+”")

_TELLING_ERRORS = (OSError, ImportError)
"""Exceptions whose message names a file, an address or a module, never what somebody wrote."""


def _hide_secret(match: re.Match[str]) -> str:
    if match["scheme"]:
        return f"{match['scheme']} {HIDDEN}"
    if match["url"]:
        return f"{match['url']}{HIDDEN}@"
    return f"{match['name']}{HIDDEN}"


def _hide_long(match: re.Match[str]) -> str:
    word = match[0]
    is_secret = any(c.isdigit() for c in word) and any(c.isalpha() for c in word) and "/" not in word
    return HIDDEN if is_secret and not _HEX_ID.fullmatch(word) else word


def clean(text: str) -> str:
    """Return `text` with numbers of people and secrets masked, cut to 500 characters.

    >>> clean("sđt 0905 123 456, Authorization: Bearer abc.def")
    'sđt **** *** 456, Authorization: [hidden]'
    """
    if _HARMLESS.fullmatch(text):
        return text
    cut = text if len(text) <= _LONGEST else text[:_LONGEST] + "…"
    return mask_personal(_LONG_WORD.sub(_hide_long, _SECRETS.sub(_hide_secret, cut)))


def clean_foreign(text: str) -> str:
    """Return the first line of what a library says, without what it quotes."""
    return _QUOTED.sub(HIDDEN, clean(text.strip().partition("\n")[0]))


def clean_value(name: str, value: Any, depth: int = 0) -> Any:
    """Return a field's value as it may be shown."""
    if value is None or isinstance(value, bool | float):
        return value
    if isinstance(value, int):
        # Nine digits or more may be a person's number that somebody has parsed.
        return value if abs(value) < 10**8 else HIDDEN
    if name in IDENTIFIERS:
        return value if isinstance(value, str) else f"<{type(value).__name__}>"
    if name.lower() in _FREE_TEXT:
        return HIDDEN
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, PurePath):
        return clean(str(value))
    if depth < _DEEPEST and isinstance(value, dict):
        return {str(key): clean_value(str(key), item, depth + 1) for key, item in value.items()}
    if depth < _DEEPEST and isinstance(value, list | tuple | set | frozenset):
        return [clean_value("", item, depth + 1) for item in value]
    return f"<{type(value).__name__}>"


def describe_exception(error: BaseException) -> str:
    """Return type, place and causes of an exception, without messages that may quote somebody."""
    parts = []
    left: BaseException | None = error
    seen: set[int] = set()
    while left is not None and id(left) not in seen:
        seen.add(id(left))
        parts.append(_describe_one(left, left.__traceback__))
        left = left.__cause__ or (None if left.__suppress_context__ else left.__context__)
    return "\nafter ".join(parts)


def _describe_one(error: BaseException, trace: TracebackType | None) -> str:
    kind = type(error)
    said = f": {clean_foreign(str(error))}" if isinstance(error, _TELLING_ERRORS) else ""
    places = traceback.extract_tb(trace, limit=-_MOST_FRAMES)
    frames = "".join(f"  {place.filename}:{place.lineno} in {place.name}\n" for place in places)
    inner = ""
    if isinstance(error, BaseExceptionGroup):
        inner = "".join("\nwith " + describe_exception(part) for part in error.exceptions)
    return f"{kind.__module__}.{kind.__qualname__}{said}\n{frames}".rstrip() + inner
