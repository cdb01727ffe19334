"""One's own account: password, one-time code, sessions, and the proof that dangerous actions ask for."""

from __future__ import annotations

import io
from typing import Annotated

import segno
from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.datastructures import URL
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action
from accounts.errors import AccountError
from accounts.schemas import SessionInfo
from api.access import COOKIE, ServicesHere, changing, preparing, seeing, visit_of
from api.agents import browser_name
from api.console_page import ACCOUNT, console_page, own_address
from api.services import Services
from vntext.catalogue import say

router = APIRouter(prefix="/console", include_in_schema=False)

_LONGEST_FIELD = 500
_LONGEST_ADDRESS = 2_000
_TOTP = f"{ACCOUNT}/totp"

Seeing = Annotated[SessionInfo, Depends(seeing(Action.OWN_ACCOUNT))]
Changing = Annotated[SessionInfo, Depends(changing(Action.OWN_ACCOUNT))]
Preparing = Annotated[SessionInfo, Depends(preparing(Action.OWN_ACCOUNT))]
Proving = Annotated[SessionInfo, Depends(changing(Action.OWN_ACCOUNT, proves=True))]
Field = Annotated[str, Form(max_length=_LONGEST_FIELD)]


@router.get("/account")
async def account(services: ServicesHere, session: Seeing) -> HTMLResponse:
    """One's own account."""
    return await _account(services, session)


@router.post("/account/password")
async def change_password(
    request: Request,
    services: ServicesHere,
    session: Changing,
    current: Field = "",
    password: Field = "",
    again: Field = "",
) -> HTMLResponse:
    """Set another password; the other log-ins end."""
    if password != again:
        return await _account(services, session, status=422, error=say("console.first.different"))
    try:
        await services.accounts.own.change_password(
            _token(request), session.user.id, current, password, visit_of(request)
        )
    except AccountError as error:
        return await _account(services, session, status=422, error=error.sentence)
    return await _account(services, session, done=say("accounts.account.password_changed"))


@router.post("/account/sessions/others")
async def end_others(request: Request, services: ServicesHere, session: Changing) -> HTMLResponse:
    """End all one's log-ins but this one."""
    count = await services.accounts.own.end_other_sessions(_token(request), session.user.id)
    return await _account(services, session, done=say("accounts.account.others_ended", count=count))


@router.post("/account/sessions/{key}")
async def end_session(key: str, services: ServicesHere, session: Changing) -> Response:
    """End one of one's log-ins; nobody ends another person's."""
    if not await services.accounts.own.end_session(session.user.id, key):
        return await _account(services, session, status=404, error=say("accounts.account.session_gone"))
    if key == session.key:
        return RedirectResponse("/console/login", status_code=303)
    return await _account(services, session, done=say("accounts.account.session_ended"))


@router.get("/account/totp")
async def totp(services: ServicesHere, session: Preparing) -> HTMLResponse:
    """One-time codes: how to set them up, or what there is."""
    return await _totp(services, session)


@router.post("/account/totp")
async def confirm_totp(
    request: Request, services: ServicesHere, session: Proving, code: Field = ""
) -> HTMLResponse:
    """Switch one-time codes on with the first one; show the recovery codes once."""
    try:
        fresh = await services.accounts.own.confirm_totp(
            _token(request), session.user.id, code, visit_of(request)
        )
    except AccountError as error:
        return await _totp(services, session, status=422, error=error.sentence)
    return console_page("account/recovery.html", session, "account", codes=fresh)


@router.post("/account/totp/recovery")
async def renew_recovery(services: ServicesHere, session: Proving) -> HTMLResponse:
    """Replace the recovery codes; show the new ones once."""
    fresh = await services.accounts.own.renew_recovery_codes(session.user.id)
    return console_page("account/recovery.html", session, "account", codes=fresh)


@router.post("/account/totp/off")
async def stop_totp(services: ServicesHere, session: Proving) -> Response:
    """Switch one-time codes off."""
    try:
        await services.accounts.own.stop_totp(session.user.id)
    except AccountError as error:
        return await _totp(services, session, status=409, error=error.sentence)
    return RedirectResponse(ACCOUNT, status_code=303)


@router.get("/prove")
async def prove_form(
    session: Seeing, back: Annotated[str, Query(alias="next", max_length=_LONGEST_ADDRESS)] = ACCOUNT
) -> HTMLResponse:
    """Ask for the password or a one-time code again."""
    return console_page("account/prove.html", session, "account", back=own_address(URL(back)))


@router.post("/prove")
async def prove(
    request: Request,
    services: ServicesHere,
    session: Changing,
    secret: Field = "",
    back: Annotated[str, Form(alias="next", max_length=_LONGEST_ADDRESS)] = ACCOUNT,
) -> Response:
    """Note that it is still the same person, and lead back to where they were."""
    address = own_address(URL(back))
    try:
        await services.accounts.own.prove(_token(request), session.user.id, secret, visit_of(request))
    except AccountError as error:
        sentence = error.sentence if error.code == "too_many_attempts" else say("accounts.prove.wrong")
        return console_page(
            "account/prove.html", session, "account", status=422, back=address, error=sentence
        )
    return RedirectResponse(address, status_code=303)


def _token(request: Request) -> str:
    return request.cookies.get(COOKIE, "")


async def _account(
    services: Services, session: SessionInfo, *, status: int = 200, error: str | None = None, done: str = ""
) -> HTMLResponse:
    lines = await services.accounts.own.sessions(session.user.id)
    return console_page(
        "account/account.html",
        session,
        "account",
        status=status,
        error=error,
        done=done,
        lines=[(line, browser_name(line.agent)) for line in lines],
        current=session.key,
    )


async def _totp(
    services: Services, session: SessionInfo, *, status: int = 200, error: str | None = None
) -> HTMLResponse:
    own = services.accounts.own
    if session.user.has_totp:
        left = await own.recovery_codes_left(session.user.id)
        return console_page("account/totp_on.html", session, "account", status=status, error=error, left=left)
    enrolment = await own.begin_totp(session.user.id)
    picture = io.BytesIO()
    segno.make(enrolment.address, error="m").save(
        picture, kind="svg", scale=4, border=4, xmldecl=False, svgns=True, dark="#000", light="#fff"
    )
    return console_page(
        "account/totp.html",
        session,
        "account",
        status=status,
        error=error,
        picture=picture.getvalue().decode(),
        secret=" ".join(enrolment.secret[start : start + 4] for start in range(0, len(enrolment.secret), 4)),
        must_enrol=session.must_enrol,
    )
