"""What every played provider knows: how it is set up, who writes to it, what passed, its clock and chance."""

from __future__ import annotations

import hashlib
import itertools
import random
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

from tests.providers.played.faults import Faults


@dataclass(slots=True)
class Options:
    """How a played provider is set up; the app under test has to be given the same.

    Attributes:
        webhook: the app's address; empty: nothing is delivered.
        public_url: where the provider itself is reached.
        answer_within: seconds the app has to acknowledge a webhook.
        first_retry: seconds to the second try; each further one takes twice as long.
    """

    app_id: str = ""
    app_secret: str = "played-app-secret"
    control_token: str = "control"
    webhook: str = ""
    public_url: str = ""
    answer_within: float = 5.0
    first_retry: float = 0.5
    most_tries: int = 8
    seed: int | None = None


@dataclass(slots=True)
class Person:
    """Somebody with a phone.

    Attributes:
        user: the name the control API calls them by.
        id: their id with the provider.
        last_heard: when they last did something, by the played clock.
        screen: what their phone shows, oldest first.
    """

    user: str
    id: str
    name: str
    last_heard: datetime | None = None
    blocked: bool = False
    screen: list[dict[str, Any]] = field(default_factory=list)

    def shown(self) -> list[dict[str, Any]]:
        """Return the screen as it is now."""
        return self.screen


PersonT = TypeVar("PersonT", bound=Person)
OptionsT = TypeVar("OptionsT", bound=Options)
FaultsT = TypeVar("FaultsT", bound=Faults)


class State(Generic[OptionsT, FaultsT, PersonT]):
    """Everything, in memory.

    Args:
        options: as the app under test is set up.
        faults: none of them at first.
        person: the provider's kind of people.
        smallest_id: ids of people have as many digits.
    """

    def __init__(self, options: OptionsT, faults: FaultsT, person: type[PersonT], smallest_id: int) -> None:
        self.options = options
        self.faults = faults
        self.people: dict[str, PersonT] = {}
        self.by_id: dict[str, PersonT] = {}
        self.media: dict[str, tuple[bytes, str]] = {}
        self.record: deque[dict[str, Any]] = deque(maxlen=200_000)
        self.random = random.Random(options.seed)
        self.offset = timedelta()
        self._person = person
        self._smallest_id = smallest_id
        self._numbers = itertools.count(1)

    def now(self) -> datetime:
        """Return the time by the played clock, which can be put forward."""
        return datetime.now(UTC) + self.offset

    def person(self, user: str, name: str | None = None) -> PersonT:
        """Return somebody, who from now on exists."""
        found = self.find(user)
        if found is None:
            found = self._person(user, user if user.isdigit() else self._id_of(user), name or user)
            self.people[user] = self.by_id[found.id] = found
        elif name:
            found.name = name
        return found

    def find(self, user: str) -> PersonT | None:
        """Return somebody by name or id."""
        return self.people.get(user) or self.by_id.get(user)

    def _id_of(self, user: str) -> str:
        size = (self._smallest_id.bit_length() + 7) // 8
        digest = hashlib.blake2b(user.encode(), digest_size=size).digest()
        return str(self._smallest_id + int.from_bytes(digest, "big") % self._smallest_id)

    def happens(self, share: float) -> bool:
        """Tell, with this probability, yes."""
        return share > 0 and self.random.random() < share

    def note(self, kind: str, **what: Any) -> None:
        """Write something on the record."""
        self.record.append({"at": datetime.now(UTC).isoformat(), "kind": kind, **what})

    def keep_media(self, content: bytes, content_type: str) -> str:
        """Keep a file as the provider's storage would; return its address."""
        key = f"{len(self.media) + 1}"
        self.media[key] = (content, content_type)
        return f"{self.options.public_url}/media/{key}"


AnyState = State[Any, Any, Any]
