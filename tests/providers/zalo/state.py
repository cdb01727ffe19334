"""What the played Zalo knows: one Official Account, one application, the people who write, what passed."""

from __future__ import annotations

import base64
import hashlib
import itertools
import random
import secrets
import struct
import time
import zlib
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any


@dataclass(slots=True)
class Options:
    """How the played Zalo is set up; the app under test has to be given the same.

    Attributes:
        first_term: what the webhooks' signature begins with; the sources name both.
        signing_secret: which secret it ends with; the sources name both.
        buttons_allowed: whether a text may carry buttons; disputed.
        cards_allowed: whether the account's tier has the card that asks for contact data.
        old_token_works: whether an access token works on when its pair was renewed; unknown.
        code_challenge: the PKCE challenge set in the application; None: the one in the address.
        token_seconds: life of an access token.
    """

    app_id: str = "3799890000001022"
    app_secret: str = "played-app-secret"
    oa_id: str = "2210000000001022"
    oa_name: str = "Tổng đài 1022 Gia Lai (giả lập)"
    oa_secret: str = "played-oa-secret"
    control_token: str = "control"
    webhook: str = ""
    redirect_uri: str = ""
    code_challenge: str | None = None
    public_url: str = ""
    first_term: str = "app_id"
    signing_secret: str = "oa_secret"
    buttons_allowed: bool = True
    cards_allowed: bool = True
    old_token_works: bool = False
    token_seconds: int = 90_000
    calls_per_minute: int = 60_000
    uploads_a_month: int = 5_000
    answer_within: float = 2.0
    first_retry: float = 0.5
    most_tries: int = 8
    seed: int | None = None


@dataclass(slots=True)
class Faults:
    """What goes wrong, on demand.

    Attributes:
        down: everything of the provider answers 502 with a page of HTML.
        latency_ms: every call takes this much longer.
        error_code: every send is refused with it, as HTTP 200.
        error_times: only so many; None: until it is taken back.
        drop_connection: "before": closed without an answer, nothing taken; "after": taken, but not answered.
        repeat_share, reorder_share, bad_signature_share: of the webhooks.
        lose_echo_share: of the sends, whose echo never comes.
        expire_token: access tokens given out so far do not work any more.
        hold_refresh: a refresh waits: "before" its token is used up, "after" that, until this is taken back.
    """

    down: bool = False
    latency_ms: float = 0
    error_code: int | None = None
    error_times: int | None = None
    drop_connection: bool | str = False
    repeat_share: float = 0
    reorder_share: float = 0
    bad_signature_share: float = 0
    lose_echo_share: float = 0
    expire_token: bool = False
    hold_refresh: str | None = None


@dataclass(slots=True)
class Person:
    """Somebody with a phone.

    Attributes:
        user: the name the control API calls them by.
        id: their id with this account.
        last_heard: when they last did something with the account, by the played clock.
        conversation: of somebody who is not known to the account.
        screen: what their phone shows, oldest first.
    """

    user: str
    id: str
    name: str
    last_heard: datetime | None = None
    follows: bool = False
    blocked: bool = False
    conversation: str | None = None
    screen: list[dict[str, Any]] = field(default_factory=list)


@dataclass(slots=True)
class AccessToken:
    """An access token that was given out."""

    expires_at: datetime
    is_void: bool = False


@dataclass(slots=True)
class Upload:
    """A picture or file that can be sent until it is dropped."""

    kind: str
    url: str
    name: str
    expires_at: datetime


class State:
    """Everything, in memory."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.faults = Faults()
        self.people: dict[str, Person] = {}
        self.by_id: dict[str, Person] = {}
        self.uploads: dict[str, Upload] = {}
        self.uploaded = 0
        self.media: dict[str, tuple[bytes, str]] = {}
        self.codes: dict[str, str] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: str | None = None
        self.refreshes = 0
        self.refreshing = 0
        self.most_refreshing = 0
        self.used_again = 0
        self.subscribed = True
        self.record: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.random = random.Random(options.seed)
        self.offset = timedelta()
        self._numbers = itertools.count(1)
        self._window = (0, 0)

    def now(self) -> datetime:
        """Return the time by the played clock, which can be put forward."""
        return datetime.now(UTC) + self.offset

    def milliseconds(self) -> str:
        """Return the time as Zalo writes it."""
        return str(int(self.now().timestamp() * 1000))

    def person(self, user: str, name: str | None = None) -> Person:
        """Return somebody, who from now on exists."""
        found = self.people.get(user) or self.by_id.get(user)
        if found is None:
            digest = hashlib.blake2b(user.encode(), digest_size=8).digest()
            number = user if user.isdigit() else str(10**18 + int.from_bytes(digest, "big") % 10**18)
            found = Person(user, number, name or user)
            self.people[user] = self.by_id[number] = found
        elif name:
            found.name = name
        return found

    def new_message_id(self) -> str:
        """Return a new message id of Zalo's shape."""
        return hashlib.blake2b(f"{next(self._numbers)}".encode(), digest_size=10).hexdigest()

    def new_pair(self) -> dict[str, str]:
        """Give out a pair of tokens; the earlier refresh token stops working."""
        access, self.refresh = (secrets.token_urlsafe(60) for _ in range(2))
        if not self.options.old_token_works:
            self.expire_tokens()
        life = self.options.token_seconds
        self.access[access] = AccessToken(self.now() + timedelta(seconds=life))
        return {"access_token": access, "refresh_token": self.refresh, "expires_in": str(life)}

    def expire_tokens(self) -> None:
        """Make all access tokens void."""
        for token in self.access.values():
            token.is_void = True

    def count_call(self) -> int:
        """Count a call; return how many are left of this minute's, negative beyond the limit."""
        minute = int(time.monotonic() // 60)
        before, count = self._window
        self._window = (minute, count + 1 if before == minute else 1)
        return self.options.calls_per_minute - self._window[1]

    def happens(self, share: float) -> bool:
        """Tell, with this probability, yes."""
        return share > 0 and self.random.random() < share

    def note(self, kind: str, **what: Any) -> None:
        """Write something on the record."""
        self.record.append({"at": datetime.now(UTC).isoformat(), "kind": kind, **what})

    def keep_media(self, content: bytes, content_type: str) -> str:
        """Keep a file as Zalo's storage would; return its address."""
        key = f"{len(self.media) + 1}"
        self.media[key] = (content, content_type)
        return f"{self.options.public_url}/media/{key}"


def challenge_of(verifier: str) -> str:
    """Return a PKCE verifier's challenge (S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def small_picture() -> bytes:
    """Return a PNG of 64 × 48 pixels, for a picture without content of its own."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    row = b"\x00" + bytes((0, 104, 255)) * 64
    head = struct.pack(">IIBBBBB", 64, 48, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(row * 48))
        + chunk(b"IEND", b"")
    )
