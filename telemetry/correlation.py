"""One id for everything that is done about one message, from its arrival to the answer's sending.

It is the message's own id, so that nothing has to be stored beside it: the worker reads it from the row, the
sender from the key under which the answer was written, Rasa's gateway and the actions from the X-Request-ID
header. What is not about a message has the id of its HTTP request.
"""

from __future__ import annotations

import re
import secrets
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any

import structlog

HEADER = "X-Request-ID"

_VALID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_KEY = "correlation_id"
_ANSWER_KEY = re.compile(r"answer:([0-9a-f]{32})(?::\d+)?")
_request: ContextVar[dict[str, Any] | None] = ContextVar("request", default=None)


def accepted(given: str) -> str | None:
    """Return an id somebody sent if it can be one: 8 to 64 letters, digits, "-" and "_"; else None."""
    return given if _VALID.fullmatch(given) else None


def new() -> str:
    """Return a new id for what has none."""
    return secrets.token_hex(8)


def current() -> str | None:
    """Return the id of what is being done now."""
    found: str | None = structlog.contextvars.get_contextvars().get(_KEY)
    return found


def about(correlation_id: str, **more: Any) -> AbstractContextManager[None]:
    """Put the id (and other fields) into all log lines of a `with` block and of the tasks it starts."""
    return structlog.contextvars.bound_contextvars(**{_KEY: correlation_id}, **more)


def of_outbound(row: Any) -> str:
    """Return the id of an outbound row (by column name): that of the message it answers, else its own."""
    match = _ANSWER_KEY.fullmatch(row["idempotency_key"] or "")
    return match[1] if match else str(row["id"])


def begin_request() -> dict[str, Any]:
    """Return the notes of a request that begins; `note` writes into them, its closing log line shows them."""
    notes: dict[str, Any] = {}
    _request.set(notes)
    return notes


def note(**fields: Any) -> None:
    """Have the request that is being handled say `fields` in its closing log line."""
    notes = _request.get()
    if notes is not None:
        notes.update(fields)
