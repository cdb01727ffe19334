"""The Graph API's side: sends, uploads, the page's profile and subscriptions, tokens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.providers.messenger import rules
from tests.providers.messenger.rules import RefusalError
from tests.providers.messenger.state import ALL_FIELDS, Person, State
from tests.providers.messenger.webhooks import Webhooks
from tests.providers.played.calls import Call

_LARGEST = 25 * 1024 * 1024
_VERSIONS = {f"v{number}.0" for number in range(20, 27)}

Handler = Callable[[web.Request, Any], Awaitable[dict[str, Any]]]


class Graph:
    """Answers calls as Meta does.

    Args:
        state: the page.
        webhooks: tells of echoes and receipts.
    """

    def __init__(self, state: State, webhooks: Webhooks) -> None:
        self._state = state
        self._webhooks = webhooks

    def routes(self) -> list[web.RouteDef]:
        """Return the addresses."""
        return [
            web.post("/{version}/{page}/messages", self._handler(self._messages)),
            web.post("/{version}/{page}/message_attachments", self._handler(self._upload)),
            web.get("/{version}/{page}/messenger_profile", self._handler(self._profile)),
            web.post("/{version}/{page}/messenger_profile", self._handler(self._set_profile)),
            web.get("/{version}/{page}/subscribed_apps", self._handler(self._subscriptions)),
            web.post("/{version}/{page}/subscribed_apps", self._handler(self._subscribe)),
            web.get("/{version}/debug_token", self._handler(self._debug_token, is_page=False)),
            web.get("/{version}/{page}", self._handler(self._page)),
        ]

    def _handler(
        self, work: Handler, *, is_page: bool = True
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            call = Call(self._state, request, "/" + request.path.split("/", 2)[-1])
            down = web.Response(status=503, text="<html>Sorry, something went wrong.</html>")
            if (spoiled := await call.spoiled(down)) is not None:
                return spoiled
            body: Any = None
            try:
                body = await self._body(request)
                used = self._checked(request, is_page=is_page)
                answer = await work(request, body)
            except RefusalError as refusal:
                call.note(body, refusal.status, refusal.message)
                used = 1.0 if refusal.code in (4, 613) else 0.0
                return self._answer(refusal.body(_trace()), refusal.status, used)
            return call.answered(body, self._answer(answer, 200, used), answer)

        return handle

    def _checked(self, request: web.Request, *, is_page: bool) -> float:
        if request.match_info["version"] not in _VERSIONS:
            raise RefusalError(2500, "Unknown path components", kind="OAuthException")
        used = self._state.count_call()
        if used > 1:
            raise RefusalError(613, "(#613) Calls to this API have exceeded the rate limit.", status=403)
        if is_page:
            rules.check_access(self._state, request.query)
            rules.check_page(self._state, request.match_info["page"], request.path)
        return min(used, 0.99)

    async def _body(self, request: web.Request) -> Any:
        if request.content_type == "multipart/form-data":
            return await request.post()
        if request.method != "POST" or not request.can_read_body:
            return None
        try:
            return await request.json()
        except ValueError:
            raise RefusalError(100, "(#100) The body is no JSON") from None

    async def _messages(self, _request: web.Request, body: Any) -> dict[str, Any]:
        person = rules.check_send(self._state, body)
        self._fail_on_demand()
        if action := body.get("sender_action"):
            person.typing = action == "typing_on"
            return {"recipient_id": person.id}
        mid = self._state.new_mid()
        self._show(person, body["message"], mid)
        await self._tell(person, body["message"], mid)
        return {"recipient_id": person.id, "message_id": mid}

    def _fail_on_demand(self) -> None:
        faults = self._state.faults
        if faults.error_code is None or faults.error_times == 0:
            return
        if faults.error_after > 0:
            faults.error_after -= 1
            return
        if faults.error_times is not None:
            faults.error_times -= 1
        raise rules.by_code(faults.error_code, faults.error_subcode)

    def _show(self, person: Person, message: dict[str, Any], mid: str) -> None:
        item: dict[str, Any] = {"from": "page", "mid": mid, "at": self._state.now().isoformat()}
        if "text" in message:
            item |= {"kind": "text", "text": message["text"]}
        else:
            attachment = message["attachment"]
            payload = attachment["payload"]
            known = self._state.attachments.get(str(payload.get("attachment_id")), {})
            item |= {"kind": attachment["type"], "url": payload.get("url") or known.get("url", "")}
            item |= {"name": known.get("name", "")}
        item["buttons"] = [
            {"title": reply["title"], "payload": reply["payload"]}
            for reply in message.get("quick_replies", ())
        ]
        person.typing = False
        person.screen.append(item)
        person.answered.set()

    async def _tell(self, person: Person, message: dict[str, Any], mid: str) -> None:
        options, faults = self._state.options, self._state.faults
        echo: dict[str, Any] = {"mid": mid, "is_echo": True, "app_id": int(options.app_id)}
        echo |= {name: message[name] for name in ("text", "metadata") if name in message}
        if "attachment" in message:
            kind = message["attachment"]["type"]
            echo["attachments"] = [{"type": kind, "payload": {"url": person.screen[-1]["url"]}}]
        item = {
            "sender": {"id": options.page_id},
            "recipient": {"id": person.id},
            "timestamp": self._state.milliseconds(),
            "message": echo,
        }
        if "message_echoes" in self._state.subscribed and not self._state.happens(faults.lose_echo_share):
            if self._state.happens(faults.echo_first_share):
                await self._webhooks.tell_now(item)
            else:
                self._webhooks.tell(person.id, item)
        if "message_deliveries" in self._state.subscribed:
            watermark = self._state.milliseconds()
            delivery: dict[str, Any] = {"watermark": watermark}
            if self._state.happens(0.5):
                delivery["mids"] = [mid]
            who = {"sender": {"id": person.id}, "recipient": {"id": options.page_id}}
            self._webhooks.tell(person.id, {**who, "timestamp": watermark, "delivery": delivery})

    async def _upload(self, _request: web.Request, body: Any) -> dict[str, Any]:
        given = body.get("message") if body is not None else None
        try:
            message = json.loads(given) if isinstance(given, str) else given
            attachment = message["attachment"]
        except (ValueError, TypeError, KeyError):
            raise RefusalError(100, "(#100) param message must be an object with an attachment") from None
        rules.check_attachment(self._state, attachment, is_upload=True)
        url = attachment["payload"].get("url", "")
        name = ""
        if not url:
            file = body.get("filedata")
            if not isinstance(file, web.FileField):
                raise RefusalError(
                    100, "(#100) An incorrect number of files uploaded. Must upload exactly one file"
                )
            content = file.file.read()
            if not content or len(content) > _LARGEST:
                raise RefusalError(100, "(#100) Attachment size exceeds allowable limit", subcode=2018047)
            if attachment["type"] == "image" and not file.content_type.startswith("image/"):
                raise RefusalError(100, "(#100) Upload attachment failure", subcode=2018047)
            url, name = self._state.keep_media(content, file.content_type), file.filename
        number = self._state.new_number()
        self._state.attachments[number] = {"type": attachment["type"], "url": url, "name": name}
        return {"attachment_id": number}

    async def _profile(self, request: web.Request, _body: Any) -> dict[str, Any]:
        asked = request.query.get("fields", "").split(",")
        found = {name: self._state.profile[name] for name in asked if name in self._state.profile}
        return {"data": [found] if found else []}

    async def _set_profile(self, _request: web.Request, body: Any) -> dict[str, Any]:
        rules.check_profile(body, self._state.profile)
        self._state.profile.update(body)
        return {"result": "success"}

    async def _subscriptions(self, _request: web.Request, _body: Any) -> dict[str, Any]:
        if not self._state.subscribed:
            return {"data": []}
        fields = sorted(self._state.subscribed)
        return {"data": [{"id": self._state.options.app_id, "name": "1022", "subscribed_fields": fields}]}

    async def _subscribe(self, request: web.Request, _body: Any) -> dict[str, Any]:
        fields = [name for name in request.query.get("subscribed_fields", "").split(",") if name]
        if not fields or set(fields) - set(ALL_FIELDS):
            raise RefusalError(100, "(#100) Param subscribed_fields[0] must be one of the fields of a page")
        self._state.subscribed = set(fields)
        return {"success": True}

    async def _debug_token(self, request: web.Request, _body: Any) -> dict[str, Any]:
        options = self._state.options
        if request.query.get("access_token") != f"{options.app_id}|{options.app_secret}":
            raise RefusalError(190, "Invalid OAuth access token signature.", status=401)
        is_valid = (
            request.query.get("input_token") == options.page_token and not self._state.faults.expire_token
        )
        data: dict[str, Any] = {"app_id": options.app_id, "is_valid": is_valid, "scopes": []}
        if is_valid:
            data |= {"type": "PAGE", "profile_id": options.page_id, "expires_at": 0}
            data["scopes"] = list(options.scopes)
        return {"data": data}

    async def _page(self, request: web.Request, _body: Any) -> dict[str, Any]:
        wanted = request.query.get("fields", "name,id").split(",")
        known = {"name": self._state.options.page_name, "id": self._state.options.page_id}
        return {"id": known["id"], **{name: known[name] for name in wanted if name in known}}

    def _answer(self, body: dict[str, Any], status: int, used: float) -> web.Response:
        share = round(100 * used)
        usage = {"call_count": share, "total_time": share, "total_cputime": 0}
        business = {**usage, "type": "messenger", "estimated_time_to_regain_access": 1 if share >= 100 else 0}
        headers = {
            "X-App-Usage": json.dumps(usage),
            "X-Business-Use-Case-Usage": json.dumps({self._state.options.page_id: [business]}),
        }
        return web.json_response(body, status=status, headers=headers)


def _trace() -> str:
    return secrets.token_urlsafe(8)
