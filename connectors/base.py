'''The contract of a channel.

A connector does two things and knows nothing else of the product:

* it turns what its provider delivers into `InboundMessage`s and `ChannelEvent`s and hands them to an
  `Intake`, after it has checked that the provider sent them; it answers the provider only when `receive` or
  `note` has returned (it is on disk then);
* it sends one `OutboundMessage` and says what the provider said. It never retries, never reorders and never
  raises for what a provider can refuse: the outbox does the first two and needs the answer for the third.

An example, complete; `tests/connectors/test_conformance.py` runs it, as it stands here, through the suite
that every connector passes:

    class Example:
        """A provider with one call for sending and signed deliveries of one message each."""

        name = "example"
        capabilities = Capabilities(max_text=2000, buttons=False, reorders=True)

        def __init__(self, client: aiohttp.ClientSession, url: str, secret: str) -> None:
            self._client = client
            self._url = url
            self._secret = secret.encode()

        async def deliver(self, body: bytes, signature: str, intake: Intake) -> bool:
            """Take a delivery; False: somebody else sent it. Answer the provider when this has returned."""
            expected = hmac.new(self._secret, body, "sha256").hexdigest()
            if not hmac.compare_digest(expected.encode(), signature.encode()):
                return False
            told = json.loads(body)
            at = datetime.fromtimestamp(told["at"] / 1000, UTC)
            if "text" not in told:
                await intake.note(OtherEvent(self.name, told["event"], told, at))
                return True
            await intake.receive(
                InboundMessage(
                    channel=self.name,
                    external_user_id=told["from"],
                    provider_message_id=told["id"],
                    text=told["text"],
                    provider_timestamp=at,
                )
            )
            return True

        async def send(self, message: OutboundMessage) -> SendResult:
            body = {"to": message.external_user_id, "text": message.text, "ref": message.id}
            try:
                async with self._client.post(f"{self._url}/messages", json=body) as response:
                    if response.status == 401:
                        return SendResult.auth("http_401")
                    if response.status == 429:
                        pause = float(response.headers.get("Retry-After", 5))
                        return SendResult.transient("http_429", retry_after=pause)
                    if response.status >= 500:
                        return SendResult.transient(f"http_{response.status}")
                    answer = await response.json()
                    if response.status >= 400:
                        return SendResult.permanent(answer["code"])
                    return SendResult.accepted(answer["id"])
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError) as error:
                return SendResult.transient(type(error).__name__)

A connector that can show that an answer is being written says `typing=True` and has a method
`async def typing(self, external_user_id: str) -> None`.

Rules that come from providers' habits:

* "accepted" means that the provider took the message, nothing less.
* Classify by the provider's code, never by its words. `auth` pauses the whole channel, `retry_after` too.
* Pass `message.id` where the provider allows a reference: an echo is then recognised by it.
* A crash may send the same message again with the same `id`; a channel that shows such a repeat only once
  says `repeatable=True`. Where the provider tells what was sent from our account (`echoes=True`, and `Echo`s
  are noted) a message that may have gone out waits for its echo first.
* Webhooks come again, late and in any order: `provider_timestamp` is the provider's, and `reorders=True` has
  each message wait a moment for earlier ones.
* What citizens say, their names and ids are never logged.
'''

from __future__ import annotations

from typing import Protocol, runtime_checkable

from conversations.channel_events import ChannelEvent, Echo, OtherEvent, Receipt, Relation, Withdrawal
from conversations.schemas import Capabilities, InboundMessage, OutboundMessage, Received, SendResult

__all__ = [
    "Capabilities",
    "ChannelEvent",
    "Connector",
    "Echo",
    "InboundMessage",
    "Intake",
    "OtherEvent",
    "OutboundMessage",
    "Receipt",
    "Received",
    "Relation",
    "SendResult",
    "Withdrawal",
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
            accepted with the provider's id; transient, auth or permanent with a short error code.
        """
        ...
