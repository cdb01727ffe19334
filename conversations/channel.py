"""What the outbox needs of a channel, and the right to send in a conversation."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import structlog

from conversations.schemas import Capabilities, OutboundMessage, SendResult

log = structlog.get_logger(__name__)

_TYPING_SECONDS = 2.0


class Channel(Protocol):
    """The way to the citizens of one channel; `connectors.base.Connector` describes it in full."""

    name: str
    capabilities: Capabilities

    async def send(self, message: OutboundMessage) -> SendResult:
        """Hand one message to the provider and return what it said."""
        ...


@runtime_checkable
class ShowsTyping(Protocol):
    """A channel that can show that an answer is being written (`Capabilities.typing`)."""

    async def typing(self, external_user_id: str) -> None:
        """Show it for some seconds."""
        ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """The right to send what is about to be written.

    Attributes:
        claim: the conversation's send claim; None for a channel that needs none.
        changes: what the writer sets on the conversation in the same unit of work.
    """

    claim: str | None = None
    changes: dict[str, Any] = field(default_factory=dict)


async def show_typing(connector: ShowsTyping, external_user_id: str) -> None:
    """Show it, briefly and without fail."""
    try:
        async with asyncio.timeout(_TYPING_SECONDS):
            await connector.typing(external_user_id)
    except Exception as error:
        # A sign of politeness: whether it was seen matters to nobody.
        log.debug("typing_not_shown", error=type(error).__name__)
