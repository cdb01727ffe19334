"""Whether the process lives, and whether it is ready, part by part."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel

from api.readiness import Ready, readiness
from api.services import Services, get_services

router = APIRouter(tags=["health"])


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


@router.get("/health", summary="Whether the process answers")
@router.get("/health/live", include_in_schema=False)
async def live() -> Live:
    """Return at once; nothing else is asked, so that a part that is away never has this process restarted."""
    return Live()


@router.get("/ready", summary="State of each part", responses={503: {"model": Ready}})
@router.get("/health/ready", summary="The same, under its longer address", responses={503: {"model": Ready}})
async def ready(response: Response, services: Annotated[Services, Depends(get_services)]) -> Ready:
    """Ask every part; 503 when the database is away and no message can be taken."""
    state = await readiness(services)
    if state.status == "unready":
        response.status_code = 503
    return state
