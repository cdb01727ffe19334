"""What a provider tells besides messages: receipts, echoes, withdrawals, follows, and what we do not know."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from conversations.schemas import Attachment


@dataclass(frozen=True, slots=True)
class Receipt:
    """The citizen's device has, or the citizen has read, what we sent.

    Attributes:
        provider_message_ids: which messages; empty where the provider gives only a watermark.
        watermark: everything sent up to this moment.
    """

    channel: str
    external_user_id: str
    kind: Literal["delivered", "read"]
    at: datetime
    provider_message_ids: tuple[str, ...] = ()
    watermark: datetime | None = None


@dataclass(frozen=True, slots=True)
class Echo:
    """The provider repeats what was sent to a citizen from our account.

    Attributes:
        our_id: the id of our own message, where the provider gave our reference back.
        from_elsewhere: it was not sent by this system: a person answered in the provider's own tool.
    """

    channel: str
    external_user_id: str
    provider_message_id: str
    at: datetime
    text: str = ""
    attachments: tuple[Attachment, ...] = ()
    our_id: str | None = None
    from_elsewhere: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """The citizen took a message back: our copy of it goes too."""

    channel: str
    external_user_id: str
    provider_message_id: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Relation:
    """The citizen follows our account, or does not any more (then nothing can be sent)."""

    channel: str
    external_user_id: str
    kind: Literal["follow", "unfollow"]
    at: datetime


@dataclass(frozen=True, slots=True)
class OtherEvent:
    """An event without meaning for us, or one that we do not know: kept and counted.

    Attributes:
        name: the provider's name of it.
        payload: as it came.
        known: it is in the provider's list, we only have no use for it.
    """

    channel: str
    name: str
    payload: dict[str, Any]
    at: datetime
    known: bool = False


ChannelEvent = Receipt | Echo | Withdrawal | Relation | OtherEvent
