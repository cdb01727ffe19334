'''The contract of a channel.

A connector does two things and knows nothing else of the product:

* it turns what its provider delivers into `InboundMessage`s and hands them to `Inbox.receive`, after it has
  checked
  that the provider sent them; it answers the provider only when `receive` has returned (the message is on
  disk);
* it sends one `OutboundMessage` and says what the provider said. It never retries, never reorders and never
  raises for what a provider can refuse: the outbox does the first two and needs the answer for the third.

An example, complete:

    class Example:
        """Sends by a provider with one HTTP call a message."""

        name = "example"
        capabilities = Capabilities(max_text=2000, buttons=False)

        def __init__(self, client: aiohttp.ClientSession) -> None:
            self._client = client

        async def send(self, message: OutboundMessage) -> SendResult:
            body = {"to": message.external_user_id, "text": message.text, "ref": message.id}
            try:
                async with self._client.post("/messages", json=body) as response:
                    answer = await response.json()
            except (aiohttp.ClientError, TimeoutError) as error:
                return SendResult.transient(type(error).__name__)
            if response.status == 429 or response.status >= 500:
                return SendResult.transient(f"http_{response.status}")
            if response.status >= 400:
                return SendResult.permanent(answer["code"])
            return SendResult.accepted(answer["id"])

Rules that come from providers' habits:

* "accepted" means that the provider took the message, nothing less.
* Classify by the provider's code, never by its words.
* Pass `message.id` where the provider allows a reference: an echo is then recognised by it.
* A crash may send the same message again with the same `id`; a channel that shows such a repeat only once
  says
  `repeatable=True`.
'''

from __future__ import annotations

from typing import Protocol, runtime_checkable

from conversations.channel_events import ChannelEvent
from conversations.schemas import Capabilities, InboundMessage, OutboundMessage, Received, SendResult

__all__ = [
    "Capabilities",
    "ChannelEvent",
    "Connector",
    "InboundMessage",
    "Intake",
    "OutboundMessage",
    "Received",
    "SendResult",
]


class Intake(Protocol):
    """Where a connector puts what its provider delivered; what it was given is on disk when it returns."""

    async def receive(self, message: InboundMessage) -> Received:
        """Take one message of a citizen; a repeat changes nothing.

        Raises:
            StorageUnavailableError: nothing was stored; the provider must deliver again.
        """
        ...

    async def note(self, event: ChannelEvent) -> None:
        """Take anything else; a repeat changes nothing.

        Raises:
            StorageUnavailableError: nothing was stored; the provider must deliver again.
        """
        ...


@runtime_checkable
class Connector(Protocol):
    """What every channel offers the outbox.

    Attributes:
        name: the channel, as it stands in `InboundMessage.channel`.
        capabilities: what the channel can show.
    """

    name: str
    capabilities: Capabilities

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand one message to the provider.

        Args:
            message: what to send; `text` fits `capabilities.max_text`.

        Returns:
            accepted with the provider's id, transient, or permanent, with a short error code.
        """
        ...
