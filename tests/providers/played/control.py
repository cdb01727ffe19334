"""The control side: what people do on their phones, what these show, what goes wrong."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from datetime import timedelta
from typing import Any, Generic, TypeVar

from aiohttp import web

from tests.providers.played.pictures import small_picture
from tests.providers.played.state import AnyState, Person
from tests.providers.played.webhooks import Webhooks

StateT = TypeVar("StateT", bound=AnyState)
WebhooksT = TypeVar("WebhooksT", bound=Webhooks[Any])


class MistakeError(Exception):
    """The control call makes no sense; its text says why."""


class Control(Generic[StateT, WebhooksT]):
    """Answers /_control/….

    What people can do are methods `_on_<event>` of the provider's own control.

    Args:
        state: of the provider.
        webhooks: tells the app under test.
        colour: of pictures that are sent without content (red, green, blue).
    """

    def __init__(self, state: StateT, webhooks: WebhooksT, colour: tuple[int, int, int]) -> None:
        self._state = state
        self._webhooks = webhooks
        self._picture = small_picture(colour)

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.post("/_control/say", self._guarded(self._say)),
            web.get("/_control/screen", self._guarded(self._screen)),
            web.get("/_control/users", self._guarded(self._users)),
            web.post("/_control/faults", self._guarded(self._faults)),
            web.get("/_control/faults", self._guarded(self._shown_faults)),
            web.get("/_control/record", self._guarded(self._record)),
            web.get("/_control/deliveries", self._guarded(self._deliveries)),
            web.post("/_control/clock", self._guarded(self._clock)),
        ]

    def say(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what somebody does: `{"user", "name"?, "text"?, "event"?, "attachments"?, …}`."""
        raise NotImplementedError

    def set_faults(self, /, **given: Any) -> None:
        """Let things go wrong, or not any more."""
        self._state.faults.change(given)

    def _guarded(
        self, work: Callable[[web.Request], Awaitable[Any]]
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def handle(request: web.Request) -> web.Response:
            given = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not hmac.compare_digest(given.encode(), self._state.options.control_token.encode()):
                return web.json_response({"error": "control token"}, status=401)
            try:
                return web.json_response(await work(request))
            except (MistakeError, ValueError) as mistake:
                return web.json_response({"error": str(mistake)}, status=400)

        return handle

    def _person(self, said: dict[str, Any]) -> Any:
        user = said.get("user")
        if not isinstance(user, str) or not user:
            raise MistakeError('say who: {"user": …}')
        return self._state.person(user, said.get("name"))

    def _act(self, said: dict[str, Any]) -> Callable[..., Any]:
        event = said.get("event", "message")
        act: Callable[..., Any] | None = getattr(self, f"_on_{event}", None)
        if act is None:
            raise MistakeError(f"no event {event!r}")
        return act

    def _show(self, person: Person, mid: str, **what: Any) -> None:
        person.screen.append({"from": "me", "mid": mid, "at": self._state.now().isoformat(), **what})

    def _last_of_page(self, person: Person) -> str:
        return next((shown["mid"] for shown in reversed(person.screen) if shown["from"] == "page"), "")

    def _file(self, given: dict[str, Any]) -> tuple[str, bytes]:
        """Return an attachment's address, and its content where that was given instead of an address."""
        if url := given.get("url"):
            return url, b""
        try:
            content = base64.b64decode(given.get("data", ""), validate=True) or self._picture
        except binascii.Error:
            raise MistakeError("data is not base64") from None
        return self._state.keep_media(content, given.get("content_type", "image/png")), content

    async def _say(self, request: web.Request) -> dict[str, Any]:
        return self.say(await _object(request))

    async def _screen(self, request: web.Request) -> list[dict[str, Any]]:
        person = self._state.find(request.query.get("user", ""))
        return person.shown() if person else []

    async def _users(self, _request: web.Request) -> list[dict[str, Any]]:
        return [
            {
                "user": person.user,
                "id": person.id,
                "name": person.name,
                "items": len(person.screen),
                "answers": sum(shown["from"] == "page" for shown in person.screen),
            }
            for person in self._state.people.values()
        ]

    async def _faults(self, request: web.Request) -> dict[str, Any]:
        self.set_faults(**await _object(request))
        return await self._shown_faults(request)

    async def _shown_faults(self, _request: web.Request) -> dict[str, Any]:
        return asdict(self._state.faults)

    async def _record(self, request: web.Request) -> list[dict[str, Any]]:
        """Return what passed, of one kind where one is named."""
        kind = request.query.get("kind")
        return [entry for entry in self._state.record if kind in (None, entry["kind"])]

    async def _deliveries(self, _request: web.Request) -> dict[str, Any]:
        return {"under_way": self._webhooks.under_way}

    async def _clock(self, request: web.Request) -> dict[str, Any]:
        given = await _object(request)
        self._state.offset += timedelta(seconds=float(given.get("forward_seconds", 0)))
        return {"now": self._state.now().isoformat()}


async def _object(request: web.Request) -> dict[str, Any]:
    given = await request.json()
    if not isinstance(given, dict):
        raise MistakeError("an object is wanted")
    return given
