"""The channels' page: how each is, and the one thing to do where something is wrong."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends
from starlette.responses import HTMLResponse

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.access import ServicesHere, seeing
from api.console_page import console_page
from api.services import Services
from conversations.reasons import channel_name, in_words
from database.clock import local
from vntext.catalogue import lookup, say

router = APIRouter(prefix="/console", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.SEE_CHANNELS))]

_SHOWN = 10
_CONNECTED_HERE = ("zalo", "messenger")


@router.get("/channels")
async def channels(services: ServicesHere, session: Seeing) -> HTMLResponse:
    """How each channel is."""
    return console_page("channels.html", session, "channels", **await _content(services, session))


@router.get("/channels/list")
async def channels_list(services: ServicesHere, session: Seeing) -> HTMLResponse:
    """The same, without the page around it."""
    return console_page("_channels.html", session, "channels", **await _content(services, session))


async def _content(services: Services, session: SessionInfo) -> dict[str, Any]:
    reports = await services.health.reports()
    may_connect = may(session.user, Action.CONNECT_CHANNELS)
    return {
        "words": lookup("channels.health"),
        "lead": say("channels.health.lead", time=f"{local(services.clock.now()):%H:%M:%S}"),
        "reports": reports,
        "names": {report.channel: channel_name(report.channel) for report in reports},
        "errors": {
            report.channel: [
                (in_words(code, report.channel), count) for code, count in report.errors[:_SHOWN]
            ]
            for report in reports
        },
        "connect": {
            report.channel: f"/console/channels/connect/{report.channel}"
            for report in reports
            if may_connect and report.channel in _CONNECTED_HERE
        },
    }
