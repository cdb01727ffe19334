"""Errors as the other side reads them: `{"error": code, "message": a sentence in Vietnamese}`."""

from __future__ import annotations

from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

from accounts.errors import AccountError
from conversations.errors import ConversationError, ConversationNotFoundError, StorageUnavailableError
from conversations.service import STORAGE_DOWN
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


def problem(
    status: int, code: str, message: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return a problem as a response."""
    body = {"error": code, "message": message or say(f"conversation.errors.{code}")}
    return JSONResponse(body, status_code=status, headers=headers)


def install_errors(app: FastAPI) -> None:
    """Make the app answer every error in this form."""

    @app.exception_handler(Problem)
    async def _problem(_request: Request, error: Problem) -> JSONResponse:
        return problem(error.status, error.code, headers=error.headers)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_request: Request, error: RequestValidationError) -> JSONResponse:
        kinds = {item["type"] for item in error.errors()}
        if "json_invalid" in kinds:
            return problem(400, "bad_json")
        return problem(422, "invalid")

    @app.exception_handler(HTTPException)
    async def _http(_request: Request, error: HTTPException) -> JSONResponse:
        default = "invalid" if error.status_code < 500 else "internal"
        headers = dict(error.headers) if error.headers else None
        if error.status_code == 400:
            return problem(400, "bad_json", headers=headers)
        return problem(error.status_code, _BY_STATUS.get(error.status_code, default), headers=headers)

    @app.exception_handler(ConversationError)
    async def _conversation(_request: Request, error: ConversationError) -> JSONResponse:
        if isinstance(error, StorageUnavailableError):
            return problem(503, error.code, error.sentence, {"Retry-After": "5"})
        return problem(
            404 if isinstance(error, ConversationNotFoundError) else 409, error.code, error.sentence
        )

    @app.exception_handler(AccountError)
    async def _account(_request: Request, error: AccountError) -> JSONResponse:
        return problem(403, error.code, error.sentence)

    async def _storage(_request: Request, error: Exception) -> JSONResponse:
        log.error("storage_down", error=type(error).__name__)
        return problem(503, "storage_unavailable", headers={"Retry-After": "5"})

    for kind in STORAGE_DOWN:
        app.add_exception_handler(kind, _storage)

    @app.exception_handler(Exception)
    async def _unexpected(_request: Request, _error: Exception) -> JSONResponse:
        return problem(500, "internal")
