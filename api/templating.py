"""Renders the HTML pages: Jinja2 with the catalogue's sentences and addresses of static files."""

from __future__ import annotations

import hashlib
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from database.clock import local
from vntext.catalogue import lookup, say

_WEB = Path(__file__).parent.parent / "web"


@cache
def static(name: str) -> str:
    """Return the address of a file under web/static.

    Its content's digest is part of the address, so that a browser may keep it and still sees a new one.

    Raises:
        FileNotFoundError: there is no such file.
    """
    digest = hashlib.sha256((_WEB / "static" / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def local_time(instant: datetime) -> str:
    """Return an instant as people here write it: "14:05 21/11/2026"."""
    return local(instant).strftime("%H:%M %d/%m/%Y")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_WEB / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(say=say, lookup=lookup, static=static, local_time=local_time)
    return environment


def part(name: str, **context: Any) -> str:
    """Return a rendered template that is a piece of a page."""
    return _environment().get_template(name).render(context)


def page(
    name: str, *, status: int = 200, headers: dict[str, str] | None = None, **context: Any
) -> HTMLResponse:
    """Return a rendered template; `user` and `error` are None unless given."""
    values = {"user": None, "error": None, **context}
    return HTMLResponse(_environment().get_template(name).render(values), status, headers)
