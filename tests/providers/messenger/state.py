"""What the played Messenger knows: one page, its app, the people who write to it, what passed."""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import random
import struct
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

ALL_FIELDS = (
    "messages", "messaging_postbacks", "message_deliveries", "message_reads", "message_echoes",
    "messaging_referrals", "messaging_handovers", "standby", "message_reactions", "message_edits",
    "messaging_optins",
)  # fmt: skip
PAGE_INBOX_APP = 263902037430900


@dataclass(slots=True)
class Options:
    """How the played Messenger is set up; the app under test has to be given the same."""

    page_id: str = "108800000001022"
    page_name: str = "Tổng đài 1022 Gia Lai (giả lập)"
    app_id: str = "1022000000000001"
    app_secret: str = "played-app-secret"
    verify_token: str = "played-verify-token"
    page_token: str = "EAAplayedpagetoken"
    control_token: str = "control"
    webhook: str = ""
    public_url: str = ""
    subscribed: tuple[str, ...] = ALL_FIELDS
    scopes: tuple[str, ...] = ("pages_messaging", "pages_manage_metadata", "pages_show_list")
    has_human_agent: bool = True
    needs_proof: bool = True
    calls_per_second: int = 300
    answer_within: float = 5.0
    first_retry: float = 0.5
    most_tries: int = 8
    held_seconds: float = 0.3
    seed: int | None = None


@dataclass(slots=True)
class Faults:
    """What goes wrong, on demand.

    Attributes:
        down: the Graph API answers 503 with a page of HTML.
        latency_ms: every call takes this much longer.
        error_code, error_subcode: every send is refused with them.
        error_after: so many sends are still taken before.
        error_times: only so many; None: until it is taken back.
        drop_connection: "before": closed without an answer, nothing taken; "after": taken, but not answered.
        repeat_share, reorder_share, bad_signature_share: of the webhooks.
        batch_share: webhooks that wait a moment for others to be delivered with.
        echo_first_share: of the sends, whose echo comes before the call returns.
        lose_echo_share: of the sends, whose echo never comes.
        expire_token: the page's token does not work any more.
    """

    down: bool = False
    latency_ms: float = 0
    error_code: int | None = None
    error_subcode: int | None = None
    error_after: int = 0
    error_times: int | None = None
    drop_connection: bool | str = False
    repeat_share: float = 0
    reorder_share: float = 0
    bad_signature_share: float = 0
    batch_share: float = 0
    echo_first_share: float = 0
    lose_echo_share: float = 0
    expire_token: bool = False


@dataclass(slots=True)
class Person:
    """Somebody with a phone.

    Attributes:
        user: the name the control API calls them by.
        id: their page-scoped id.
        last_heard: when they last wrote to the page, by the played clock.
        screen: what their phone shows, oldest first.
        answered: set when something of the page has arrived.
    """

    user: str
    id: str
    name: str
    last_heard: datetime | None = None
    blocked: bool = False
    screen: list[dict[str, Any]] = field(default_factory=list)
    typing: bool = False
    answered: asyncio.Event = field(default_factory=asyncio.Event)

    def shown(self) -> list[dict[str, Any]]:
        """Return the screen as it is now."""
        typing = [{"from": "page", "kind": "typing"}] if self.typing else []
        return [*self.screen, *typing]


class State:
    """Everything, in memory."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.faults = Faults()
        self.people: dict[str, Person] = {}
        self.by_id: dict[str, Person] = {}
        self.attachments: dict[str, dict[str, Any]] = {}
        self.media: dict[str, tuple[bytes, str]] = {}
        self.profile: dict[str, Any] = {}
        self.subscribed: set[str] = set(options.subscribed)
        self.record: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.random = random.Random(options.seed)
        self.offset = timedelta()
        self._numbers = itertools.count(1)
        self._calls: deque[float] = deque()

    def now(self) -> datetime:
        """Return the time by the played clock, which can be put forward."""
        return datetime.now(UTC) + self.offset

    def milliseconds(self) -> int:
        """Return the time as Meta writes it."""
        return int(self.now().timestamp() * 1000)

    def person(self, user: str, name: str | None = None) -> Person:
        """Return somebody, who from now on exists."""
        found = self.people.get(user) or self.by_id.get(user)
        if found is None:
            digest = hashlib.blake2b(user.encode(), digest_size=7).digest()
            psid = user if user.isdigit() else str(10**16 + int.from_bytes(digest) % 10**16)
            found = Person(user, psid, name or user)
            self.people[user] = self.by_id[psid] = found
        elif name:
            found.name = name
        return found

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

    def happens(self, share: float) -> bool:
        """Tell, with this probability, yes."""
        return share > 0 and self.random.random() < share

    def note(self, kind: str, **what: Any) -> None:
        """Write something on the record."""
        self.record.append({"at": datetime.now(UTC).isoformat(), "kind": kind, **what})

    def keep_media(self, content: bytes, content_type: str) -> str:
        """Keep a file as Meta's storage would; return its address."""
        key = f"{len(self.media) + 1}"
        self.media[key] = (content, content_type)
        return f"{self.options.public_url}/media/{key}"


def small_picture() -> bytes:
    """Return a PNG of 64 × 48 pixels, for a picture without content of its own."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\x00" + bytes((11, 92, 73)) * 64
    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row * 48))
        + chunk(b"IEND", b"")
    )
