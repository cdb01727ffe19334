"""Trace and span ids that follow from a message's id; loaded only where OpenTelemetry is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from opentelemetry.context import Context
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context

_root: ContextVar[str | None] = ContextVar("root", default=None)


class MessageIds(RandomIdGenerator):
    """Random ids, but for the root span of a message's trace."""

    def generate_trace_id(self) -> int:
        """Return the message's id as a number, or a random one."""
        message_id = _root.get()
        return super().generate_trace_id() if message_id is None else int(message_id, 16)

    def generate_span_id(self) -> int:
        """Return the first half of the message's id as a number, or a random one."""
        message_id = _root.get()
        return super().generate_span_id() if message_id is None else int(message_id[:16], 16)


@contextmanager
def ids_of(message_id: str) -> Iterator[None]:
    """Make the next span the root of this message's trace."""
    token = _root.set(message_id)
    try:
        yield
    finally:
        _root.reset(token)


def context_of(context: Context, trace_id: str, span_id: str) -> Context:
    """Return `context` below the span with these ids (hexadecimal), which another process has made."""
    above = SpanContext(
        int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(TraceFlags.SAMPLED)
    )
    return set_span_in_context(NonRecordingSpan(above), context)
