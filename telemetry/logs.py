"""Log lines of every process: one shape, with the id of what they are about, without personal data.

Used by the application, the worker and the bot, which have different versions of structlog.
"""

from __future__ import annotations

import logging
import sys

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from telemetry.privacy import clean_foreign, clean_value, describe_exception

_NOTHING = "-"


def add_correlation(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Give every line the field, so that one search pattern fits all of them."""
    event.setdefault("correlation_id", _NOTHING)
    return event


def hide_exception(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Replace exception information by type and place."""
    given = event.pop("exc_info", None)
    if not given:
        return event
    if isinstance(given, tuple):
        error = given[1]
    else:
        error = given if isinstance(given, BaseException) else sys.exc_info()[1]
    if error is not None:
        event["exception"] = describe_exception(error)
    return event


def clean_fields(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Mask or hide what may not be logged."""
    for name, value in event.items():
        # A record is for the formatter alone; an exception is clean already.
        if name not in ("_record", "_from_structlog", "exception", "stack"):
            event[name] = clean_value(name, value)
    return event


def clean_record(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Show what a library says: its sentence without the values it was filled with."""
    record = event.get("_record")
    if not isinstance(record, logging.LogRecord):
        return event
    event["logger"] = record.name
    arguments = event.pop("positional_args", None)
    if record.name.partition(".")[0] in _OURS:
        return event
    numbers = isinstance(arguments, tuple) and all(isinstance(item, int | float) for item in arguments)
    # The template says what happened; what it is filled with may be anything.
    said = str(event["event"]) if numbers or not arguments else str(record.msg)
    event["event"] = clean_foreign(said)
    return event


_OURS = ("bot", "kb_index", "tickets", "conversations", "connectors", "api", "actions")


def shared_processors(service: str) -> list[Processor]:
    """Return what is done to every line, in order."""

    def add_service(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        add_service,
        add_correlation,
        hide_exception,
        clean_record,
        clean_fields,
    ]


def renderer_of(form: str) -> Processor:
    """Return what writes a line: "json" for programs, anything else for people."""
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=False)


def library_handler(service: str, form: str) -> logging.Handler:
    """Return a handler for the standard library's logging that writes the same lines."""
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared_processors(service),
            pass_foreign_args=True,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer_of(form)],
        )
    )
    return handler


def configure(service: str, *, level: str, form: str) -> None:
    """Set up structlog, and the standard library's logging for what libraries say.

    Args:
        service: the process: app, worker or bot.
        level: least level of our own lines; libraries are heard from WARNING on.
        form: "json" or "console".
    """
    # The same list every time: loggers keep the one they were first used with.
    processors = structlog.get_config()["processors"]
    processors[:] = [*shared_processors(service), renderer_of(form)]
    structlog.configure(
        processors=processors,
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(),
        cache_logger_on_first_use=True,
    )
    install_library_handler(service, form)


def install_library_handler(service: str, form: str) -> None:
    """Send all of the standard library's logging, and warnings, through our formatter."""
    root = logging.getLogger()
    root.handlers[:] = [library_handler(service, form)]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(True)
