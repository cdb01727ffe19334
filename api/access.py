"""Who asks: the session behind a request, the session's own mark on a change, and what the roles allow.

Every route of the console depends on exactly one `Guard`, made by `seeing`,
`preparing`, `asking` or `changing`.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request

from accounts.access import DANGEROUS, Action, may
from accounts.schemas import SessionInfo, Visit
from api.services import Services, get_services

COOKIE = "console_session"
DEVICE_COOKIE = "console_device"

ServicesHere = Annotated[Services, Depends(get_services)]


class NotLoggedIn(Exception):  # noqa: N818 - it redirects
    """Whoever asks has to log in first."""


class CrossSite(Exception):  # noqa: N818 - it refuses
    """A form was posted from another site, or without the session's own mark."""


class NotAllowed(Exception):  # noqa: N818 - it refuses
    """The roles of whoever asks do not allow it."""


class NotProved(Exception):  # noqa: N818 - it asks
    """Whoever asks has to give the password or a one-time code again first."""


class NotEnrolled(Exception):  # noqa: N818 - it redirects
    """The roles of whoever asks require a one-time code, which is not set up yet."""


async def _session(request: Request, services: ServicesHere) -> SessionInfo:
    token = request.cookies.get(COOKIE, "")
    found = await services.accounts.find_session(token) if token else None
    if found is None:
        raise NotLoggedIn
    return found


SessionHere = Annotated[SessionInfo, Depends(_session)]


def visit_of(request: Request) -> Visit:
    """Return where a request comes from, for limits and for the list of one's sessions."""
    address = request.client.host if request.client else "unknown"
    agent = request.headers.get("user-agent", "")
    return Visit(address, agent, request.cookies.get(DEVICE_COOKIE))


async def _check_mark(request: Request, session: SessionInfo) -> None:
    """Everything that changes something carries the session's own mark."""
    given = request.headers.get("x-csrf", "")
    kind = request.headers.get("content-type", "")
    if not given and kind.startswith(("application/x-www-form-urlencoded", "multipart/form-data")):
        form = await request.form()
        given = str(form.get("csrf", ""))
    if not hmac.compare_digest(given.encode(), session.csrf.encode()):
        raise CrossSite


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks for.

    Attributes:
        action: what the roles have to allow.
        changes: the session's own mark has to come with the request.
        proves: password or code must have been given a moment ago.
    """

    action: Action
    changes: bool
    proves: bool


Guard = Callable[..., Coroutine[Any, Any, SessionInfo]]

_RULES: dict[Guard, Rule] = {}


def seeing(action: Action) -> Guard:
    """Return a dependency: the session of somebody whose roles allow to see something."""
    return _guard(Rule(action, changes=False, proves=False))


def changing(action: Action, *, proves: bool = False) -> Guard:
    """Return a dependency: the same for a change, which also carries the session's own mark.

    Args:
        action: what the roles have to allow; what is dangerous (`accounts.access.DANGEROUS`) always proves.
        proves: also ask for the password or a code, where that was not given a moment ago.
    """
    return _guard(Rule(action, changes=True, proves=proves or action in DANGEROUS))


def preparing(action: Action) -> Guard:
    """Return a dependency for the form of a dangerous change: the proof is asked for before, not after it."""
    return _guard(Rule(action, changes=False, proves=True))


def asking(action: Action) -> Guard:
    """Return a dependency for what is posted and changes nothing: a search that no address may show."""
    return _guard(Rule(action, changes=True, proves=False))


def rule_of(dependency: Callable[..., Any] | None) -> Rule | None:
    """Return what a dependency asks for, None where it is no guard."""
    return _RULES.get(dependency) if dependency is not None else None


def _guard(rule: Rule) -> Guard:
    async def guard(request: Request, services: ServicesHere, session: SessionHere) -> SessionInfo:
        if rule.changes:
            await _check_mark(request, session)
        if session.must_enrol and rule.action is not Action.OWN_ACCOUNT:
            raise NotEnrolled
        if not may(session.user, rule.action):
            raise NotAllowed
        if rule.proves and not services.accounts.is_proved(session):
            raise NotProved
        return session

    _RULES[guard] = rule
    return guard
