"""The public page of one ticket: by its code for everybody, by their own link for its sender."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from api.access import ServicesHere
from api.errors import Problem
from api.services import Services
from api.templating import page
from connectors.webchat.limits import Limit
from database.base import new_id
from tickets import codes
from tickets.errors import TicketError, TicketNotFoundError
from tickets.follow import Followed
from vntext.catalogue import say

router = APIRouter(prefix="/p", include_in_schema=False)

_LOOKS = Limit("follow", 60, 60)
"""Looks by code a minute from one address: an office of people, but not a script that reads all codes."""

_CHANGES = Limit("follow-change", 10, 60)
_PRIVATE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex"}


@router.get("")
async def by_code(
    request: Request, services: ServicesHere, code: Annotated[str, Query(max_length=80)] = ""
) -> HTMLResponse:
    """The form for a code, or what everybody may see of that ticket."""
    if not code.strip():
        return page("follow/lookup.html", typed="", headers=_PRIVATE)
    await _count(request, services, _LOOKS)
    typed = codes.read(code)
    if typed is None:
        return _not_found(code, say("tickets.follow.no_code"))
    if not typed.is_right:
        return _not_found(code, say("tickets.follow.mistyped", code=code.strip()))
    try:
        found = await services.ticket_follow.by_code(code)
    except TicketNotFoundError:
        return _not_found(code, say("tickets.follow.unknown", code=typed.code))
    return _shown(found)


@router.get("/{token}")
async def by_link(
    token: str, services: ServicesHere, done: Annotated[str, Query(max_length=20)] = ""
) -> HTMLResponse:
    """What the sender sees; an address that lost some of its letters leads to where a code is asked for."""
    try:
        found = await services.ticket_follow.by_token(token[:64])
    except TicketNotFoundError:
        return _not_found("", say("tickets.follow.bad_link"))
    return _shown(found, done=done if done in ("give_info", "dispute", "publish", "unpublish") else None)


@router.post("/{token}/{name}")
async def change(
    token: str,
    name: str,
    request: Request,
    services: ServicesHere,
    text: Annotated[str, Form(max_length=8_000)] = "",
    key: Annotated[str, Form(max_length=80)] = "",
) -> Response:
    """Do what the sender wants; refused, the page says why and keeps what was written."""
    await _count(request, services, _CHANGES)
    try:
        await services.ticket_follow.act(token[:64], name, {"text": text}, key=key)
    except TicketNotFoundError:
        raise
    except TicketError as refused:
        found = await services.ticket_follow.by_token(token[:64])
        return _shown(found, status=422, error=refused.sentence, failed=name, written=text)
    return RedirectResponse(f"/p/{token[:64]}?done={name}", status_code=303, headers=_PRIVATE)


async def _count(request: Request, services: Services, limit: Limit) -> None:
    address = request.client.host if request.client else "unknown"
    if services.limits.allow((limit, address)) is not None:
        raise Problem(429, "too_many_addresses", headers={"Retry-After": "60"})


def _shown(
    found: Followed,
    *,
    status: int = 200,
    error: str | None = None,
    done: str | None = None,
    failed: str | None = None,
    written: str = "",
) -> HTMLResponse:
    return page(
        "follow/ticket.html",
        status=status,
        headers=_PRIVATE,
        ticket=found,
        error=error,
        done=done,
        failed=failed,
        written=written,
        new_key=new_id,
    )


def _not_found(typed: str, sentence: str) -> HTMLResponse:
    return page("follow/lookup.html", status=404, headers=_PRIVATE, typed=typed.strip(), error=sentence)
