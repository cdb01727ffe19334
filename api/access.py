"""Who asks: the session behind a request, the session's own mark on a change, and what the roles allow."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from typing import Annotated, Any

from fastapi import Depends, Request

from accounts.access import Action, may
from accounts.schemas import SessionInfo
from api.services import Services, get_services

COOKIE = "console_session"

ServicesHere = Annotated[Services, Depends(get_services)]


class NotLoggedIn(Exception):  # noqa: N818 - it redirects
    """Whoever asks has to log in first."""


class CrossSite(Exception):  # noqa: N818 - it refuses
    """A form was posted from another site, or without the session's own mark."""


class NotAllowed(Exception):  # noqa: N818 - it refuses
    """The roles of whoever asks do not allow it."""


async def _session(request: Request, services: ServicesHere) -> SessionInfo:
    token = request.cookies.get(COOKIE, "")
    found = await services.accounts.find_session(token) if token else None
    if found is None:
        raise NotLoggedIn
    return found


SessionHere = Annotated[SessionInfo, Depends(_session)]


async def _checked_session(request: Request, session: SessionHere) -> SessionInfo:
    """For everything that changes something: the session's own mark must come with it."""
    given = request.headers.get("x-csrf", "")
    kind = request.headers.get("content-type", "")
    if not given and kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = await request.form()
        given = str(form.get("csrf", ""))
    if not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise CrossSite
    return session


Checked = Annotated[SessionInfo, Depends(_checked_session)]

Guard = Callable[..., Coroutine[Any, Any, SessionInfo]]


def seeing(action: Action) -> Guard:
    """Return a dependency: the session of somebody whose roles allow to see something."""

    async def guard(session: SessionHere) -> SessionInfo:
        if not may(session.user, action):
            raise NotAllowed
        return session

    return guard


def changing(action: Action) -> Guard:
    """Return a dependency: the same for a change, which also carries the session's own mark."""

    async def guard(session: Checked) -> SessionInfo:
        if not may(session.user, action):
            raise NotAllowed
        return session

    return guard
