"""A page of the operators' console: its frame tells who is logged in and where they may go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.responses import HTMLResponse

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.templating import page


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
)


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
    return page(f"console/{template}", status=status, **{**frame, **context})
