"""Sends to Zalo: texts, choices, pictures, files, and the card that asks for name and telephone number."""

from __future__ import annotations

import asyncio
import unicodedata
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import structlog

from connectors.base import Capabilities, OutboundMessage, SendResult
from connectors.uploads import Uploads
from connectors.zalo.client import Upload, ZaloClient, ZaloError
from connectors.zalo.pictures import PictureError, fitted
from connectors.zalo.settings import (
    CHANNEL,
    FILE_TYPES,
    LARGEST_FILE,
    LARGEST_IMAGE,
    MAX_TEXT,
    UPLOAD_KEPT,
    ZaloSettings,
)
from connectors.zalo.tokens import NoTokenError, ZaloTokens
from conversations.schemas import Button, OutboundFile
from database.engine import STORAGE_DOWN
from vntext.catalogue import say

log = structlog.get_logger(__name__)

SHARE_CONTACT = "/share_contact"
"""The payload of a button that stands for the channel's own way to ask for name and telephone number."""

_MOST_BUTTONS = 5
_LONGEST_TITLE = 100
_REMEMBERED = 2_000

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Part:
    """One call of the provider; a message may take several. `optional`: the rest arrives without it."""

    message: dict[str, Any]
    file: OutboundFile | None = None
    optional: bool = False


class ZaloConnector:
    """The connector of one Official Account.

    What was sent of a message is remembered by its id, so that a try after a failure in its middle goes on
    where it stopped.

    Args:
        settings: the account and how it is used.
        client: the Open API.
        tokens: the access token.
        uploads: pictures and files that the provider has.
    """

    name = CHANNEL

    def __init__(
        self, settings: ZaloSettings, client: ZaloClient, tokens: ZaloTokens, uploads: Uploads
    ) -> None:
        self._settings = settings
        self._client = client
        self._tokens = tokens
        self._uploads = uploads
        self._sent: OrderedDict[str, list[str | None]] = OrderedDict()
        self._one_picture = asyncio.Semaphore(1)
        self.capabilities = Capabilities(
            max_text=MAX_TEXT,
            buttons=settings.buttons,
            images=True,
            files=True,
            most_buttons=_MOST_BUTTONS,
            longest_title=_LONGEST_TITLE,
            window=settings.window,
            asks_contact=bool(settings.contact_image_url),
            reorders=True,
            echoes=True,
        )

    async def send(self, message: OutboundMessage) -> SendResult:
        """Send one message with its pictures and files; accepted when the provider took all of it."""
        parts = self._parts(message)
        if not parts:
            return SendResult.permanent("empty")
        sent = self._sent.setdefault(message.id, [])
        self._sent.move_to_end(message.id)
        if len(self._sent) > _REMEMBERED:
            self._sent.popitem(last=False)
        recipient = recipient_of(message.external_user_id)
        try:
            for part in parts[len(sent) :]:
                sent.append(await self._send_part(recipient, part))
        except ZaloError as error:
            return _result(error)
        except STORAGE_DOWN as error:
            return SendResult.transient(f"storage_{type(error).__name__}")
        self._sent.pop(message.id, None)
        return SendResult.accepted(sent[0])

    def _parts(self, message: OutboundMessage) -> list[_Part]:
        text = _nfc(message.text)
        buttons = [button for button in message.buttons if button.payload != SHARE_CONTACT]
        files = list(message.files)
        parts = []
        if text:
            body: dict[str, Any] = {"text": text}
            first = None
            if buttons and self._settings.buttons:
                shown = [_button(button) for button in buttons[:_MOST_BUTTONS]]
                body["attachment"] = {"type": "template", "payload": {"buttons": shown}}
            elif files and files[0].kind == "image":
                first = files.pop(0)
            parts.append(_Part(body, first))
        parts += [_Part({}, file) for file in files]
        if len(buttons) < len(message.buttons) and self.capabilities.asks_contact:
            parts.append(_Part(self._contact_card(), optional=bool(parts)))
        return parts

    def _contact_card(self) -> dict[str, Any]:
        card = {
            "title": say("channels.zalo.ask_contact.title"),
            "subtitle": say("channels.zalo.ask_contact.subtitle"),
            "image_url": self._settings.contact_image_url,
        }
        payload = {"template_type": "request_user_info", "elements": [card]}
        return {"attachment": {"type": "template", "payload": payload}}

    async def _send_part(self, recipient: dict[str, str], part: _Part) -> str | None:
        try:
            if part.file is None:
                return await self._authorised(lambda token: self._client.send(token, recipient, part.message))
            return await self._send_file(recipient, part.message, part.file)
        except ZaloError as error:
            if not part.optional or error.kind != "permanent":
                raise
            log.warning("zalo_part_left_out", error=error.name)
            return None

    async def _send_file(
        self, recipient: dict[str, str], message: dict[str, Any], file: OutboundFile
    ) -> str | None:
        known = await self._uploads.find(CHANNEL, file.file_id)
        uploaded = known or await self._upload(file)
        body = {**message, "attachment": _attachment(file, uploaded)}
        try:
            return await self._authorised(lambda token: self._client.send(token, recipient, body))
        except ZaloError as error:
            if known is None or error.kind != "permanent":
                raise
            # The provider may have dropped the upload earlier than it says.
            body["attachment"] = _attachment(file, await self._upload(file))
            return await self._authorised(lambda token: self._client.send(token, recipient, body))

    async def _upload(self, file: OutboundFile) -> str:
        upload = await self._prepared(file)
        token = await self._authorised(lambda token: self._client.upload(token, file.kind, upload))
        await self._uploads.keep(CHANNEL, file.file_id, token, UPLOAD_KEPT)
        return token

    async def _prepared(self, file: OutboundFile) -> Upload:
        if file.kind == "file" and file.content_type not in FILE_TYPES:
            raise ZaloError("permanent", "file_type")
        if file.kind == "file" and file.size > LARGEST_FILE:
            raise ZaloError("permanent", "file_too_large")
        try:
            content = await asyncio.to_thread(file.path.read_bytes)
        except FileNotFoundError as error:
            raise ZaloError("permanent", "file_gone") from error
        if file.kind == "file":
            return Upload(content, file.name, file.content_type)
        try:
            # Decoding a large picture takes a core for a second: one at a time.
            async with self._one_picture:
                return await asyncio.to_thread(fitted, content, file.name, file.content_type, LARGEST_IMAGE)
        except PictureError as error:
            raise ZaloError("permanent", "picture_refused") from error

    async def _authorised(self, call: Callable[[str], Awaitable[T]]) -> T:
        """Make a call; when the provider refuses the token, once more with another one."""
        try:
            token = await self._tokens.access()
        except NoTokenError as error:
            raise ZaloError("auth", error.name) from error
        try:
            return await call(token)
        except ZaloError as error:
            another = await self._tokens.after_refusal(token) if error.kind == "auth" else None
            if another is None:
                raise
        return await call(another)


