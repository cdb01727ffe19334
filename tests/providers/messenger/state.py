"""What the played Messenger knows: one page, its app, the people who write to it, what passed."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from tests.providers.played import faults, state

ALL_FIELDS = (
    "messages", "messaging_postbacks", "message_deliveries", "message_reads", "message_echoes",
    "messaging_referrals", "messaging_handovers", "standby", "message_reactions", "message_edits",
    "messaging_optins",
)  # fmt: skip
PAGE_INBOX_APP = 263902037430900


@dataclass(slots=True)
class Options(state.Options):
    """How the played Messenger is set up; the app under test has to be given the same."""

    page_id: str = "108800000001022"
    page_name: str = "Tổng đài 1022 Gia Lai (giả lập)"
    app_id: str = "1022000000000001"
    verify_token: str = "played-verify-token"
    page_token: str = "EAAplayedpagetoken"
    subscribed: tuple[str, ...] = ALL_FIELDS
    scopes: tuple[str, ...] = ("pages_messaging", "pages_manage_metadata", "pages_show_list")
    has_human_agent: bool = True
    needs_proof: bool = True
    calls_per_second: int = 300
    held_seconds: float = 0.3


@dataclass(slots=True)
class Faults(faults.Faults):
    """What goes wrong, on demand.

    Attributes:
        error_subcode: goes with the error code.
        error_after: so many sends are still taken before.
        batch_share: webhooks that wait a moment for others to be delivered with.
        echo_first_share: of the sends, whose echo comes before the call returns.
    """

    error_subcode: int | None = None
    error_after: int = 0
    batch_share: float = 0
    echo_first_share: float = 0


@dataclass(slots=True)
class Person(state.Person):
    """Somebody with a phone.

    Attributes:
        answered: set when something of the page has arrived.
    """

    typing: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def shown(self) -> list[dict[str, Any]]:
        """Return the screen as it is now."""
        typing = [{"from": "page", "kind": "typing"}] if self.typing else []
        return [*self.screen, *typing]


class State(state.State[Options, Faults, Person]):
    """Everything, in memory."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, Faults(), Person, smallest_id=10**16)
        self.attachments: dict[str, dict[str, Any]] = {}
        self.profile: dict[str, Any] = {}
        self.subscribed: set[str] = set(options.subscribed)
        self._calls: deque[float] = deque()

    def milliseconds(self) -> int:
        """Return the time as Meta writes it."""
        return int(self.now().timestamp() * 1000)

    def new_mid(self) -> str:
        """Return a new message id of Meta's shape."""
        number = next(self._numbers)
        digest = hashlib.blake2b(f"{number}".encode(), key=self.options.app_id.encode()[:16], digest_size=24)
        return f"m_{digest.hexdigest()}{number:x}"

    def new_number(self) -> str:
        """Return a new id of an uploaded file."""
        return str(10**15 + next(self._numbers))

    def count_call(self) -> float:
        """Count a call; return which share of the limit the last second has used."""
        now = time.monotonic()
        while self._calls and self._calls[0] < now - 1:
            self._calls.popleft()
        self._calls.append(now)
        return len(self._calls) / self.options.calls_per_second
