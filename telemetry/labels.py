"""Label values of metrics: from small fixed sets, whatever comes in.

Each new value makes a new series that the process and Prometheus keep. A value that is not expected counts
as "other".
"""

from __future__ import annotations

import re
from collections.abc import Collection

OTHER = "other"

CHANNELS = frozenset({"webchat", "zalo", "messenger", "email", "sms", "phone", "portal"})
KINDS = frozenset({"text", "postback", "location", "image", "file", "voice", "video", "sticker"})
ROUTES = frozenset(
    {
        "answer", "clarify", "ticket", "handoff", "redirect_113", "redirect_114", "redirect_115",
        "redirect_complaint", "ticket_status", "dossier_status", "smalltalk", "out_of_scope",
        "not_vietnamese", "unclear",
    }
)  # fmt: skip
BOT_REASONS = frozenset(
    {
        "bot_timeout", "bot_unreachable", "bot_malformed", "bot_silent", "bot_resting", "bot_error_4xx",
        "bot_error_5xx", "bot_error_503", "bot_error_504", "too_many_attempts",
    }
)  # fmt: skip
SURFACES = frozenset(
    {
        "chat", "console", "webhooks", "internal", "health", "ready", "metrics", "static", "agency", "portal",
        "public", "admin", "api", "home",
    }
)  # fmt: skip
SEND_REASONS = frozenset(
    {"timeout", "no_connector", "rate_limited", "http_4xx", "http_5xx", "connection", OTHER}
)

_BOT_STATUS = re.compile(r"bot_error_([45])\d\d")
_HTTP_STATUS = re.compile(r"http_([45])\d\d")
_CONNECTION = re.compile(r"(?i)connect|disconnect|clientos|oserror|ssl|dns")


def one_of(value: str | None, expected: Collection[str]) -> str:
    """Return `value` if it is expected, else "other"."""
    return value if value is not None and value in expected else OTHER


def channel(value: str | None) -> str:
    """Return the label of a channel."""
    return one_of(value, CHANNELS)


def bot_reason(value: str) -> str:
    """Return the label of a failure of the bot; statuses are counted by their hundred."""
    if value in BOT_REASONS:
        return value
    status = _BOT_STATUS.fullmatch(value)
    return f"bot_error_{status[1]}xx" if status else OTHER


def send_reason(value: str | None) -> str:
    """Return the label of what a channel's provider, or the way there, said instead of taking a message."""
    given = value or ""
    if given in ("timeout", "no_connector", "rate_limited"):
        return given
    if given == "http_429":
        return "rate_limited"
    if status := _HTTP_STATUS.fullmatch(given):
        return f"http_{status[1]}xx"
    if "timeout" in given.lower():
        return "timeout"
    return "connection" if _CONNECTION.search(given) else OTHER


def surface(path: str) -> str:
    """Return the label of an address: the part of the application it belongs to."""
    first = path.partition("?")[0].strip("/").partition("/")[0]
    return one_of(first or "home", SURFACES)


def status_class(status: int) -> str:
    """Return the label of an HTTP status: 2xx, 3xx, 4xx, 5xx."""
    return f"{status // 100}xx" if 100 <= status < 600 else OTHER
