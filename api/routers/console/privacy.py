"""A person's data, for the administrator: find it, give a copy, erase it on request."""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import APIRouter, Depends, Form
from fastapi.responses import FileResponse
from starlette.background import BackgroundTask
from starlette.responses import HTMLResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, asking, changing, seeing
from api.console_page import console_page
from api.privacy import InvalidClueError, Selection, Way
from database.clock import local
from database.personal_data import Found
from vntext.catalogue import say
from vntext.masking import mask_personal

router = APIRouter(prefix="/console/privacy", include_in_schema=False)

_LONGEST_REASON = 300
_MOST_RECORDS = 400

Seeing = Annotated[SessionInfo, Depends(seeing(Action.EXPORT_PERSON))]
Finding = Annotated[SessionInfo, Depends(asking(Action.EXPORT_PERSON))]
Exporting = Annotated[SessionInfo, Depends(changing(Action.EXPORT_PERSON))]
Erasing = Annotated[SessionInfo, Depends(changing(Action.ERASE_PERSON))]
Records = Annotated[list[str], Form(alias="record", max_length=_MOST_RECORDS)]


@router.get("")
async def form(session: Seeing) -> HTMLResponse:
    """The form to find a person by."""
    return _page(session)


@router.post("")
async def find(
    services: ServicesHere,
    session: Finding,
    by: Annotated[Way, Form()] = "phone",
    value: Annotated[str, Form(max_length=200)] = "",
) -> HTMLResponse:
    """What is kept of a person. Posted: a phone number does not belong into an address."""
    try:
        found = await services.personal_data.find(by, value)
    except InvalidClueError:
        return _page(session, by=by, value=value, status=422, error=say("privacy.search.invalid"))
    # A code names a record; of a number only the end is written down.
    clue = value.strip() if by == "ticket" else mask_personal(value.strip())
    detail = {"by": by, "clue": clue[:60], "found": len(found)}
    await services.accounts.record(session.user.id, "person.searched", "person", detail)
    return _page(session, by=by, value=value, found=found)


@router.post("/export")
async def export(services: ServicesHere, session: Exporting, records: Records = []) -> Response:  # noqa: B006 - nobody changes it
    """A copy of the chosen records: one ZIP."""
    selection = await services.personal_data.select(records)
    if not selection.found:
        return _page(session, status=422, error=say("privacy.found.none_chosen"))
    for record in selection.found:
        await services.accounts.record(session.user.id, "person.exported", record.id)
    path = await services.personal_data.export(selection.person)
    name = f"du-lieu-ca-nhan-{local(services.clock.now()):%Y-%m-%d}-{selection.code}.zip"
    return FileResponse(
        path,
        media_type="application/zip",
        filename=name,
        headers={"Cache-Control": "no-store"},
        background=BackgroundTask(path.unlink, missing_ok=True),
    )


@router.post("/erase")
async def review(services: ServicesHere, session: Erasing, records: Records = []) -> HTMLResponse:  # noqa: B006 - nobody changes it
    """What would be erased, what would not and why; nothing is done yet."""
    selection = await services.personal_data.select(records)
    if not selection.found:
        return _page(session, status=422, error=say("privacy.found.none_chosen"))
    return _review(session, selection)


@router.post("/erase/confirmed")
async def erase(
    services: ServicesHere,
    session: Erasing,
    records: Records = [],  # noqa: B006 - nobody changes it
    reason: Annotated[str, Form(max_length=_LONGEST_REASON)] = "",
    code: Annotated[str, Form(max_length=20)] = "",
) -> HTMLResponse:
    """Erase the chosen records for good."""
    selection = await services.personal_data.select(records)
    if not selection.allowed:
        return _review(session, selection, status=409, error=say("privacy.erase.nothing"), reason=reason)
    if not hmac.compare_digest(code.strip().upper().encode(), selection.code.encode()):
        return _review(session, selection, status=422, error=say("privacy.erase.wrong_code"), reason=reason)
    if not reason.strip():
        return _review(session, selection, status=422, error=say("privacy.erase.no_reason"))
    count = await services.personal_data.erase(
        selection, actor=session.user.id, reason=mask_personal(reason.strip())
    )
    return _page(session, done=say("privacy.erase.done", count=count))


def _page(
    session: SessionInfo,
    *,
    by: Way = "phone",
    value: str = "",
    found: list[Found] | None = None,
    status: int = 200,
    error: str | None = None,
    done: str = "",
) -> HTMLResponse:
    return console_page(
        "privacy/privacy.html",
        session,
        "privacy",
        status=status,
        error=error,
        done=done,
        by=by,
        value=value,
        found=found,
    )


def _review(
    session: SessionInfo,
    selection: Selection,
    *,
    status: int = 200,
    error: str | None = None,
    reason: str = "",
) -> HTMLResponse:
    return console_page(
        "privacy/erase.html",
        session,
        "privacy",
        status=status,
        error=error,
        selection=selection,
        reason=reason,
        longest_reason=_LONGEST_REASON,
    )
