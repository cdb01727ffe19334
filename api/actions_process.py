"""`python -m api.actions_process`: answer the bot's action calls in a process of its own.

Searching the knowledge base takes processor time in one piece; here it holds up nobody who receives. The app
processes then run with SERVE_ACTIONS=false. It listens on ACTIONS_HOST and ACTIONS_PORT, not for the public.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog
import uvicorn
from fastapi import FastAPI

from api.__main__ import server_options
from api.errors import install_errors
from api.garbage import look_seldom
from api.logs import configure_logging, start_tracing
from api.middleware import RequestContext
from api.routers import actions, health, knowledge, metrics
from api.services import Services, build_services
from api.settings import Settings
from telemetry import tracing

log = structlog.get_logger(__name__)


def create_actions_app(settings: Settings, services: Services | None = None) -> FastAPI:
    """Return the app: actions, the knowledge base for the other processes, health and metrics.

    Args:
        settings: of this process.
        services: the parts, where somebody else makes (but does not start) them.
    """
    configure_logging(settings, "actions")
    start_tracing(settings, "actions")
    parts = services or build_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.start(actions_only=True)
        log.info("actions_started", database=parts.database.url.get_backend_name())
        try:
            yield
        finally:
            await parts.stop()
            tracing.stop()
            log.info("actions_stopped")

    app = FastAPI(lifespan=lifespan, docs_url=None, redoc_url=None, openapi_url=None)
    app.state.services = parts
    install_errors(app)
    app.add_middleware(RequestContext)
    for surface in (health, metrics, actions, knowledge):
        app.include_router(surface.router)
    return app


def main() -> None:
    """Serve until told to stop."""
    settings = Settings(run_worker=False, serve_actions=True)
    options = server_options(settings) | {"host": settings.actions_host, "port": settings.actions_port}
    app = create_actions_app(settings)
    look_seldom()
    uvicorn.run(app, **options)


if __name__ == "__main__":
    main()
