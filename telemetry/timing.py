"""Times plain functions: into a histogram, and as a span where there is a trace."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from prometheus_client import Histogram

from telemetry import tracing

P = ParamSpec("P")
T = TypeVar("T")


def timed(name: str, histogram: Histogram) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that observes how many seconds each call takes, under the span `name`."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def watched(*args: P.args, **kwargs: P.kwargs) -> T:
            started = time.perf_counter()
            try:
                with tracing.span(name):
                    return function(*args, **kwargs)
            finally:
                histogram.observe(time.perf_counter() - started)

        return watched

    return decorate
