"""Traces by OpenTelemetry: one trace a message, named by the message's id; off unless `start` is called.

The trace id is the message id, and the root span's id its first half, so that every process finds its place
in the trace by the id alone, hours later and after a crash, and nothing has to be stored. To the bot and
back the W3C `traceparent` header is passed. Spans hold times, names and codes, never what people write.

OpenTelemetry is loaded only when tracing is on.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from telemetry import correlation

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter

PACKAGES = ("opentelemetry-sdk==1.45.2", "opentelemetry-exporter-otlp-proto-http==1.45.2")
"""What tracing needs; the same as the group `otel` in pyproject.toml."""

TRACE_HEADER = "traceparent"

_MESSAGE_ID = re.compile(r"[0-9a-f]{32}")
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-01")
_PLAIN = (str, int, float, bool)

_provider: TracerProvider | None = None
_tracer: Any = None
_share = 1.0
_forwarded: ContextVar[str | None] = ContextVar("traceparent", default=None)


class TracingUnavailableError(Exception):
    """Tracing is switched on, and the packages it needs are not installed."""


def start(service: str, *, endpoint: str, share: float = 1.0, exporter: SpanExporter | None = None) -> None:
    """Begin to trace.

    Args:
        service: name of this process in the traces.
        endpoint: base address of an OTLP collector over HTTP, e.g. `http://127.0.0.1:4318`.
        share: of messages that are traced, 0 to 1; chosen by their id, so that all processes agree.
        exporter: takes the spans instead of a collector, as each one ends.

    Raises:
        TracingUnavailableError: says what to install.
    """
    global _provider, _tracer, _share
    try:
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor

        from telemetry.trace_ids import MessageIds

        if exporter is None:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

            processor: Any = BatchSpanProcessor(
                OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=5)
            )
        else:
            processor = SimpleSpanProcessor(exporter)
    except ImportError as error:
        wanted = " ".join(f'"{package}"' for package in PACKAGES)
        raise TracingUnavailableError(
            f"tracing is on (OTEL_TRACES), but {error.name} is not installed; run: pip install {wanted}"
        ) from error
    _provider = TracerProvider(
        resource=Resource.create({"service.name": service, "service.namespace": "hotline-1022"}),
        id_generator=MessageIds(),
    )
    _provider.add_span_processor(processor)
    _tracer = _provider.get_tracer("hotline")
    _share = share


def stop() -> None:
    """Send what is left and end tracing."""
    global _provider, _tracer
    if _provider is not None:
        _provider.shutdown()
    _provider = _tracer = None


def is_on() -> bool:
    """Tell whether this process traces."""
    return _tracer is not None


@contextmanager
def span(name: str, *, message_id: str | None = None, **attributes: Any) -> Iterator[None]:
    """Make a span of a `with` block: below the one around it, else in the trace of `message_id`.

    Without either there is none. An exception marks it as failed, by its type alone.
    """
    if _tracer is None:
        yield
        return
    context = _place(message_id)
    if context is None:
        yield
        return
    from opentelemetry.trace import Status, StatusCode

    with _tracer.start_as_current_span(
        name,
        context=context,
        attributes=_plain(attributes),
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield
        except Exception as error:
            made.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def received(message_id: str, seconds: float, **attributes: Any) -> None:
    """Make the root span of a message's trace, which began `seconds` ago and ends now."""
    if _tracer is None or not _is_chosen(message_id):
        return
    from opentelemetry.context import Context

    from telemetry.trace_ids import ids_of

    now = time.time_ns()
    with ids_of(message_id):
        root = _tracer.start_span(
            "receive", Context(), attributes=_plain(attributes), start_time=now - int(seconds * 1e9)
        )
    root.end(now)


def outgoing_headers() -> dict[str, str]:
    """Return the headers that carry the id, and the trace where there is one, to another process."""
    headers = {}
    if (correlation_id := correlation.current()) is not None:
        headers[correlation.HEADER] = correlation_id
    if (place := _traceparent() or _forwarded.get()) is not None:
        headers[TRACE_HEADER] = place
    return headers


@contextmanager
def incoming(headers: Mapping[str, str]) -> Iterator[None]:
    """Take up the trace of a request: spans of the block belong to it, and its headers pass it on."""
    given = headers.get(TRACE_HEADER, "")
    token = _forwarded.set(given if _TRACEPARENT.fullmatch(given) else None)
    try:
        yield
    finally:
        _forwarded.reset(token)


def _traceparent() -> str | None:
    if _tracer is None:
        return None
    from opentelemetry.trace import get_current_span

    here = get_current_span().get_span_context()
    return f"00-{here.trace_id:032x}-{here.span_id:016x}-01" if here.is_valid else None


def _place(message_id: str | None) -> Any:
    """Return the context a span belongs into, None when it is not to be made."""
    from opentelemetry.context import Context, get_current
    from opentelemetry.trace import get_current_span

    from telemetry.trace_ids import context_of

    if get_current_span().get_span_context().is_valid:
        return get_current()
    if message_id is not None:
        if not _is_chosen(message_id):
            return None
        return context_of(Context(), message_id, message_id[:16])
    if match := _TRACEPARENT.fullmatch(_forwarded.get() or ""):
        return context_of(Context(), match[1], match[2])
    return None


def _is_chosen(message_id: str) -> bool:
    # The first eight digits of a random id are random; a fixed part of it would bias the share.
    return _MESSAGE_ID.fullmatch(message_id) is not None and int(message_id[:8], 16) < _share * 2**32


def _plain(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if isinstance(value, _PLAIN)}
