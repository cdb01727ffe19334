"""What works, part by part: the same answer for the app's address, the worker's and the metrics."""

from __future__ import annotations

import asyncio
from typing import Literal

from pydantic import BaseModel, Field
from sqlalchemy import text

from api.services import Services
from database.engine import STORAGE_DOWN

PartState = Literal["up", "down", "off"]

_PATIENCE = 2.0


class Ready(BaseModel):
    """What works.

    Without the bot, Redis or the knowledge base messages are still taken in and emergencies answered, so that
    only the database decides whether this process is ready.
    """

    status: Literal["ready", "degraded", "unready"]
    parts: dict[str, PartState] = Field(
        description="database, redis, bot, knowledge (the search index); off: not used by this process"
    )
    backlog: dict[str, int] = Field(description="Messages by unfinished state")


async def readiness(services: Services) -> Ready:
    """Ask every part, all at once, for two seconds at most."""
    database, redis, bot, knowledge = await asyncio.gather(
        _database(services), services.redis.ping(), services.bot.is_ready(), _knowledge(services)
    )
    parts: dict[str, PartState] = {
        "database": _state(database is not None),
        "redis": "off" if services.redis.client is None else _state(redis),
        "bot": _state(bot),
        "knowledge": knowledge,
    }
    if database is None:
        return Ready(status="unready", parts=parts, backlog={})
    is_whole = "down" not in parts.values()
    return Ready(status="ready" if is_whole else "degraded", parts=parts, backlog=database)


def _state(works: bool) -> PartState:
    return "up" if works else "down"


async def _knowledge(services: Services) -> PartState:
    if services.settings.serve_actions:
        return _state(services.knowledge is not None)
    if not services.settings.knowledge_url:
        return "off"
    try:
        async with asyncio.timeout(_PATIENCE):
            return _state(await services.library.is_there())
    except TimeoutError:
        return "down"


async def _database(services: Services) -> dict[str, int] | None:
    try:
        async with asyncio.timeout(_PATIENCE):
            async with services.database.read() as session:
                await session.execute(text("SELECT 1"))
            return await services.inbox.backlog()
    except (*STORAGE_DOWN, TimeoutError):
        return None
