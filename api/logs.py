"""Log lines: structured, with the request's id, and without personal data.

No text of a message is ever logged. As a second net every string is masked, in case an error quotes one.
"""

from __future__ import annotations

import logging
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from api.settings import Settings
from vntext.masking import mask_personal

# Ours by construction: identifiers and times that look like numbers of people but are not.
_UNTOUCHED = frozenset({"level", "timestamp", "logger", "request_id", "message_id", "conversation_id"})


def mask_values(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask phone and identity numbers in every string of a log line."""
    for name, value in event.items():
        if name not in _UNTOUCHED and isinstance(value, str):
            event[name] = mask_personal(value)
    return event


def configure_logging(settings: Settings) -> None:
    """Set up structlog, and the standard library's logging for what libraries say."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if settings.log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=False)
    )
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        mask_values,
    ]
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(settings.log_level)),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
