"""What the played Zalo knows: one Official Account, one application, the people who write, what passed."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

from tests.providers.played import faults, state


@dataclass(slots=True)
class Options(state.Options):
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
    oa_id: str = "2210000000001022"
    oa_name: str = "Tổng đài 1022 Gia Lai (giả lập)"
    oa_secret: str = "played-oa-secret"
    redirect_uri: str = ""
    code_challenge: str | None = None
    first_term: str = "app_id"
    signing_secret: str = "oa_secret"
    buttons_allowed: bool = True
    cards_allowed: bool = True
    old_token_works: bool = False
    token_seconds: int = 90_000
    calls_per_minute: int = 60_000
    uploads_a_month: int = 5_000
    answer_within: float = 2.0


@dataclass(slots=True)
class Faults(faults.Faults):
    """What goes wrong, on demand.

    Attributes:
        hold_refresh: a refresh waits: "before" its token is used up, "after" that, until this is taken back.
    """

    hold_refresh: str | None = None


@dataclass(slots=True)
class Person(state.Person):
    """Somebody with a phone.

    Attributes:
        conversation: of somebody who is not known to the account.
    """

    follows: bool = False
    conversation: str | None = None


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


class State(state.State[Options, Faults, Person]):
    """Everything, in memory."""

    def __init__(self, options: Options) -> None:
        super().__init__(options, Faults(), Person, smallest_id=10**18)
        self.uploads: dict[str, Upload] = {}
        self.uploaded = 0
        self.codes: dict[str, str] = {}
        self.access: dict[str, AccessToken] = {}
        self.refresh: str | None = None
        self.refreshes = 0
        self.refreshing = 0
        self.most_refreshing = 0
        self.used_again = 0
        self.subscribed = True
        self._window = (0, 0)

    def milliseconds(self) -> str:
        """Return the time as Zalo writes it."""
        return str(int(self.now().timestamp() * 1000))

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


def challenge_of(verifier: str) -> str:
    """Return a PKCE verifier's challenge (S256)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
