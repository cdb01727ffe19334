"""The citizens' pages: the start page with the chat, and how data is used."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import HTMLResponse, RedirectResponse

from api.access import ServicesHere
from api.templating import page, static

router = APIRouter(include_in_schema=False)


@router.get("/")
async def home(services: ServicesHere) -> HTMLResponse:
    """The start page; by a mark in its head Zalo recognises that the domain is ours."""
    return page("home.html", zalo_site_verification=services.settings.zalo_site_verification)


@router.get("/privacy")
async def privacy() -> HTMLResponse:
    """How data is used."""
    return page("privacy.html")


@router.get("/favicon.ico")
async def favicon() -> RedirectResponse:
    """Browsers ask for it whatever the page says."""
    return RedirectResponse(static("icon.svg"))
