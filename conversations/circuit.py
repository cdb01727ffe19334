"""One switch a channel: whether its provider is asked at all, or left alone until it works again.

Without it every waiting message would find out for itself that the provider is down, and would sleep on in
its own long pause when it is back. With it one message a few seconds asks, the others wait in the database
without using up their tries, and all of them go at once when an answer comes. Each process has its own.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Literal, Protocol

import structlog

from conversations.schemas import SendResult
from database.clock import Clock

log = structlog.get_logger(__name__)

State = Literal["ok", "down", "limited", "auth"]

_FAILURES = 3
_PROBE = timedelta(seconds=2)
_AUTH_PROBE = timedelta(seconds=10)
_LONGEST_LIMIT = 600.0


class ChannelObserver(Protocol):
    """Whoever keeps count of what passes through the channels."""

    def sent(self, channel: str, result: SendResult) -> None:
        """One try to send, and what the provider said."""
        ...

    def state(self, channel: str, state: State, error: str | None) -> None:
        """A channel's switch has moved."""
        ...

    def event(self, channel: str, kind: str) -> None:
        """The provider delivered something."""
        ...


class Nobody:
    """Counts nothing."""

    def sent(self, channel: str, result: SendResult) -> None:
        """Count nothing."""

    def state(self, channel: str, state: State, error: str | None) -> None:
        """Count nothing."""

    def event(self, channel: str, kind: str) -> None:
        """Count nothing."""


class Circuit:
    """The switch of one channel.

    Args:
        channel: its name.
        clock: tells when the provider may be asked again.

    Attributes:
        state: `ok`: send; `down`: the provider failed several times in a row; `limited`: it asked for a
            pause; `auth`: it does not accept our credentials.
    """

    def __init__(self, channel: str, clock: Clock) -> None:
        self.channel = channel
        self.state: State = "ok"
        self.is_probing = False
        self._clock = clock
        self._failures = 0
        self._probe_at = clock.now()

    @property
    def is_closed(self) -> bool:
        """Whether everything may be sent."""
        return self.state == "ok"

    @property
    def probe_is_due(self) -> bool:
        """Whether one message should find out how the provider is."""
        return not self.is_closed and not self.is_probing and self._clock.now() >= self._probe_at

    def note(self, result: SendResult) -> bool:
        """Take in what the provider said; return whether the switch has moved."""
        before = self.state
        if result.status in ("accepted", "permanent"):
            # Also a refusal is an answer.
            self._failures = 0
            self.state = "ok"
        elif result.status == "auth":
            self._open("auth", _AUTH_PROBE)
        elif result.retry_after is not None:
            self._open("limited", timedelta(seconds=min(max(result.retry_after, 0.0), _LONGEST_LIMIT)))
        else:
            self._failures += 1
            if self._failures >= _FAILURES or before != "ok":
                self._open("down", _PROBE)
        if self.state == before:
            return False
        if self.state == "auth":
            log.error("channel_needs_login", channel=self.channel, reason=result.error)
        elif self.state == "ok":
            log.info("channel_back", channel=self.channel, was=before)
        else:
            log.warning("channel_paused", channel=self.channel, state=self.state, reason=result.error)
        return True

    def _open(self, state: State, pause: timedelta) -> None:
        self.state = state
        self._probe_at = self._clock.now() + pause
