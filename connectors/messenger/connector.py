"""Sends to Messenger: one message of ours as the calls of the Send API that show it."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from connectors.base import Capabilities, OutboundMessage, SendResult
from connectors.messenger import layout
from connectors.messenger.client import GraphClient
from connectors.messenger.errors import Fault, GraphError
from connectors.messenger.layout import Part
from connectors.messenger.policy import PERSON_WINDOW, WINDOW, Envelope, envelope
from connectors.messenger.taken import Taken
from conversations.schemas import OutboundFile
from database.clock import Clock

log = structlog.get_logger(__name__)

CHANNEL = "messenger"

_UPLOAD_KEPT = timedelta(days=30)
"""Meta keeps an uploaded file for 90 days; ours is asked for again long before."""


class Messenger:
    """The connector of Facebook Messenger.

    Args:
        client: the Graph API of the page.
        clock: tells which window a message falls in.
        human_agent: Meta has granted the page the permission to use the tag HUMAN_AGENT.
    """

    name = CHANNEL

    def __init__(self, client: GraphClient, clock: Clock, *, human_agent: bool = False) -> None:
        self.client = client
        self.capabilities = Capabilities(
            max_text=layout.SAFE_TEXT,
            buttons=True,
            images=True,
            files=True,
            most_buttons=layout.MOST_QUICK_REPLIES,
            longest_title=layout.LONGEST_TITLE,
            window=WINDOW,
            person_window=PERSON_WINDOW if human_agent else None,
            typing=True,
            reorders=True,
            echoes=True,
        )
        self._clock = clock
        self._human_agent = human_agent
        self._taken = Taken()
        self._uploaded: dict[str, tuple[str, datetime]] = {}

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand one message to Meta; parts that were taken at an earlier try are not sent again."""
        wrapping = envelope(
            message.author,
            last_heard_at=message.last_heard_at,
            now=self._clock.now(),
            human_agent=self._human_agent,
        )
        if wrapping is None:
            return SendResult.permanent("outside_window")
        if any(file.size > layout.LARGEST_FILE for file in message.files):
            return SendResult.permanent("attachment_too_large")
        parts = layout.parts(message)
        if not parts:
            return SendResult.permanent("empty")
        provider_id = ""
        try:
            for part in parts:
                provider_id = await self._send_once(message.external_user_id, part, wrapping)
        except GraphError as error:
            return error.result()
        except OSError as error:
            log.error("file_unreadable", message_id=message.id, error=type(error).__name__)
            return SendResult.permanent("file_unreadable")
        return SendResult.accepted(provider_id)

    async def typing(self, external_user_id: str) -> None:
        """Show that an answer is being written, as well as it goes."""
        try:
            await self.client.send({"recipient": {"id": external_user_id}, "sender_action": "typing_on"})
        except GraphError as error:
            log.info("typing_not_shown", reason=error.fault.reason)

    def heard_back(self, reference: str, provider_id: str) -> None:
        """Note from an echo that Meta has taken what we sent under this reference."""
        self._taken.put(reference, provider_id)

    async def close(self) -> None:
        """Close the connections."""
        await self.client.close()

    async def _send_once(self, recipient: str, part: Part, wrapping: Envelope) -> str:
        known = self._taken.get(part.reference)
        if known is not None:
            return known
        content = dict(part.message)
        if part.file is not None:
            payload = {"attachment_id": await self._attachment(part.file)}
            content["attachment"] = {"type": part.file.kind, "payload": payload}
        body = {"recipient": {"id": recipient}, **wrapping.fields(), "message": content}
        try:
            provider_id = await self.client.send(body)
        except GraphError as error:
            if (heard := self._taken.get(part.reference)) is not None:
                # The connection broke, but the echo has told meanwhile that Meta took it.
                return heard
            if error.fault.reason == "attachment_gone" and part.file is not None:
                self._uploaded.pop(part.file.file_id, None)
                raise GraphError(Fault("transient", "attachment_gone")) from error
            if error.fault.reason == "no_permission" and wrapping.tag is not None:
                # Only the tag is not allowed: the channel itself works.
                raise GraphError(Fault("permanent", "human_agent_not_granted")) from error
            raise
        self._taken.put(part.reference, provider_id)
        return provider_id

    async def _attachment(self, file: OutboundFile) -> str:
        now = self._clock.now()
        known = self._uploaded.get(file.file_id)
        if known is not None and now - known[1] < _UPLOAD_KEPT:
            return known[0]
        attachment_id = await self.client.upload(
            file.kind, file.path, name=file.name, content_type=file.content_type
        )
        self._uploaded = {
            file_id: upload for file_id, upload in self._uploaded.items() if now - upload[1] < _UPLOAD_KEPT
        }
        self._uploaded[file.file_id] = (attachment_id, now)
        return attachment_id
