"""The page on which an administrator connects the Zalo account: what to copy where, permission, state.

Zalo sends the administrator back with a code. The console's cookie does not come along with a visit from
another site, so the address Zalo knows only leads on to the page that finishes, where the administrator
confirms with the session's own mark.
"""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import urlencode

import structlog
from fastapi import APIRouter, Depends, Form, Query
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.responses import HTMLResponse, RedirectResponse, Response

from accounts.access import Action
from accounts.schemas import SessionInfo
from api.access import ServicesHere, changing, seeing
from api.console_page import console_page
from api.services import Services
from api.templating import page
from api.zalo import CALLBACK_PATH, CONNECT_PATH, WEBHOOK_PATH, missing_settings
from connectors.zalo.channel import ZaloChannel
from connectors.zalo.client import ZaloError
from connectors.zalo.oauth import OAuthError
from connectors.zalo.settings import CHANNEL
from conversations.reasons import in_words
from vntext.catalogue import say

log = structlog.get_logger(__name__)

router = APIRouter(prefix=CONNECT_PATH, include_in_schema=False)

Seeing = Annotated[SessionInfo, Depends(seeing(Action.CONNECT_CHANNELS))]
Changing = Annotated[SessionInfo, Depends(changing(Action.CONNECT_CHANNELS))]
Given = Annotated[str, Query(max_length=2_000)]
Posted = Annotated[str, Form(max_length=2_000)]

_STATE_SECONDS = 600


@router.get("")
async def guide(services: ServicesHere, session: Seeing, done: str = "") -> HTMLResponse:
    """The steps, and how the connection stands."""
    return await _guide(services, session, notice=bool(done))


@router.get("/callback")
async def back_from_zalo(
    services: ServicesHere, code: Given = "", state: Given = "", oa_id: Given = ""
) -> HTMLResponse:
    """Where Zalo sends the administrator: leads on, from our own site, to where the session is known."""
    query = urlencode({"code": code, "state": state, "oa_id": oa_id})
    return page("console/zalo_callback.html", target=f"{CONNECT_PATH}/finish?{query}")


@router.get("/finish")
async def confirm(
    services: ServicesHere, session: Seeing, code: Given = "", state: Given = "", oa_id: Given = ""
) -> HTMLResponse:
    """Ask to finish what was begun here."""
    if services.zalo is None or not code or not _is_ours(services, session, state):
        return await _guide(services, session, status=422, error=say("channels.zalo.connect.stale"))
    return console_page(
        "zalo_finish.html", session, "channels", action=CONNECT_PATH, code=code, state=state, oa_id=oa_id
    )


@router.post("")
async def finish(
    services: ServicesHere, session: Changing, code: Posted = "", state: Posted = "", oa_id: Posted = ""
) -> Response:
    """Exchange the code and keep the pair."""
    zalo = services.zalo
    if zalo is None or not code or not _is_ours(services, session, state):
        return await _guide(services, session, status=422, error=say("channels.zalo.connect.stale"))
    if zalo.settings.oa_id and oa_id not in ("", zalo.settings.oa_id):
        return await _guide(services, session, status=422, error=say("channels.zalo.connect.other_account"))
    try:
        pair = await zalo.oauth.exchange(code)
    except OAuthError as error:
        log.warning("zalo_not_connected", error=error.name)
        refused = say("channels.zalo.connect.refused", reason=error.name)
        return await _guide(services, session, status=422, error=refused)
    await zalo.tokens.connect(await _account_name(zalo, pair.access, oa_id), pair)
    await services.accounts.record(session.user.id, "channel.connected", CHANNEL)
    return RedirectResponse(f"{CONNECT_PATH}?done=1", status_code=303)


async def _account_name(zalo: ZaloChannel, token: str, oa_id: str) -> str:
    try:
        account = await zalo.client.account(token)
    except ZaloError as error:
        # The pair is good all the same; the name is only for people.
        log.warning("zalo_account_not_told", error=error.name)
        return oa_id or zalo.settings.oa_id or CHANNEL
    return str(account.get("name") or oa_id)[:200]


async def _guide(
    services: Services,
    session: SessionInfo,
    *,
    status: int = 200,
    error: str | None = None,
    notice: bool = False,
) -> HTMLResponse:
    settings = services.settings
    public_url = settings.resolved_public_url()
    values: dict[str, Any] = {"missing": ", ".join(missing_settings(settings)), "notice": None}
    if services.zalo is not None:
        stored = await services.credentials.get(CHANNEL)
        values |= {
            "app_id": settings.zalo_app_id,
            "callback": public_url + CALLBACK_PATH,
            "webhook": public_url + WEBHOOK_PATH,
            "is_https": public_url.startswith("https://"),
            "challenge": services.zalo.oauth.code_challenge,
            "is_verified": bool(settings.zalo_site_verification),
            "has_secret": bool(services.zalo.settings.oa_secret),
            "allow": services.zalo.oauth.permission_url(_state(services, session)),
            "stored": stored,
            "reason": in_words(stored.error, CHANNEL) if stored and stored.error else None,
        }
        if notice and stored is not None and stored.state == "ok":
            values["notice"] = say("channels.zalo.connect.connected", name=stored.account)
    return console_page("connect_zalo.html", session, "channels", status=status, error=error, **values)


def _serializer(services: Services) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(services.settings.resolved_secret_key(), salt="zalo-connect")


def _state(services: Services, session: SessionInfo) -> str:
    """Return what Zalo gives back, by which we know who began."""
    state = _serializer(services).dumps(session.user.id)
    return state if isinstance(state, str) else state.decode()


def _is_ours(services: Services, session: SessionInfo, state: str) -> bool:
    try:
        began: object = _serializer(services).loads(state, max_age=_STATE_SECONDS)
    except BadSignature:
        return False
    return began == session.user.id
