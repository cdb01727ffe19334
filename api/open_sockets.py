"""The WebSocket connections a process has open: how many there may be, and why one is closed."""

from __future__ import annotations

from collections import defaultdict
from enum import IntEnum
from typing import Protocol

_MOST_OF_ONE_VISITOR = 10


class Close(IntEnum):
    """Why the server closes a connection."""

    FRAME_TOO_LARGE = 1009
    TRY_LATER = 1013
    BAD_TOKEN = 4401
    FOREIGN_SITE = 4403
    SILENT = 4408
    FLOOD = 4429
    TOO_MANY = 4430
    TOO_SLOW = 4508


class Socket(Protocol):
    """A connection, as far as it is ended from outside."""

    def end(self, code: Close) -> None:
        """End the connection."""
        ...


class Sockets:
    """The open connections of one process.

    Args:
        most: connections at once; more are told to try later, and use HTTP meanwhile.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._of_visitor: dict[str, list[Socket]] = defaultdict(list)
        self.open = 0

    @property
    def is_full(self) -> bool:
        """Whether no further connection is taken."""
        return self.open >= self._most

    def add(self, visitor: str, socket: Socket) -> None:
        """Note a connection; of too many of one visitor the oldest ends."""
        mine = self._of_visitor[visitor]
        mine.append(socket)
        if len(mine) > _MOST_OF_ONE_VISITOR:
            mine[0].end(Close.TOO_MANY)

    def remove(self, visitor: str, socket: Socket) -> None:
        """Forget a connection."""
        mine = self._of_visitor[visitor]
        mine.remove(socket)
        if not mine:
            del self._of_visitor[visitor]
