"""The control side: what people do on their phones, what these show, what goes wrong."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from aiohttp import web

from tests.providers.zalo.oauth import OAuth
from tests.providers.zalo.open_api import OpenApi
from tests.providers.zalo.state import Faults, Person, State, small_picture
from tests.providers.zalo.webhooks import Webhooks

_KINDS = {
    "image": "image", "gif": "gif", "file": "file", "audio": "audio", "voice": "audio", "video": "video",
    "sticker": "sticker",
}  # fmt: skip
_FAULTS: dict[str, tuple[type, ...]] = {
    "down": (bool,),
    "latency_ms": (int, float),
    "error_code": (int, type(None)),
    "error_times": (int, type(None)),
    "drop_connection": (bool, str),
    "repeat_share": (int, float),
    "reorder_share": (int, float),
    "bad_signature_share": (int, float),
    "lose_echo_share": (int, float),
    "expire_token": (bool,),
    "hold_refresh": (str, type(None)),
}


class MistakeError(Exception):
    """The control call makes no sense; its text says why."""


class Control:
    """Answers /_control/….

    Args:
        state: the account.
        webhooks: tells the app under test.
        api: knows how events of the account look.
        oauth: holds refreshes on demand.
    """

    def __init__(self, state: State, webhooks: Webhooks, api: OpenApi, oauth: OAuth) -> None:
        self._state = state
        self._webhooks = webhooks
        self._api = api
        self._oauth = oauth

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
            web.get("/_control/tokens", self._guarded(self._tokens)),
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
        """Do what somebody does: `{"user", "name"?, "text"?, "event"?, "attachments"?, …}`."""
        user = said.get("user")
        if not isinstance(user, str) or not user:
            raise MistakeError('say who: {"user": …}')
        person = self._state.person(user, said.get("name"))
        kind = said.get("event", "message")
        act = getattr(self, f"_on_{kind}", None)
        if act is None:
            raise MistakeError(f"no event {kind!r}")
        events: list[dict[str, Any]] = act(person, said)
        good = [self._webhooks.tell(person.id, event) for event in events]
        mids = [event["message"].get("msg_id") for event in events if isinstance(event.get("message"), dict)]
        return {"mids": mids, "good": all(good)}

    def faults(self) -> dict[str, Any]:
        """Return what goes wrong now."""
        return {name: getattr(self._state.faults, name) for name in Faults.__dataclass_fields__}

    def set_faults(self, **given: Any) -> None:
        """Let things go wrong, or not any more."""
        for name, value in given.items():
            if name not in _FAULTS or not isinstance(value, _FAULTS[name]):
                raise MistakeError(f"no fault {name!r} with {value!r}")
        for name, value in given.items():
            setattr(self._state.faults, name, value)
        if given.get("expire_token"):
            self._state.expire_tokens()
        if "hold_refresh" in given and given["hold_refresh"] is None:
            self._oauth.release()

    def _event(self, person: Person, name: str, message: dict[str, Any] | None = None) -> dict[str, Any]:
        event: dict[str, Any] = {
            "app_id": self._state.options.app_id,
            "sender": {"id": person.id},
            "recipient": {"id": self._state.options.oa_id},
            "user_id_by_app": person.id,
            "event_name": name,
            "timestamp": self._state.milliseconds(),
        }
        if message is not None:
            event["message"] = message
        return event

    def _on_message(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        """A text, or each attachment as an event of its own, with the text beside the first."""
        text = str(said.get("text", ""))
        attachments = said.get("attachments", ())
        if not text and not attachments:
            raise MistakeError("nothing said")
        person.last_heard = self._state.now()
        events = []
        for number, given in enumerate(attachments):
            kind, payload = self._attachment(given)
            message: dict[str, Any] = {"msg_id": self._state.new_message_id()}
            message["attachments"] = [{"type": kind, "payload": payload}]
            if text and number == 0:
                message["text"] = text
            events.append(self._said(person, kind, message, said))
            place = payload.get("coordinates", {})
            self._show(person, message["msg_id"], kind=kind, url=payload.get("url", ""), text=text, **place)
        if not attachments:
            message = {"msg_id": self._state.new_message_id(), "text": text}
            events.append(self._said(person, "text", message, said))
            self._show(person, message["msg_id"], kind="text", text=text)
        return events

    def _said(
        self, person: Person, kind: str, message: dict[str, Any], said: dict[str, Any]
    ) -> dict[str, Any]:
        if said.get("reply_to"):
            message["quote_msg_id"] = str(said["reply_to"])
        if said.get("anonymous"):
            person.conversation = person.conversation or f"c{person.id}"
            message["conversation_id"] = person.conversation
            return self._event(person, f"anonymous_send_{kind}", message)
        return self._event(person, f"user_send_{kind}", message)

    def _on_tap(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Tap a button: its payload arrives as a text that the phone does not show."""
        payload = str(said.get("payload", ""))
        offered = [button for shown in person.screen for button in shown.get("buttons", ())]
        if not any(button["payload"] == payload for button in offered):
            raise MistakeError("no such button on the screen")
        person.last_heard = self._state.now()
        message = {"msg_id": self._state.new_message_id(), "text": payload}
        return [self._event(person, "user_send_text", message)]

    def _on_submit_info(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Share name and telephone number on the card that asks for them."""
        person.last_heard = self._state.now()
        info = {"name": person.name, "phone": "84905123456", "full_address": ""}
        event = {**self._event(person, "user_submit_info"), "info": {**info, **said.get("info", {})}}
        return [event]

    def _on_follow(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._relation(person, follows=True)]

    def _on_unfollow(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._relation(person, follows=False)]

    def _relation(self, person: Person, *, follows: bool) -> dict[str, Any]:
        person.follows = follows
        if follows:
            person.last_heard = self._state.now()
        return {
            "app_id": self._state.options.app_id,
            "oa_id": self._state.options.oa_id,
            "follower": {"id": person.id},
            "user_id_by_app": person.id,
            "event_name": "follow" if follows else "unfollow",
            "source": "oa_profile",
            "timestamp": self._state.milliseconds(),
        }

    def _on_withdraw(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Take a message back."""
        own = [shown["mid"] for shown in person.screen if shown["from"] == "me"]
        mid = str(said.get("mid") or (own[-1] if own else ""))
        person.screen = [shown for shown in person.screen if shown["mid"] != mid]
        return [self._event(person, "user_withdraw", {"msg_id": mid})]

    def _on_read(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        mids = [shown["mid"] for shown in person.screen if shown["from"] == "page"]
        return [self._api.from_account(person, "user_seen_message", {"msg_ids": mids})] if mids else []

    def _on_reaction(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        mid = said.get("mid") or next((s["mid"] for s in reversed(person.screen) if s["from"] == "page"), "")
        return [self._event(person, "user_reacted_message", {"msg_id": mid, "react_icon": "/-heart"})]

    def _on_click_chatnow(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._event(person, "user_click_chatnow")]

    def _on_unknown(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._event(person, "something_new", {"msg_id": self._state.new_message_id()})]

    def _on_answered_elsewhere(self, person: Person, said: dict[str, Any]) -> list[dict[str, Any]]:
        """Somebody answers in Zalo's own chat tool."""
        mid = self._state.new_message_id()
        shown = {"from": "page", "kind": "text", "text": said["text"], "mid": mid, "buttons": []}
        person.screen.append({**shown, "at": self._state.now().isoformat()})
        event = self._api.from_account(person, "oa_send_text", {"msg_id": mid, "text": said["text"]})
        event["sender"]["admin_id"] = "5600000000000001"
        return [event]

    def _on_block(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        person.blocked = True
        return []

    def _on_unblock(self, person: Person, _said: dict[str, Any]) -> list[dict[str, Any]]:
        person.blocked = False
        return []

    def _show(self, person: Person, mid: str, **what: Any) -> None:
        person.screen.append({"from": "me", "mid": mid, "at": self._state.now().isoformat(), **what})

    def _attachment(self, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        kind = given.get("type")
        if kind == "location":
            place = {"latitude": str(float(given["latitude"])), "longitude": str(float(given["longitude"]))}
            return "location", {"coordinates": place}
        if kind == "link":
            return "link", {"thumbnail": "", "description": given.get("name", ""), "url": given["url"]}
        if kind not in _KINDS:
            raise MistakeError(f"no attachment {kind!r}")
        url = given.get("url")
        content = b""
        if not url:
            try:
                content = base64.b64decode(given.get("data", ""), validate=True) or small_picture()
            except binascii.Error:
                raise MistakeError("data is not base64") from None
            url = self._state.keep_media(content, given.get("content_type", "image/png"))
        payload: dict[str, Any] = {"url": url}
        if kind in ("image", "gif", "video"):
            payload["thumbnail"] = url
        if kind == "file":
            payload |= {"name": given.get("name", "tep.pdf"), "size": str(len(content)), "type": "pdf"}
        if kind == "sticker":
            payload["id"] = "18979"
        return _KINDS[kind], payload

    async def _screen(self, request: web.Request) -> list[dict[str, Any]]:
        user = request.query.get("user", "")
        person = self._state.people.get(user) or self._state.by_id.get(user)
        return person.screen if person else []

    async def _users(self, _request: web.Request) -> list[dict[str, Any]]:
        return [
            {"user": person.user, "id": person.id, "name": person.name, "items": len(person.screen)}
            for person in self._state.people.values()
        ]

    async def _faults(self, request: web.Request) -> dict[str, Any]:
        self.set_faults(**await _object(request))
        return self.faults()

    async def _shown_faults(self, _request: web.Request) -> dict[str, Any]:
        return self.faults()

    async def _record(self, _request: web.Request) -> list[dict[str, Any]]:
        return list(self._state.record)

    async def _clock(self, request: web.Request) -> dict[str, Any]:
        given = await _object(request)
        self._state.offset += timedelta(seconds=float(given.get("forward_seconds", 0)))
        return {"now": self._state.now().isoformat()}

    async def _tokens(self, _request: web.Request) -> dict[str, Any]:
        state = self._state
        return {
            "refreshes": state.refreshes,
            "most_at_once": state.most_refreshing,
            "used_again": state.used_again,
            "under_way": state.refreshing,
            "refresh_token": state.refresh,
        }


async def _object(request: web.Request) -> dict[str, Any]:
    given = await request.json()
    if not isinstance(given, dict):
        raise MistakeError("an object is wanted")
    return given
