"""What people do on their phones at the played Zalo."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.providers.played import control
from tests.providers.played.control import MistakeError
from tests.providers.zalo.oauth import OAuth
from tests.providers.zalo.open_api import OpenApi
from tests.providers.zalo.state import Person, State
from tests.providers.zalo.webhooks import Webhooks

_KINDS = {
    "image": "image", "gif": "gif", "file": "file", "audio": "audio", "voice": "audio", "video": "video",
    "sticker": "sticker",
}  # fmt: skip
_COLOUR = (0, 104, 255)


class Control(control.Control[State, Webhooks]):
    """Answers /_control/….

    Args:
        state: the account.
        webhooks: tells the app under test.
        api: knows how events of the account look.
        oauth: holds refreshes on demand.
    """

    def __init__(self, state: State, webhooks: Webhooks, api: OpenApi, oauth: OAuth) -> None:
        super().__init__(state, webhooks, _COLOUR)
        self._api = api
        self._oauth = oauth

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            *super().routes(),
            web.get("/_control/tokens", self._guarded(self._tokens)),
            web.post("/_control/subscribe", self._guarded(self._subscribe)),
        ]

    def say(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what somebody does: `{"user", "name"?, "text"?, "event"?, "attachments"?, …}`."""
        person = self._person(said)
        act = self._act(said)
        events: list[dict[str, Any]] = act(person, said)
        good = [self._webhooks.tell(person.id, event) for event in events]
        mids = [event["message"].get("msg_id") for event in events if isinstance(event.get("message"), dict)]
        return {"mids": mids, "good": all(good)}

    def set_faults(self, /, **given: Any) -> None:
        """Let things go wrong, or not any more."""
        super().set_faults(**given)
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
        mid = said.get("mid") or self._last_of_page(person)
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

    def _attachment(self, given: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        kind = given.get("type")
        if kind == "location":
            place = {"latitude": str(float(given["latitude"])), "longitude": str(float(given["longitude"]))}
            return "location", {"coordinates": place}
        if kind == "link":
            return "link", {"thumbnail": "", "description": given.get("name", ""), "url": given["url"]}
        if kind not in _KINDS:
            raise MistakeError(f"no attachment {kind!r}")
        url, content = self._file(given)
        payload: dict[str, Any] = {"url": url}
        if kind in ("image", "gif", "video"):
            payload["thumbnail"] = url
        if kind == "file":
            payload |= {"name": given.get("name", "tep.pdf"), "size": str(len(content)), "type": "pdf"}
        if kind == "sticker":
            payload["id"] = "18979"
        return _KINDS[kind], payload

    async def _subscribe(self, _request: web.Request) -> dict[str, Any]:
        """Switch deliveries on again, as a person does on the pages for developers."""
        was_on, self._state.subscribed = self._state.subscribed, True
        return {"was_on": was_on}

    async def _tokens(self, _request: web.Request) -> dict[str, Any]:
        state = self._state
        return {
            "refreshes": state.refreshes,
            "most_at_once": state.most_refreshing,
            "used_again": state.used_again,
            "under_way": state.refreshing,
            "refresh_token": state.refresh,
        }
