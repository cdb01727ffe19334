"""What people do on their phones at the played Messenger."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from tests.providers.messenger.state import PAGE_INBOX_APP, Person, State
from tests.providers.messenger.webhooks import Webhooks
from tests.providers.played import control
from tests.providers.played.control import MistakeError

_KINDS = {"image": "image", "file": "file", "audio": "audio", "voice": "audio", "video": "video"}
_COLOUR = (11, 92, 73)


class Control(control.Control[State, Webhooks]):
    """Answers /_control/….

    Args:
        state: the page.
        webhooks: tells the app under test.
    """

    def __init__(self, state: State, webhooks: Webhooks) -> None:
        super().__init__(state, webhooks, _COLOUR)

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [*super().routes(), web.post("/_control/verify", self._guarded(self._verify))]

    def say(self, said: dict[str, Any]) -> dict[str, Any]:
        """Do what somebody does: `{"user", "name"?, "text"?, "event"?, "attachments"?, …}`, or a `batch`."""
        if "batch" in said:
            pairs = [self._item(self._person(one), one) for one in said["batch"]]
            self._webhooks.tell_together([item for item, _where in pairs])
            return {"mids": [_mid(item) for item, _where in pairs], "good": True}
        person = self._person(said)
        item, where = self._item(person, said)
        return {"mids": [_mid(item)], "good": self._webhooks.tell(person.id, item, where=where)}

    def _item(self, person: Person, said: dict[str, Any]) -> tuple[dict[str, Any], str]:
        act = self._act(said)
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
        mid = said.get("mid") or self._last_of_page(person)
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

    def _attachment(self, given: dict[str, Any]) -> dict[str, Any]:
        kind = given.get("type")
        if kind == "location":
            coordinates = {"lat": float(given["latitude"]), "long": float(given["longitude"])}
            return {"type": "location", "payload": {"coordinates": coordinates}}
        if kind == "sticker":
            url = self._state.keep_media(self._picture, "image/png")
            return {"type": "image", "payload": {"url": url, "sticker_id": 369239263222822}}
        if kind not in _KINDS:
            raise MistakeError(f"no attachment {kind!r}")
        url, _content = self._file(given)
        return {"type": _KINDS[kind], "payload": {"url": url}}

    async def _verify(self, _request: web.Request) -> dict[str, Any]:
        return {"verified": await self._webhooks.verify()}


def _mid(item: dict[str, Any]) -> str | None:
    inner = item.get("message") or item.get("postback") or {}
    return inner.get("mid")
