"""The metrics of this process, for Prometheus alone."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.errors import Problem
from api.figures import FigureKeeper
from api.metrics_access import may_read
from api.services import Services, get_services
from telemetry import metrics

router = APIRouter(include_in_schema=False)


def _figures(request: Request, services: Services) -> FigureKeeper:
    state = request.app.state
    if getattr(state, "figures", None) is None:
        state.figures = FigureKeeper(services)
    keeper: FigureKeeper = state.figures
    return keeper


@router.get("/metrics")
async def read_metrics(request: Request, services: Annotated[Services, Depends(get_services)]) -> Response:
    """Return all metrics in Prometheus' text format; 403 for whoever may not read them."""
    address = request.client.host if request.client else None
    if not may_read(services.settings, address, request.headers):
        raise Problem(403, "forbidden")
    await _figures(request, services).refresh()
    return Response(metrics.exposition(), media_type=metrics.CONTENT_TYPE)
