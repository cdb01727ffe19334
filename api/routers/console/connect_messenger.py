"""The page on which an administrator connects the Facebook page: what to copy where, the token, the check."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.messenger import PAGE_TOKEN, missing_settings
from api.services import Services
from connectors.messenger.check import SUBSCRIPTIONS, Connection, check
from connectors.messenger.connector import CHANNEL
from connectors.messenger.errors import GraphError
from vntext.catalogue import lookup, say

router = APIRouter(prefix="/console/channels/connect/messenger", include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.CONNECT_CHANNELS))]
Changing = Annotated[SessionInfo, Depends(changing(Action.CONNECT_CHANNELS))]

_LONGEST_TOKEN = 1_000
_HERE = "/console/channels/connect/messenger"


def explained(reason: str) -> str:
    """Return a reason of the Graph API's as a sentence for people."""
    known = lookup("channels.errors")
    return str(known[reason]) if reason in known else say("channels.errors.other", code=reason)


@router.get("")
async def guide(services: ServicesHere, session: Seeing, done: str = "") -> HTMLResponse:
    """The steps, and how the connection stands as Meta tells it now."""
    token = await _token(services)
    connection = None
    if token is not None and services.messenger is not None:
        connection = await check(services.messenger.connector.client, token)
    notice = done if done in ("saved", "subscribed") else None
    return _page(services, session, connection, notice=notice)


@router.post("/token")
async def save_token(
    services: ServicesHere,
    session: Changing,
    token: Annotated[str, Form(max_length=_LONGEST_TOKEN)] = "",
) -> Response:
    """Ask Meta about a token and keep it if it works."""
    given = token.strip()
    if services.messenger is None or services.settings.messenger_page_token.get_secret_value():
        return RedirectResponse(_HERE, status_code=303)
    if not given or not given.isascii() or not given.isprintable() or " " in given:
        return _page(services, session, None, status=422, error=say("channels.messenger.connect.bad_token"))
    connection = await check(services.messenger.connector.client, given)
    if connection.problem is not None:
        error = f"{say('channels.messenger.connect.not_saved')} {explained(connection.problem)}"
        return _page(services, session, connection, status=422, error=error)
    await services.credentials.put(
        CHANNEL,
        account=connection.page_name or services.settings.messenger_page_id,
        values={PAGE_TOKEN: given},
        expires_at=connection.expires_at,
    )
    await services.accounts.record(session.user.id, "channel.connected", CHANNEL)
    return RedirectResponse(f"{_HERE}?done=saved", status_code=303)


@router.post("/subscribe")
async def subscribe(services: ServicesHere, session: Changing) -> Response:
    """Make the page send us every event we read."""
    token = await _token(services)
    if services.messenger is None or token is None:
        return RedirectResponse(_HERE, status_code=303)
    try:
        await services.messenger.connector.client.subscribe(SUBSCRIPTIONS, token)
    except GraphError as error:
        sentence = explained(error.fault.reason)
        return _page(services, session, None, status=502, error=sentence)
    await services.accounts.record(session.user.id, "channel.subscribed", CHANNEL)
    return RedirectResponse(f"{_HERE}?done=subscribed", status_code=303)


async def _token(services: Services) -> str | None:
    given = services.settings.messenger_page_token.get_secret_value()
    if given:
        return given
    stored = await services.credentials.get(CHANNEL)
    return stored.values.get(PAGE_TOKEN) if stored is not None else None


def _page(
    services: Services,
    session: SessionInfo,
    connection: Connection | None,
    *,
    status: int = 200,
    **context: Any,
) -> HTMLResponse:
    settings = services.settings
    address = settings.resolved_public_url()
    values = {
        "missing": ", ".join(missing_settings(settings)),
        "callback": f"{address}/webhooks/messenger",
        "is_https": address.startswith("https://"),
        "page_id": settings.messenger_page_id,
        "from_settings": bool(settings.messenger_page_token.get_secret_value()),
        "connection": connection,
        "problem": explained(connection.problem) if connection and connection.problem else None,
        "notice": None,
        **context,
    }
    return console_page("connect_messenger.html", session, "channels", status=status, **values)
