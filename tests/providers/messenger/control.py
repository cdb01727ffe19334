"""The control side: what people do on their phones, what these show, what goes wrong."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from tests.providers.messenger.state import PAGE_INBOX_APP, Faults, Person, State, small_picture
from tests.providers.messenger.webhooks import Webhooks

_KINDS = {"image": "image", "file": "file", "audio": "audio", "voice": "audio", "video": "video"}
_FAULTS: dict[str, tuple[type, ...]] = {
    "down": (bool,),
    "latency_ms": (int, float),
    "error_code": (int, type(None)),
    "error_subcode": (int, type(None)),
    "error_after": (int,),
    "error_times": (int, type(None)),
    "drop_connection": (bool, str),
    "repeat_share": (int, float),
    "reorder_share": (int, float),
    "bad_signature_share": (int, float),
    "batch_share": (int, float),
    "echo_first_share": (int, float),
    "lose_echo_share": (int, float),
    "expire_token": (bool,),
}


class MistakeError(Exception):
    """The control call makes no sense; its text says why."""


class Control:
    """Answers /_control/….

    Args:
        state: the page.
        webhooks: tells the app under test.
    """

    def __init__(self, state: State, webhooks: Webhooks) -> None:
        self._state = state
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.post("/_control/say", self._guarded(self._say)),
            web.get("/_control/screen", self._guarded(self._screen)),
            web.get("/_control/users", self._guarded(self._users)),
            web.post("/_control/faults", self._guarded(self._faults)),
            web.get("/_control/faults", self._guarded(self._shown_faults)),
            web.get("/_control/record", self._guarded(self._record)),
            web.post("/_control/clock", self._guarded(self._clock)),
            web.post("/_control/verify", self._guarded(self._verify)),
        ]

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

    async def _say(self, request: web.Request) -> dict[str, Any]:
        return self.say(await _object(request))

    def say(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what somebody does: `{"user", "name"?, "text"?, "event"?, "attachments"?, …}`, or a `batch`."""
        if "batch" in said:
            pairs = [self._item(self._person(one), one) for one in said["batch"]]
            self._webhooks.tell_together([item for item, _where in pairs])
            return {"mids": [_mid(item) for item, _where in pairs], "good": True}
        person = self._person(said)
        item, where = self._item(person, said)
        return {"mids": [_mid(item)], "good": self._webhooks.tell(person.id, item, where=where)}

    def _person(self, said: dict[str, Any]) -> Person:
        user = said.get("user")
        if not isinstance(user, str) or not user:
            raise MistakeError('say who: {"user": …}')
        return self._state.person(user, said.get("name"))

    def _item(self, person: Person, said: dict[str, Any]) -> tuple[dict[str, Any], str]:
        event = said.get("event", "message")
        act = getattr(self, f"_on_{event}", None)
        if act is None:
            raise MistakeError(f"no event {event!r}")
        item: dict[str, Any] = {
            "sender": {"id": person.id},
            "recipient": {"id": self._state.options.page_id},
            "timestamp": self._state.milliseconds(),
        }
        where = act(person, said, item) or "messaging"
        return item, where

    def _on_message(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        message: dict[str, Any] = {"mid": self._state.new_mid()}
        shown: dict[str, Any] = {"kind": "text", "text": said.get("text", "")}
        if said.get("text"):
            message["text"] = str(said["text"])
        attachments = [self._attachment(given) for given in said.get("attachments", ())]
        if attachments:
            message["attachments"] = attachments
        if not said.get("text") and not attachments:
            raise MistakeError("nothing said")
        if said.get("reply_to"):
            message["reply_to"] = {"mid": str(said["reply_to"])}
        item["message"] = message
        person.last_heard = self._state.now()
        if said.get("text"):
            self._show(person, message["mid"], **shown)
        for attachment in attachments:
            payload = attachment["payload"]
            place = {}
            if coordinates := payload.get("coordinates"):
                place = {"latitude": coordinates["lat"], "longitude": coordinates["long"]}
            self._show(person, message["mid"], kind=attachment["type"], url=payload.get("url", ""), **place)

    def _on_tap(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        """Tap a button under the last message: its payload comes back with the title as the text."""
        payload = str(said.get("payload", ""))
        offered = [button for shown in person.screen for button in shown.get("buttons", ())]
        button = next((b for b in reversed(offered) if b["payload"] == payload), None)
        if button is None:
            raise MistakeError("no such button on the screen")
        mid = self._state.new_mid()
        item["message"] = {"mid": mid, "text": button["title"], "quick_reply": {"payload": payload}}
        person.last_heard = self._state.now()
        for shown in person.screen:
            # Quick replies are gone once one of them was tapped.
            shown.pop("buttons", None)
        self._show(person, mid, kind="text", text=button["title"])

    def _on_postback(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        """Tap Get Started or an entry of the menu."""
        title = str(said.get("title", ""))
        item["postback"] = {"mid": self._state.new_mid(), "title": title, "payload": str(said["payload"])}
        if said.get("ref"):
            item["postback"]["referral"] = {"ref": said["ref"], "source": "SHORTLINK", "type": "OPEN_THREAD"}
        person.last_heard = self._state.now()
        self._show(person, item["postback"]["mid"], kind="text", text=title)

    def _on_get_started(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        started = self._state.profile.get("get_started")
        if started is None:
            raise MistakeError("the page has no Get Started button")
        self._on_postback(person, {**said, "title": "Bắt đầu", "payload": started["payload"]}, item)

    def _on_read(self, person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        item["read"] = {"watermark": item["timestamp"]}

    def _on_reaction(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        mid = said.get("mid") or next((s["mid"] for s in reversed(person.screen) if s["from"] == "page"), "")
        item["reaction"] = {"mid": mid, "action": "react", "emoji": "❤", "reaction": "love"}

    def _on_optin(self, _person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        item["optin"] = {"ref": said.get("ref", ""), "user_ref": "ref-1"}

    def _on_referral(self, _person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        item["referral"] = {"ref": said.get("ref", ""), "source": "SHORTLINK", "type": "OPEN_THREAD"}

    def _on_edit(self, _person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        item["message_edit"] = {"mid": said["mid"], "text": said.get("text", ""), "num_edit": 1}

    def _on_unknown(self, _person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        item["something_new"] = {"since": "tomorrow"}

    def _on_standby(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> str:
        self._on_message(person, said, item)
        return "standby"

    def _on_pass_thread_control(self, _person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        item["pass_thread_control"] = {"new_owner_app_id": str(PAGE_INBOX_APP), "metadata": ""}

    def _on_take_thread_control(self, _person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        item["take_thread_control"] = {"previous_owner_app_id": self._state.options.app_id, "metadata": ""}

    def _on_answered_elsewhere(self, person: Person, said: dict[str, Any], item: dict[str, Any]) -> None:
        """Somebody of the page answers in Meta's own inbox."""
        mid = self._state.new_mid()
        item["sender"], item["recipient"] = item["recipient"], item["sender"]
        item["message"] = {"mid": mid, "is_echo": True, "text": str(said["text"])}
        if said.get("with_app", True):
            item["message"]["app_id"] = PAGE_INBOX_APP
        person.screen.append(
            {
                "from": "page",
                "kind": "text",
                "text": said["text"],
                "mid": mid,
                "at": self._state.now().isoformat(),
            }
        )

    def _on_block(self, person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        person.blocked = True
        item["read"] = {"watermark": item["timestamp"]}

    def _on_unblock(self, person: Person, _said: dict[str, Any], item: dict[str, Any]) -> None:
        person.blocked = False
        item["read"] = {"watermark": item["timestamp"]}

    def _show(self, person: Person, mid: str, **what: Any) -> None:
        person.screen.append({"from": "me", "mid": mid, "at": self._state.now().isoformat(), **what})

    def _attachment(self, given: dict[str, Any]) -> dict[str, Any]:
        kind = given.get("type")
        if kind == "location":
            coordinates = {"lat": float(given["latitude"]), "long": float(given["longitude"])}
            return {"type": "location", "payload": {"coordinates": coordinates}}
        if kind == "sticker":
            url = self._state.keep_media(small_picture(), "image/png")
            return {"type": "image", "payload": {"url": url, "sticker_id": 369239263222822}}
        if kind not in _KINDS:
            raise MistakeError(f"no attachment {kind!r}")
        url = given.get("url")
        if not url:
            try:
                content = base64.b64decode(given.get("data", ""), validate=True) or small_picture()
            except binascii.Error:
                raise MistakeError("data is not base64") from None
            url = self._state.keep_media(content, given.get("content_type", "image/png"))
        return {"type": _KINDS[kind], "payload": {"url": url}}

    async def _screen(self, request: web.Request) -> list[dict[str, Any]]:
        user = request.query.get("user", "")
        person = self._state.people.get(user) or self._state.by_id.get(user)
        return person.shown() if person else []

    async def _users(self, _request: web.Request) -> list[dict[str, Any]]:
        return [
            {"user": person.user, "id": person.id, "name": person.name, "items": len(person.screen)}
            for person in self._state.people.values()
        ]

    async def _faults(self, request: web.Request) -> dict[str, Any]:
        given = await _object(request)
        for name, value in given.items():
            if name not in _FAULTS or not isinstance(value, _FAULTS[name]):
                raise MistakeError(f"no fault {name!r} with {value!r}")
        for name, value in given.items():
            setattr(self._state.faults, name, value)
        return self.faults()

    async def _shown_faults(self, _request: web.Request) -> dict[str, Any]:
        return self.faults()

    def faults(self) -> dict[str, Any]:
        """Return what goes wrong now."""
        return {name: getattr(self._state.faults, name) for name in Faults.__dataclass_fields__}

    async def _record(self, _request: web.Request) -> list[dict[str, Any]]:
        return list(self._state.record)

    async def _clock(self, request: web.Request) -> dict[str, Any]:
        given = await _object(request)
        self._state.offset += timedelta(seconds=float(given.get("forward_seconds", 0)))
        return {"now": self._state.now().isoformat()}

    async def _verify(self, _request: web.Request) -> dict[str, Any]:
        return {"verified": await self._webhooks.verify()}


async def _object(request: web.Request) -> dict[str, Any]:
    given = await request.json()
    if not isinstance(given, dict):
        raise MistakeError("an object is wanted")
    return given


def _mid(item: dict[str, Any]) -> str | None:
    inner = item.get("message") or item.get("postback") or {}
    return inner.get("mid")
