"""A page of the operators' console: its frame tells who is logged in and where they may go."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse

from accounts.access import Action, may
from accounts.schemas import SessionInfo, User
from api.templating import page

_ODD = re.compile(r"[^!-~]|\\")


@dataclass(frozen=True, slots=True)
class Section:
    """One entry of the console's menu: `console.nav.<name>` says it, `action` is what it takes to see it."""

    name: str
    path: str
    action: Action


SECTIONS = (
    Section("conversations", "/console", Action.SEE_CONVERSATIONS),
    Section("tickets", "/console/tickets", Action.SEE_TICKETS),
    Section("channels", "/console/channels", Action.SEE_CHANNELS),
    Section("users", "/console/users", Action.MANAGE_USERS),
    Section("privacy", "/console/privacy", Action.EXPORT_PERSON),
    Section("audit", "/console/audit", Action.SEE_AUDIT),
)

ACCOUNT = "/console/account"


def home_of(user: User) -> str:
    """Return where somebody begins: the first page of the menu that they may see, else their account."""
    return next((entry.path for entry in SECTIONS if may(user, entry.action)), ACCOUNT)


def prove_address(request: Request) -> str:
    """Return the page that asks for password or code again, and leads back to where one was."""
    came_from = request.url
    if request.method != "GET":
        came_from = URL(request.headers.get("referer", ""))
    return f"/console/prove?{urlencode({'next': own_address(came_from)})}"


def own_address(address: URL) -> str:
    """Return a console page's address without the host; the account's page for what is none of ours."""
    query = f"?{address.query}" if address.query else ""
    is_ours = address.path.startswith("/console/") and not _ODD.search(address.path + query)
    return address.path + query if is_ours else ACCOUNT


def console_page(
    template: str, session: SessionInfo, section: str, *, status: int = 200, **context: Any
) -> HTMLResponse:
    """Return a page of the console.

    Args:
        template: under web/templates/console.
        session: who looks at it.
        section: the name of the menu entry it belongs to.
        status: HTTP status.
        context: what the template shows.
    """
    frame = {
        "user": session.user,
        "csrf": session.csrf,
        "section": section,
        "sections": [entry for entry in SECTIONS if may(session.user, entry.action)],
    }
    # Nothing of it stays on a shared computer.
    headers = {"Cache-Control": "no-store"}
    return page(f"console/{template}", status=status, headers=headers, **{**frame, **context})
