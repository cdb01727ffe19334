"""Plays the province's one-stop system strictly: token, codes, errors, slowness, nonsense."""

from __future__ import annotations

import asyncio
import re
from typing import Annotated, Any

from fastapi import FastAPI, Header, HTTPException
from fastapi.responses import Response

TOKEN = "onestop-token"
_CODE = re.compile(r"^(?:\d{3}\.\d{2}\.\d{2}\.)?H\d{2}(?:\.\d{1,3}){0,3}-\d{6}-\d{3,5}$")


def make_app(dossiers: dict[str, dict[str, Any]]) -> FastAPI:
    """Return the system over these dossiers. `app.state.mode`: well, slow, broken, nonsense, other."""
    app = FastAPI()
    app.state.mode = "well"
    app.state.calls = []
    app.state.released = asyncio.Event()

    @app.get("/dossiers/{code}")
    async def dossier(code: str, authorization: Annotated[str, Header()] = "") -> Any:
        app.state.calls.append(code)
        if authorization != f"Bearer {TOKEN}":
            raise HTTPException(401, "unknown client")
        if not _CODE.match(code):
            raise HTTPException(400, "no dossier code")
        match app.state.mode:
            case "slow":
                await app.state.released.wait()
            case "broken":
                raise HTTPException(503, "maintenance")
            case "nonsense":
                return Response("<html>Trang bảo trì</html>", media_type="text/html")
            case "other":
                return next(iter(dossiers.values())) | {"code": "H99.99-261101-0001"}
        if code not in dossiers:
            raise HTTPException(404, "no such dossier")
        return dossiers[code]

    return app
