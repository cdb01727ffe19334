"""Log lines and traces of this process, as the settings want them."""

from __future__ import annotations

from api.settings import Settings
from telemetry import logs, metrics, tracing

VERSION = "0.1.0"


def configure_logging(settings: Settings, service: str = "app") -> None:
    """Set up the process's log lines."""
    logs.configure(service, level=settings.log_level, form=settings.log_format)
    metrics.build.labels(VERSION, service).set(1)


def start_tracing(settings: Settings, service: str = "app") -> None:
    """Begin to trace where the settings say so.

    Raises:
        telemetry.tracing.TracingUnavailableError: what tracing needs is not installed.
    """
    if settings.otel_traces and not tracing.is_on():
        tracing.start(service, endpoint=settings.otel_exporter_otlp_endpoint, share=settings.otel_share)
