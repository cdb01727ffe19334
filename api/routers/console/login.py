"""Log in, log out, set the password by a one-time link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.errors import AccountError, InvalidLinkError
from api.access import COOKIE, Checked, ServicesHere
from api.services import Services
from api.templating import page
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

_LONGEST_FIELD = 500


def is_secure(services: Services) -> bool:
    """Tell whether people reach the service by TLS, so that the cookie may be tied to it."""
    return services.settings.resolved_public_url().startswith("https://")


@router.get("/login")
async def login_form() -> HTMLResponse:
    """The log-in form."""
    return page("console/login.html")


@router.post("/login")
async def log_in(
    request: Request,
    services: ServicesHere,
    login: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    password: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
) -> Response:
    """Open a session, or say why not."""
    address = request.client.host if request.client else "unknown"
    try:
        opened = await services.accounts.log_in(login, password, address=address)
    except AccountError as error:
        return page("console/login.html", status=403, error=error.sentence, login=login)
    response = RedirectResponse("/console", status_code=303)
    response.set_cookie(
        COOKIE, opened.token, httponly=True, secure=is_secure(services), samesite="strict", path="/console"
    )
    return response


@router.get("/set-password")
async def password_form(
    services: ServicesHere, token: Annotated[str, Query(max_length=_LONGEST_FIELD)] = ""
) -> HTMLResponse:
    """The form behind a one-time link."""
    if not await services.accounts.link_is_valid(token):
        return page("console/set_password.html", status=403, error=InvalidLinkError().sentence, token=None)
    return page("console/set_password.html", token=token)


@router.post("/set-password")
async def set_password(
    services: ServicesHere,
    token: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    password: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
    again: Annotated[str, Form(max_length=_LONGEST_FIELD)] = "",
) -> Response:
    """Use the link up."""
    if password != again:
        return page(
            "console/set_password.html", status=422, error=say("console.first.different"), token=token
        )
    try:
        user = await services.accounts.set_password(token, password)
    except InvalidLinkError as error:
        return page("console/set_password.html", status=403, error=error.sentence, token=None)
    except AccountError as error:
        return page("console/set_password.html", status=422, error=error.sentence, token=token)
    return page("console/login.html", login=user.login)


@router.post("/logout")
async def log_out(request: Request, services: ServicesHere, _session: Checked) -> Response:
    """End the session."""
    await services.accounts.log_out(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/console/login", status_code=303)
    response.delete_cookie(COOKIE, path="/console")
    return response
