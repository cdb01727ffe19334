"""Whether the process lives, and whether it is ready, part by part."""

from __future__ import annotations

import asyncio
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, Field
from sqlalchemy import text

from api.services import Services, get_services
from database.engine import STORAGE_DOWN

router = APIRouter(prefix="/health", tags=["health"])

PartState = Literal["up", "down", "off"]
_PATIENCE = 2.0


class Live(BaseModel):
    """The process answers."""

    status: Literal["live"] = "live"


class Ready(BaseModel):
    """What works.

    Without the bot, Redis or the knowledge base messages are still taken in and emergencies answered, so that
    only the database decides whether this process is ready.
    """

    status: Literal["ready", "degraded", "unready"]
    parts: dict[str, PartState]
    backlog: dict[str, int] = Field(description="Messages by unfinished state")


@router.get("/live", summary="Whether the process answers")
async def live() -> Live:
    """Return at once."""
    return Live()


@router.get("/ready", summary="State of each part", responses={503: {"model": Ready}})
async def ready(response: Response, services: Annotated[Services, Depends(get_services)]) -> Ready:
    """Ask every part; 503 when the database is away."""
    database, redis, bot = await asyncio.gather(
        _database(services), services.redis.ping(), services.bot.is_ready()
    )
    parts: dict[str, PartState] = {
        "database": "up" if database is not None else "down",
        "redis": "off" if services.redis.client is None else _state(redis),
        "bot": _state(bot),
        "knowledge": "off" if not services.settings.serve_actions else _state(services.knowledge is not None),
    }
    if database is None:
        response.status_code = 503
        return Ready(status="unready", parts=parts, backlog={})
    is_whole = "down" not in parts.values()
    return Ready(status="ready" if is_whole else "degraded", parts=parts, backlog=database)


def _state(works: bool) -> PartState:
    return "up" if works else "down"


async def _database(services: Services) -> dict[str, int] | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            async with services.database.read() as session:
                await session.execute(text("SELECT 1"))
            return await services.inbox.backlog()
    except (*STORAGE_DOWN, TimeoutError):
        return None
