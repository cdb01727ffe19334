"""The audit trail: who did what to which record, for auditors and administrators."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, BeforeValidator, Field
from starlette.responses import HTMLResponse

from accounts.access import Action
from accounts.schemas import AuditEntry, AuditFilter, AuditPlace, SessionInfo
from api.access import ServicesHere, seeing
from api.console_page import console_page
from api.services import Services
from database.clock import LOCAL_ZONE, local
from tickets import codes
from vntext.catalogue import lookup, say

router = APIRouter(prefix="/console/audit", include_in_schema=False)

_PAGE = 50
_LONGEST = 120

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_AUDIT))]
Short = Annotated[str, Query(max_length=_LONGEST)]
_FIRST_DAY, _LAST_DAY = date(2000, 1, 1), date(2200, 1, 1)
Day = Annotated[
    Annotated[date, Field(ge=_FIRST_DAY, le=_LAST_DAY)] | None, BeforeValidator(lambda value: value or None)
]


class Wanted(BaseModel):
    """What the form of the page asks for; an empty field does not matter.

    Attributes:
        record: an id, or a ticket's code.
        since: the first day, in local time.
        until: the last day.
        after: the line after which the page begins, as an earlier page gave it.
    """

    person: Short = ""
    action: Short = ""
    record: Short = ""
    since: Day = None
    until: Day = None
    after: Annotated[str, Query(max_length=_LONGEST, pattern=r"^(\d{1,16}-\d{1,9})?$")] = ""


@router.get("")
async def audit(services: ServicesHere, session: Seeing, wanted: Annotated[Wanted, Query()]) -> HTMLResponse:
    """A page of the trail, newest first."""
    found = await services.accounts.trail(
        await _filter(services, wanted), after=_place(wanted.after), limit=_PAGE
    )
    people = {user.id: user.name for user in await services.accounts.users.everybody()}
    asked = wanted.model_dump(exclude={"after"}, exclude_none=True, mode="json")
    query = {name: value for name, value in asked.items() if value}
    older = urlencode({**query, "after": _written(found.next)}) if found.next else None
    return console_page(
        "audit/audit.html",
        session,
        "audit",
        entries=[_line(entry, people) for entry in found.entries],
        people=people,
        actions=lookup("accounts.audit.actions"),
        wanted=wanted,
        query=urlencode(query),
        older=older,
    )


@router.get("/lines.csv")
async def export(
    services: ServicesHere, session: Seeing, wanted: Annotated[Wanted, Query()]
) -> StreamingResponse:
    """All wanted lines as a table for spreadsheets; that it was taken is on the trail too."""
    people = {user.id: user.name for user in await services.accounts.users.everybody()}
    asked = wanted.model_dump(exclude={"after"}, exclude_none=True, mode="json")
    await services.accounts.record(
        session.user.id, "audit.exported", "audit", {name: value for name, value in asked.items() if value}
    )
    name = f"nhat-ky-{local(services.clock.now()):%Y-%m-%d}.csv"
    return StreamingResponse(
        _rows(services, await _filter(services, wanted), people),
        media_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
    )


async def _rows(services: Services, wanted: AuditFilter, people: dict[str, str]) -> AsyncIterator[bytes]:
    # The mark by which spreadsheets know UTF-8.
    yield "\ufeff".encode() + csv_row([say(f"accounts.audit.columns.{name}") for name in _COLUMNS])
    async for entry in services.accounts.whole_trail(wanted):
        line = _line(entry, people)
        yield csv_row(
            [local(entry.at).isoformat(), line["actor"], line["action"], entry.target, line["detail"]]
        )


_COLUMNS = ("at", "actor", "action", "target", "detail")


def csv_row(cells: list[str]) -> bytes:
    """Return a line of a CSV file in which no cell can be taken for a formula (OWASP, "CSV injection")."""
    harmless = [f"'{cell}" if cell[:1] in "=+-@\t\r\n" and cell else cell for cell in cells]
    line = io.StringIO()
    csv.writer(line, quoting=csv.QUOTE_ALL).writerow(harmless)
    return line.getvalue().encode()


async def _filter(services: Services, wanted: Wanted) -> AuditFilter:
    target = wanted.record.strip() or None
    if target is not None and codes.read(target) is not None:
        ticket = await services.tickets.find(target)
        target = ticket.id if ticket is not None else target
    return AuditFilter(
        actor=wanted.person or None,
        action=wanted.action or None,
        target=target,
        since=_begin(wanted.since),
        until=_begin(wanted.until + timedelta(days=1)) if wanted.until else None,
    )


def _begin(day: date | None) -> datetime | None:
    return datetime.combine(day, time(), LOCAL_ZONE) if day else None


def _line(entry: AuditEntry, people: dict[str, str]) -> dict[str, Any]:
    actors, actions = lookup("accounts.audit.actors"), lookup("accounts.audit.actions")
    return {
        "entry": entry,
        "actor": people.get(entry.actor) or actors.get(entry.actor, entry.actor),
        "action": actions.get(entry.action, entry.action),
        "target": people.get(entry.target, entry.target),
        "detail": json.dumps(entry.detail, ensure_ascii=False, sort_keys=True) if entry.detail else "",
    }


def _written(place: AuditPlace) -> str:
    micros = (place.at - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)
    return f"{micros}-{place.id}"


def _place(text: str) -> AuditPlace | None:
    if not text:
        return None
    micros, _, number = text.partition("-")
    return AuditPlace(datetime.fromtimestamp(0, UTC) + timedelta(microseconds=int(micros)), int(number))
