"""The bot's way back: Rasa asks here for its actions. Not for the public; guarded by the internal token."""

from __future__ import annotations

from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Body, Depends
from fastapi.responses import JSONResponse

from api.errors import Problem
from api.internal import check_token
from api.services import Services, get_services
from telemetry import labels, metrics, tracing

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/internal/actions", include_in_schema=False)


@router.post("/webhook", dependencies=[Depends(check_token)])
async def webhook(
    body: Annotated[dict[str, Any], Body()], services: Annotated[Services, Depends(get_services)]
) -> JSONResponse:
    """Run one action, in Rasa's action protocol: 400 for a rejected one, 404 for one that does not exist."""
    from actions.server import ActionRejected, ActionUnknown

    if services.actions is None:
        raise Problem(503, "internal")
    name = str(body.get("next_action") or "")
    known = labels.one_of(name, services.actions.names)
    try:
        with metrics.action_seconds.time(), tracing.span("action", action=known):
            return JSONResponse(await services.actions.run(body))
    except ActionRejected as error:
        log.warning("action_rejected", action=known)
        return JSONResponse({"error": str(error), "action_name": name}, status_code=400)
    except ActionUnknown:
        log.warning("action_unknown", action=known)
        return JSONResponse({"error": "no such action", "action_name": name}, status_code=404)


@router.get("/health", dependencies=[Depends(check_token)])
async def health() -> dict[str, str]:
    """Tell Rasa that somebody is here."""
    return {"status": "ok"}
