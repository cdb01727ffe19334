"""How the sender of a ticket is told: a port that whoever knows the channels fills in."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncSession


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing to tell one conversation; `key` is the same however often it is written."""

    conversation_id: str
    text: str
    key: str


class Notices(Protocol):
    """Tells people on the channel they used."""

    async def write(self, session: AsyncSession, notice: Notice) -> bool:
        """Write a notice in the unit of work of the change it tells of.

        Returns:
            False where nothing can be sent to that conversation: somebody has to call.
        """
        ...

    async def send(self, conversation_ids: Iterable[str]) -> None:
        """Send what was written, when the unit of work is done."""
        ...
