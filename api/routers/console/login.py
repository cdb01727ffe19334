"""Log in, with a one-time code where there is one; log out; set the password by a one-time link."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action
from accounts.errors import AccountError, InvalidLinkError, WeakPasswordError, WrongCodeError
from accounts.schemas import CodeAsked, OpenedSession, SessionInfo
from api.access import COOKIE, DEVICE_COOKIE, ServicesHere, changing, visit_of
from api.console_page import home_of
from api.services import Services
from api.templating import page
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

_LONGEST_FIELD = 500
_DEVICE_SECONDS = 180 * 24 * 3600

Own = Annotated[SessionInfo, Depends(changing(Action.OWN_ACCOUNT))]
Field = Annotated[str, Form(max_length=_LONGEST_FIELD)]


def is_secure(services: Services) -> bool:
    """Tell whether people reach the service by TLS, so that the cookie may be tied to it."""
    return services.settings.resolved_public_url().startswith("https://")


@router.get("/login")
async def login_form() -> HTMLResponse:
    """The log-in form."""
    return page("console/login.html")


@router.post("/login")
async def log_in(
    request: Request, services: ServicesHere, login: Field = "", password: Field = ""
) -> Response:
    """Open a session or ask for the one-time code, or say why not."""
    try:
        opened = await services.accounts.log_in(login, password, visit_of(request))
    except AccountError as error:
        return page("console/login.html", status=403, error=error.sentence, login=login)
    if isinstance(opened, CodeAsked):
        return page("console/account/code.html", asked=opened.token)
    return _begin(services, opened)


@router.post("/login/code")
async def log_in_with_code(
    request: Request, services: ServicesHere, asked: Field = "", code: Field = ""
) -> Response:
    """Finish a log-in with the one-time code."""
    try:
        opened = await services.accounts.confirm(asked, code, visit_of(request))
    except WrongCodeError as error:
        return page("console/account/code.html", status=403, error=error.sentence, asked=asked)
    except AccountError as error:
        return page("console/login.html", status=403, error=error.sentence)
    return _begin(services, opened)


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
    services: ServicesHere, token: Field = "", password: Field = "", again: Field = ""
) -> Response:
    """Use the link up."""
    if password != again:
        return page(
            "console/set_password.html", status=422, error=say("console.first.different"), token=token
        )
    try:
        user = await services.accounts.set_password(token, password)
    except WeakPasswordError as error:
        return page("console/set_password.html", status=422, error=error.sentence, token=token)
    except AccountError as error:
        return page("console/set_password.html", status=403, error=error.sentence, token=None)
    return page("console/login.html", login=user.login)


@router.post("/logout")
async def log_out(request: Request, services: ServicesHere, _session: Own) -> Response:
    """End the session."""
    await services.accounts.log_out(request.cookies.get(COOKIE, ""))
    response = RedirectResponse("/console/login", status_code=303)
    response.delete_cookie(COOKIE, path="/console")
    return response


def _begin(services: Services, opened: OpenedSession) -> Response:
    response = RedirectResponse(home_of(opened.user), status_code=303)
    secure = is_secure(services)
    response.set_cookie(
        COOKIE, opened.token, httponly=True, secure=secure, samesite="strict", path="/console"
    )
    response.set_cookie(
        DEVICE_COOKIE,
        opened.device,
        max_age=_DEVICE_SECONDS,
        httponly=True,
        secure=secure,
        samesite="strict",
        path="/console/login",
    )
    return response
