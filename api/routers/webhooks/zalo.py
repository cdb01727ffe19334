"""Zalo's entrance: deliveries are on disk before they are acknowledged."""

from __future__ import annotations

import structlog
from fastapi import APIRouter, Request
from starlette.responses import JSONResponse

from api.access import ServicesHere
from api.errors import Problem
from connectors.health import REFUSED
from connectors.zalo.settings import CHANNEL
from connectors.zalo.signature import HEADER
from connectors.zalo.webhook import Outcome
from telemetry import metrics

log = structlog.get_logger(__name__)

router = APIRouter(prefix="/webhooks", include_in_schema=False)

_REFUSED = {
    Outcome.MALFORMED: (400, "bad_json"),
    Outcome.BAD_SIGNATURE: (403, "forbidden"),
    # Zalo delivers again what was not taken.
    Outcome.NOT_STORED: (503, "storage_unavailable"),
}


@router.post("/zalo")
async def deliver(request: Request, services: ServicesHere) -> JSONResponse:
    """Take a delivery. What is not acknowledged Zalo delivers again; a repeat changes nothing."""
    if services.zalo is None:
        raise Problem(404, "unknown_page")
    signature = request.headers.get(HEADER, "")
    outcome = await services.zalo.webhook.deliver(await request.body(), signature, services.intake)
    metrics.deliveries.labels(CHANNEL, outcome.value).inc()
    if outcome is Outcome.BAD_SIGNATURE:
        services.health.event(CHANNEL, REFUSED)
    if outcome is not Outcome.TAKEN:
        log.warning("zalo_delivery_not_taken", outcome=outcome.value)
    if outcome in _REFUSED:
        raise Problem(*_REFUSED[outcome])
    return JSONResponse({"ok": True})
