"""The application: settings in, ASGI app out; opened when it starts, closed when it stops."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog
from fastapi import FastAPI, Request
from fastapi.staticfiles import StaticFiles
from starlette.responses import RedirectResponse, Response

from api.access import CrossSite, NotAllowed, NotEnrolled, NotLoggedIn, NotProved
from api.console_page import prove_address
from api.errors import answer, error_page, install_errors
from api.logs import VERSION, configure_logging, start_tracing
from api.middleware import BodyLimit, ChatCors, RequestContext
from api.routers import actions, chat, chat_files, console, follow, health, metrics, pages, webhooks
from api.services import Services, build_services
from api.settings import Settings
from api.uploads import LARGEST_UPLOAD
from telemetry import tracing
from vntext.catalogue import say

log = structlog.get_logger(__name__)

JSON_LIMIT = 1024 * 1024
"""Bytes of the largest body any entrance reads, but for files."""

_UPLOADS = ("/chat/files", "/console/files")
_STATIC = Path(__file__).parent.parent / "web" / "static"


def create_app(settings: Settings | None = None, services: Services | None = None) -> FastAPI:
    """Return the app.

    Args:
        settings: read from the environment where not given.
        services: the parts, where somebody else makes (but does not start) them.
    """
    settings = settings or Settings()
    configure_logging(settings)
    start_tracing(settings)
    parts = services or build_services(settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        await parts.start()
        log.info("app_started", database=parts.database.url.get_backend_name())
        try:
            yield
        finally:
            await parts.stop()
            tracing.stop()
            log.info("app_stopped")

    app = FastAPI(
        title="1022 Gia Lai",
        summary="Chatbot-first public-service assistant",
        description="The chat is open to any site; nothing here takes cookies but the console.",
        version=VERSION,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
    )
    app.state.services = parts
    install_errors(app)
    _install_console_errors(app)
    # The last one added is the outermost.
    app.add_middleware(BodyLimit, limit=JSON_LIMIT, streamed=dict.fromkeys(_UPLOADS, LARGEST_UPLOAD))
    app.add_middleware(ChatCors, origins=settings.chat_origins)
    app.add_middleware(RequestContext)
    # A request is compared with one route after the other: what comes by the hundred is found first.
    for router in webhooks.ROUTERS:
        app.include_router(router)
    for surface in (chat, actions, health, metrics, chat_files, pages, follow):
        app.include_router(surface.router)
    for router in console.ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=_STATIC), name="static")
    return app


def _install_console_errors(app: FastAPI) -> None:
    @app.exception_handler(NotLoggedIn)
    async def _not_logged_in(request: Request, _error: NotLoggedIn) -> Response:
        # A page that refreshes a part of itself must not find the log-in form there.
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/console/login", status_code=303)
        return answer(request, 401, "bad_token")

    @app.exception_handler(CrossSite)
    async def _cross_site(request: Request, _error: CrossSite) -> Response:
        return answer(request, 403, "forbidden")

    @app.exception_handler(NotProved)
    async def _not_proved(request: Request, _error: NotProved) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse(prove_address(request), status_code=303)
        return answer(request, 403, "prove_first", say("accounts.errors.prove_first"))

    @app.exception_handler(NotEnrolled)
    async def _not_enrolled(request: Request, _error: NotEnrolled) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/console/account/totp", status_code=303)
        return answer(request, 403, "enrol_first", say("accounts.errors.totp_required"))

    @app.exception_handler(NotAllowed)
    async def _not_allowed(request: Request, _error: NotAllowed) -> Response:
        if "text/html" in request.headers.get("accept", ""):
            return error_page(request, 403, say("console.error.not_allowed"))
        return answer(request, 403, "forbidden")
