"""`python -m api.worker`: handle messages in a process of its own, beside any number of app processes.

It needs PostgreSQL and Redis; the app processes then run with RUN_WORKER=false. Start order does not matter.
"""

from __future__ import annotations

import asyncio
import signal

import structlog

from api.garbage import look_seldom
from api.logs import configure_logging, start_tracing
from api.services import build_services
from api.settings import Settings
from api.worker_port import WorkerPort
from telemetry import tracing

log = structlog.get_logger(__name__)


async def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT; what is under way is finished first."""
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    services = build_services(settings)
    port = WorkerPort(services)
    if settings.worker_port:
        await port.open(settings.worker_host, settings.worker_port)
    await services.start()
    log.info("worker_started", database=services.database.url.get_backend_name())
    try:
        await stopped.wait()
    finally:
        await port.close()
        await services.stop()
        tracing.stop()
        log.info("worker_stopped")


def main() -> None:
    """Read the settings and work."""
    # The app answers the bot's action calls; a worker has no port but that of its metrics.
    settings = Settings(run_worker=True, serve_actions=False)
    configure_logging(settings, "worker")
    start_tracing(settings, "worker")
    look_seldom()
    asyncio.run(run(settings))


if __name__ == "__main__":
    main()
