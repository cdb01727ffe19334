"""The played Open API: sends, uploads, the account."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from aiohttp import web

from tests.providers.zalo import rules
from tests.providers.zalo.calls import Work, played
from tests.providers.zalo.rules import RefusalError
from tests.providers.zalo.state import Person, State, Upload
from tests.providers.zalo.webhooks import Webhooks


class OpenApi:
    """Answers calls as Zalo does.

    Args:
        state: the account.
        webhooks: tells of echoes and receipts.
    """

    def __init__(self, state: State, webhooks: Webhooks) -> None:
        self._state = state
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.post("/v3.0/oa/message/cs", self._with_token(self._send)),
            web.post("/v2.0/oa/upload/{kind}", self._with_token(self._upload)),
            web.get("/v2.0/oa/getoa", self._with_token(self._account)),
            web.post("/v2.0/oa/message", self._with_token(self._closed)),
        ]

    def _with_token(self, work: Work) -> Any:
        async def checked(request: web.Request, body: Any) -> dict[str, Any]:
            rules.check_token(self._state, request.headers.get("access_token"))
            return await work(request, body)

        return played(self._state, checked)

    async def _send(self, _request: web.Request, body: Any) -> dict[str, Any]:
        faults = self._state.faults
        person = rules.check_recipient(self._state, body)
        rules.check_message(self._state, body.get("message"))
        if faults.error_code is not None and faults.error_times != 0:
            if faults.error_times is not None:
                faults.error_times -= 1
            raise RefusalError(faults.error_code, "as it was asked for")
        mid = self._state.new_message_id()
        shown = self._show(person, body["message"], mid)
        if not self._state.happens(faults.lose_echo_share):
            self._echo(person, body["message"], shown, mid)
        self._receipt(person, mid)
        assert person.last_heard is not None
        is_free = self._state.now() - person.last_heard <= rules.FREE
        quota = {"quota_type": "reply" if is_free else "paid", "remain": "unlimited"}
        return _well({"message_id": mid, "user_id": person.id, "quota": quota})

    def _show(self, person: Person, message: dict[str, Any], mid: str) -> list[dict[str, Any]]:
        base = {"from": "page", "mid": mid, "at": self._state.now().isoformat()}
        shown: list[dict[str, Any]] = []
        if "text" in message:
            shown.append({**base, "kind": "text", "text": message["text"], "buttons": []})
        attachment = message.get("attachment", {})
        payload = attachment.get("payload", {})
        if attachment.get("type") == "file":
            file = rules.find_upload(self._state, payload["token"], "file")
            shown.append({**base, "kind": "file", "url": file.url, "name": file.name, "buttons": []})
        elif payload.get("template_type") == "media":
            element = payload["elements"][0]
            url = element.get("url")
            if url is None:
                url = rules.find_upload(self._state, element["attachment_id"], "image").url
            shown.append({**base, "kind": "image", "url": url, "buttons": []})
        elif payload.get("template_type") == "request_user_info":
            card = payload["elements"][0]
            text = f"{card['title']}\n{card['subtitle']}"
            shown.append({**base, "kind": "contact", "text": text, "buttons": []})
        for button in payload.get("buttons", ()):
            shown[0]["buttons"].append({"title": button["title"], "payload": button["payload"]})
        person.screen.extend(shown)
        return shown

    def _echo(self, person: Person, message: dict[str, Any], shown: list[dict[str, Any]], mid: str) -> None:
        kind = {"text": "text", "image": "image", "file": "file", "contact": "list"}[shown[-1]["kind"]]
        echo: dict[str, Any] = {"msg_id": mid, "text": message.get("text", "")}
        if url := shown[-1].get("url"):
            echo["attachments"] = [{"type": kind, "payload": {"url": url, "thumbnail": url}}]
        event = self.from_account(person, f"oa_send_{kind}", echo)
        self._webhooks.tell(person.id, event)

    def _receipt(self, person: Person, mid: str) -> None:
        self._webhooks.tell(person.id, self.from_account(person, "user_received_message", {"msg_id": mid}))

    def from_account(self, person: Person, name: str, message: dict[str, Any]) -> dict[str, Any]:
        """Return an event whose sender is the account."""
        return {
            "app_id": self._state.options.app_id,
            "sender": {"id": self._state.options.oa_id},
            "recipient": {"id": person.id},
            "user_id_by_app": person.id,
            "event_name": name,
            "message": message,
            "timestamp": self._state.milliseconds(),
        }

    async def _upload(self, request: web.Request, form: Any) -> dict[str, Any]:
        kind = request.match_info["kind"]
        if kind not in rules.LARGEST:
            raise RefusalError(-201, "Params is invalid")
        file = form.get("file") if form is not None else None
        if not isinstance(file, web.FileField):
            raise RefusalError(-201, "Params is invalid: file is missing")
        content = file.file.read()
        rules.check_upload(self._state, kind, content, file.content_type)
        self._state.uploaded += 1
        token = f"{kind}-{self._state.new_message_id()}"
        url = self._state.keep_media(content, file.content_type)
        until = self._state.now() + timedelta(days=7)
        self._state.uploads[token] = Upload(kind, url, file.filename, until)
        return _well({"token" if kind == "file" else "attachment_id": token})

    async def _account(self, _request: web.Request, _body: Any) -> dict[str, Any]:
        options = self._state.options
        return _well({"oa_id": options.oa_id, "name": options.oa_name, "is_verified": True})

    async def _closed(self, _request: web.Request, _body: Any) -> dict[str, Any]:
        raise RefusalError(-240, "This API was closed, use v3.0")


def _well(data: dict[str, Any]) -> dict[str, Any]:
    return {"data": data, "error": 0, "message": "Success"}
