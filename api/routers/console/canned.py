"""Answers written beforehand: an operator's own, and those of all, which whoever leads a shift keeps."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import NotAllowed, ServicesHere, changing, seeing
from api.console_page import console_page
from api.services import Services
from conversations.desk.canned import VARIABLES
from conversations.desk.errors import CannedNotFoundError, InvalidCannedError
from conversations.desk.schemas import CannedAnswer

router = APIRouter(prefix="/console/canned", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.ANSWER))]
Changing = Annotated[SessionInfo, Depends(changing(Action.ANSWER))]
Title = Annotated[str, Form(max_length=400)]
Text = Annotated[str, Form(max_length=8_000)]

_MOST = 200


@router.get("")
async def answers(
    services: ServicesHere,
    session: Seeing,
    q: Annotated[str, Query(max_length=200)] = "",
    edit: Annotated[str, Query(max_length=64)] = "",
) -> HTMLResponse:
    """All an operator may use, and the form for a new one or the one to be rewritten."""
    found = await _all(services, session)
    chosen = next((one for one in found if one.id == edit), None)
    return await _page(services, session, q=q, chosen=chosen)


@router.post("")
async def add(
    services: ServicesHere,
    session: Changing,
    title: Title = "",
    text: Text = "",
    shared: Annotated[bool, Form()] = False,
) -> Response:
    """Keep a new answer."""
    _check(session, shared=shared)
    try:
        kept = await services.core.canned.add(session.user.id, title, text, shared=shared)
    except InvalidCannedError as error:
        return await _page(services, session, title=title, text=text, error=error.sentence)
    await services.accounts.record(session.user.id, "canned.added", kept.id)
    return RedirectResponse("/console/canned", status_code=303)


@router.post("/{answer_id}")
async def change(
    answer_id: str, services: ServicesHere, session: Changing, title: Title = "", text: Text = ""
) -> Response:
    """Rewrite an answer."""
    chosen = await _chosen(services, session, answer_id)
    try:
        await services.core.canned.change(answer_id, session.user.id, title, text)
    except InvalidCannedError as error:
        return await _page(services, session, chosen=chosen, title=title, text=text, error=error.sentence)
    await services.accounts.record(session.user.id, "canned.changed", answer_id)
    return RedirectResponse("/console/canned", status_code=303)


@router.post("/{answer_id}/remove")
async def remove(answer_id: str, services: ServicesHere, session: Changing) -> Response:
    """Delete an answer."""
    await _chosen(services, session, answer_id)
    await services.core.canned.remove(answer_id, session.user.id)
    await services.accounts.record(session.user.id, "canned.removed", answer_id)
    return RedirectResponse("/console/canned", status_code=303)


async def _chosen(services: Services, session: SessionInfo, answer_id: str) -> CannedAnswer:
    found = next((one for one in await _all(services, session) if one.id == answer_id), None)
    if found is None:
        raise CannedNotFoundError
    _check(session, shared=found.owner_id is None)
    return found


def _check(session: SessionInfo, *, shared: bool) -> None:
    if shared and not may(session.user, Action.SHARE_ANSWERS):
        raise NotAllowed


async def _all(services: Services, session: SessionInfo, q: str = "") -> list[CannedAnswer]:
    return await services.core.canned.find(session.user.id, q, limit=_MOST)


async def _page(
    services: Services,
    session: SessionInfo,
    *,
    q: str = "",
    chosen: CannedAnswer | None = None,
    title: str | None = None,
    text: str | None = None,
    error: str | None = None,
) -> HTMLResponse:
    return console_page(
        "canned.html",
        session,
        "conversations",
        status=422 if error else 200,
        answers=await _all(services, session, q),
        asked=q,
        chosen=chosen,
        title=title if title is not None else (chosen.title if chosen else ""),
        text=text if text is not None else (chosen.text if chosen else ""),
        may_share=may(session.user, Action.SHARE_ANSWERS),
        variables=VARIABLES,
        error=error,
    )
