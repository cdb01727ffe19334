"""Errors as the other side reads them: `{"error": code, "message": a sentence in Vietnamese}`."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from accounts.errors import AccountError
from api.templating import page
from conversations.errors import ConversationError, ConversationNotFoundError, StorageUnavailableError
from conversations.media.errors import FileRefusedError
from database.engine import STORAGE_DOWN, UnstorableError
from tickets.errors import TicketError, TicketNotFoundError
from vntext.catalogue import say

log = structlog.get_logger(__name__)


class ProblemBody(BaseModel):
    """What went wrong."""

    error: str = Field(description="A code for programs")
    message: str = Field(description="A sentence for people, in Vietnamese")


PROBLEMS: dict[int | str, dict[str, Any]] = {
    status: {"model": ProblemBody} for status in (400, 401, 413, 422, 429, 503)
}
"""For routers: the problems any of their routes may answer."""


class Problem(Exception):  # noqa: N818 - it is what is answered, not only what went wrong
    """Ends a request with a status, a code, and the sentence of that code in the catalogue."""

    def __init__(self, status: int, code: str, *, headers: dict[str, str] | None = None) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.headers = headers


_BY_STATUS = {
    401: "bad_token",
    403: "forbidden",
    404: "unknown_page",
    405: "wrong_method",
    413: "body_too_large",
}
_FOR_PROGRAMS = ("/chat/", "/internal/", "/health", "/ready", "/metrics")


def problem(
    status: int, code: str, message: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem as a response."""
    body = {"error": code, "message": message or say(f"conversation.errors.{code}")}
    return JSONResponse(body, status_code=status, headers=headers)


def error_page(
    request: Request, status: int, message: str, headers: dict[str, str] | None = None
) -> HTMLResponse:
    """Return a problem as a page that leads on: to the start page, the desk, or one's own account."""
    back = "home"
    if request.url.path.startswith("/console"):
        back = "account" if status == 403 else "desk"
    return page("error.html", status=status, headers=headers, message=message, back=back)


def answer(
    request: Request,
    status: int,
    code: str,
    message: str | None = None,
    headers: dict[str, str] | None = None,
) -> Response:
    """Return a problem as whoever asked reads it: a page for a browser, JSON for a program."""
    is_page = "text/html" in request.headers.get("accept", "")
    if is_page and not request.url.path.startswith(_FOR_PROGRAMS):
        return error_page(request, status, message or say(f"conversation.errors.{code}"), headers)
    return problem(status, code, message, headers)


def install_errors(app: FastAPI) -> None:
    """Make the app answer every error in one of these two forms."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return answer(request, error.status, error.code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(request: Request, error: RequestValidationError) -> Response:
        if any(item["type"] == "json_invalid" for item in error.errors()):
            return answer(request, 400, "bad_json")
        return answer(request, 422, "invalid")

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        default = "invalid" if error.status_code < 500 else "internal"
        code = "bad_json" if error.status_code == 400 else _BY_STATUS.get(error.status_code, default)
        headers = dict(error.headers) if error.headers else None
        return answer(request, error.status_code, code, headers=headers)

    @app.exception_handler(ConversationError)
    async def _conversation(request: Request, error: ConversationError) -> Response:
        if isinstance(error, StorageUnavailableError):
            return answer(request, 503, error.code, error.sentence, {"Retry-After": "5"})
        if isinstance(error, FileRefusedError):
            return answer(request, 413 if error.code == "file_too_large" else 422, error.code, error.sentence)
        status = 404 if isinstance(error, ConversationNotFoundError) else 409
        return answer(request, status, error.code, error.sentence)

    @app.exception_handler(TicketError)
    async def _ticket(request: Request, error: TicketError) -> Response:
        status = 404 if isinstance(error, TicketNotFoundError) else 409
        return answer(request, status, error.code, error.sentence)

    @app.exception_handler(AccountError)
    async def _account(request: Request, error: AccountError) -> Response:
        return answer(request, 403, error.code, error.sentence)

    async def _storage(request: Request, error: Exception) -> Response:
        log.error("storage_down", error=type(error).__name__)
        return answer(request, 503, "storage_unavailable", headers={"Retry-After": "5"})

    @app.exception_handler(PoolTimeoutError)
    async def _busy(request: Request, _error: PoolTimeoutError) -> Response:
        log.error("database_pool_exhausted")
        return answer(request, 503, "storage_unavailable", headers={"Retry-After": "2"})

    for kind in set(STORAGE_DOWN) - {PoolTimeoutError}:
        app.add_exception_handler(kind, _storage)

    @app.exception_handler(UnstorableError)
    async def _unstorable(request: Request, _error: UnstorableError) -> Response:
        return answer(request, 422, "invalid")

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, _error: Exception) -> Response:
        return answer(request, 500, "internal")