def recipient_of(external_user_id: str) -> dict[str, str]:
    """Return how the provider is told to whom: a user, or somebody unknown to the account."""
    if external_user_id.startswith("anonymous:"):
        _mark, user, conversation = external_user_id.split(":", 2)
        return {"anonymous_id": user, "conversation_id": conversation}
    return {"user_id": external_user_id}


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _button(button: Button) -> dict[str, Any]:
    title = button.title if len(button.title) <= _LONGEST_TITLE else f"{button.title[: _LONGEST_TITLE - 1]}…"
    if button.payload.startswith(("https://", "http://")):
        return {"title": title, "type": "oa.open.url", "payload": {"url": button.payload}}
    if button.payload.startswith("tel:"):
        number = button.payload.removeprefix("tel:")
        return {"title": title, "type": "oa.open.phone", "payload": {"phone_code": number}}
    return {"title": title, "type": "oa.query.hide", "payload": button.payload}


def _attachment(file: OutboundFile, uploaded: str) -> dict[str, Any]:
    if file.kind == "file":
        return {"type": "file", "payload": {"token": uploaded}}
    element = {"media_type": "image", "attachment_id": uploaded}
    return {"type": "template", "payload": {"template_type": "media", "elements": [element]}}


def _result(error: ZaloError) -> SendResult:
    if error.kind == "auth":
        return SendResult.auth(error.name)
    if error.kind == "transient":
        return SendResult.transient(error.name, retry_after=error.retry_after)
    return SendResult.permanent(error.name)
