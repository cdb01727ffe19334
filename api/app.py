"""The application: settings in, ASGI app out; opened when it starts, closed when it stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import structlog
from fastapi import APIRouter, FastAPI
from fastapi.staticfiles import StaticFiles

from api.errors import install_errors
from api.logs import configure_logging
from api.middleware import BodyLimit, ChatCors, RequestContext
from api.routers import actions, chat, health
from api.services import Services, build_services
from api.settings import Settings

log = structlog.get_logger(__name__)

JSON_LIMIT = 1024 * 1024
"""Bytes of the largest body any entrance reads."""

_STATIC = Path(__file__).parent.parent / "web" / "static"


def create_app(settings: Settings | None = None, services: Services | None = None) -> FastAPI:
    """Return the app.

    Args:
        settings: read from the environment where not given.
        services: the parts, where somebody else makes (but does not start) them.
    """
    settings = settings or Settings()
    configure_logging(settings)
    parts = services or build_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        log.info("app_started", database=parts.database.url.get_backend_name())
        try:
            yield
        finally:
            await parts.stop()
            log.info("app_stopped")

    app = FastAPI(
        title="1022 Gia Lai",
        summary="Chatbot-first public-service assistant",
        description="The chat is open to any site; nothing here takes cookies but the console.",
        version="0.1.0",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.services = parts
    install_errors(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=JSON_LIMIT)
    app.add_middleware(ChatCors, origins=settings.chat_origins)
    app.add_middleware(RequestContext)
    for router in (health.router, chat.router, actions.router, *_page_routers()):
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


def _page_routers() -> list[APIRouter]:
    names = ("api.routers.console", "api.routers.pages")
    return [import_module(name).router for name in names if find_spec(name)]
