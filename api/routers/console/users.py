"""The accounts, for administrators: invite, name, give roles and an agency, reset, deactivate."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Form
from starlette.responses import HTMLResponse

from accounts.access import Action
from accounts.errors import AccountError, UnknownUserError
from accounts.schemas import ROLES, SessionInfo
from api.access import ServicesHere, changing, preparing, seeing
from api.console_page import console_page
from api.services import Services
from vntext.catalogue import say

router = APIRouter(prefix="/console/users", include_in_schema=False)

_LONGEST_FIELD = 500

Seeing = Annotated[SessionInfo, Depends(seeing(Action.MANAGE_USERS))]
Preparing = Annotated[SessionInfo, Depends(preparing(Action.MANAGE_USERS))]
Changing = Annotated[SessionInfo, Depends(changing(Action.MANAGE_USERS))]
Field = Annotated[str, Form(max_length=_LONGEST_FIELD)]
Roles = Annotated[list[str], Form(max_length=len(ROLES))]


@router.get("")
async def users(services: ServicesHere, session: Seeing) -> HTMLResponse:
    """Everybody who has an account."""
    return console_page(
        "users/users.html", session, "users", people=await services.accounts.users.everybody()
    )


@router.get("/new")
async def invitation(session: Preparing) -> HTMLResponse:
    """The form for a new account."""
    return _form(session, given={"login": "", "name": "", "roles": (), "agency": ""})


@router.post("")
async def invite(
    services: ServicesHere,
    session: Changing,
    roles: Roles = [],  # noqa: B006 - the form's default; nobody changes it
    login: Field = "",
    name: Field = "",
    agency: Field = "",
) -> HTMLResponse:
    """Make an account and show the link with which its owner sets the password."""
    try:
        user, token = await services.accounts.users.invite(
            login=login, name=name, roles=roles, agency=agency, actor=session.user.id
        )
    except AccountError as error:
        given = {"login": login, "name": name, "roles": tuple(roles), "agency": agency}
        return _form(session, given=given, status=422, error=error.sentence)
    return await _one(services, session, user.id, link=token)


@router.get("/{user_id}")
async def user(user_id: str, services: ServicesHere, session: Preparing) -> HTMLResponse:
    """One account."""
    return await _one(services, session, user_id)


@router.post("/{user_id}")
async def change(
    user_id: str,
    services: ServicesHere,
    session: Changing,
    roles: Roles = [],  # noqa: B006 - the form's default; nobody changes it
    name: Field = "",
    agency: Field = "",
) -> HTMLResponse:
    """Set name, roles and agency."""
    users = services.accounts.users
    work = users.change(user_id, name=name, roles=roles, agency=agency, actor=session.user.id)
    return await _done(services, session, user_id, work)


@router.post("/{user_id}/reset")
async def reset(user_id: str, services: ServicesHere, session: Changing) -> HTMLResponse:
    """Take the password away and show a link to set another."""
    work = services.accounts.users.reset(user_id, actor=session.user.id)
    return await _done(services, session, user_id, work)


@router.post("/{user_id}/reset-totp")
async def reset_totp(user_id: str, services: ServicesHere, session: Changing) -> HTMLResponse:
    """Switch the one-time codes off, for a lost telephone."""
    work = services.accounts.users.reset_totp(user_id, actor=session.user.id)
    return await _done(services, session, user_id, work)


@router.post("/{user_id}/deactivate")
async def deactivate(user_id: str, services: ServicesHere, session: Changing) -> HTMLResponse:
    """Shut an account."""
    work = services.accounts.users.deactivate(user_id, actor=session.user.id)
    return await _done(services, session, user_id, work)


@router.post("/{user_id}/reactivate")
async def reactivate(user_id: str, services: ServicesHere, session: Changing) -> HTMLResponse:
    """Open an account again and show a link to set the password."""
    work = services.accounts.users.reactivate(user_id, actor=session.user.id)
    return await _done(services, session, user_id, work)


async def _done(
    services: Services, session: SessionInfo, user_id: str, work: Awaitable[object]
) -> HTMLResponse:
    try:
        result = await work
    except UnknownUserError:
        return await _one(services, session, user_id)
    except AccountError as error:
        return await _one(services, session, user_id, status=409, error=error.sentence)
    link = result if isinstance(result, str) else None
    return await _one(services, session, user_id, link=link, done=say("accounts.users.saved"))


async def _one(
    services: Services,
    session: SessionInfo,
    user_id: str,
    *,
    status: int = 200,
    error: str | None = None,
    done: str = "",
    link: str | None = None,
) -> HTMLResponse:
    person = await services.accounts.find_user(user_id[:64])
    if person is None:
        everybody = await services.accounts.users.everybody()
        sentence = UnknownUserError().sentence
        return console_page(
            "users/users.html", session, "users", status=404, people=everybody, error=sentence
        )
    address = None
    if link is not None:
        query = urlencode({"token": link})
        address = f"{services.settings.resolved_public_url()}/console/set-password?{query}"
    return console_page(
        "users/user.html",
        session,
        "users",
        status=status,
        error=error,
        done=done,
        person=person,
        roles=ROLES,
        is_self=person.id == session.user.id,
        link=address,
    )


def _form(
    session: SessionInfo, *, given: Mapping[str, object], status: int = 200, error: str | None = None
) -> HTMLResponse:
    return console_page(
        "users/new.html", session, "users", status=status, error=error, given=given, roles=ROLES
    )
