"""Several bots as one: each conversation keeps to one of them, and goes to the next while that one is away.

Any bot can answer any conversation, because the trackers are in Redis. Keeping to one keeps two messages of a
conversation from meeting in two processes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence

from conversations.bot_client import BotClient, BotRequest
from conversations.errors import BotError
from conversations.schemas import BotTurn

_ELSEWHERE = {"bot_unreachable", "bot_resting", "bot_error_503"}
"""Failures after which the turn has not run, so that another bot may run it."""


class BotPool:
    """The bots at several addresses.

    Args:
        urls: their base addresses, at least one.
        token: the internal token.
        timeout: seconds a whole answer may take.
    """

    def __init__(self, urls: Sequence[str], token: str, *, timeout: float = 8.0) -> None:
        if not urls:
            raise ValueError("at least one bot is needed")
        self._clients = {url: BotClient(url, token, timeout=timeout) for url in urls}

    async def ask(self, request: BotRequest) -> BotTurn:
        """Return a bot's turn.

        Raises:
            BotError: as `BotClient.ask`; the last bot's where several failed.
        """
        failure = BotError("bot_unreachable")
        for url in self.order(request.conversation):
            try:
                return await self._clients[url].ask(request)
            except BotError as error:
                if error.reason not in _ELSEWHERE:
                    raise
                failure = error
        raise failure

    def order(self, conversation: str) -> list[str]:
        """Return the addresses in the order in which this conversation tries them.

        By rendezvous hashing: a bot more or less moves only its own share of the conversations.
        """

        def weight(url: str) -> bytes:
            return hashlib.blake2b(f"{url} {conversation}".encode(), digest_size=8).digest()

        return sorted(self._clients, key=weight)

    def resting(self) -> list[bool]:
        """Tell of each bot whether it is left alone because it has failed too often."""
        return [client.is_resting for client in self._clients.values()]

    async def is_ready(self) -> bool:
        """Tell whether any bot answers."""
        return any(await asyncio.gather(*(client.is_ready() for client in self._clients.values())))

    async def close(self) -> None:
        """Close the connections."""
        for client in self._clients.values():
            await client.close()
