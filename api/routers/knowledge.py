"""The knowledge base for other processes of ours, which have none. Not for the public."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from api.errors import Problem
from api.internal import check_token
from api.knowledge import found_in
from api.services import Services, get_services

router = APIRouter(prefix="/internal/knowledge", include_in_schema=False, dependencies=[Depends(check_token)])

ServicesHere = Annotated[Services, Depends(get_services)]


@router.get("/search")
async def search(
    services: ServicesHere,
    q: Annotated[str, Query(min_length=1, max_length=4_000)],
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> dict[str, Any]:
    """Return `{"hits": […]}`, best first."""
    if services.knowledge is None:
        raise Problem(503, "internal")
    return {"hits": await found_in(services.knowledge, q, limit)}


@router.get("/entry")
async def entry(services: ServicesHere, code: Annotated[str, Query(max_length=100)]) -> dict[str, Any]:
    """Return `{"kind", "entry"}`; 404 for what is not there or not in force."""
    if services.knowledge is None:
        raise Problem(503, "internal")
    found = services.knowledge.get(code)
    if found is None:
        raise Problem(404, "unknown_page")
    return {"kind": found.kind, "entry": found.model_dump(mode="json")}
