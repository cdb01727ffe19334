"""The knowledge base for people at the desk: our own, or that of the process of the bot's actions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import aiohttp

from kb_index.schemas import Article, Procedure

if TYPE_CHECKING:
    from kb_index.service import Hit, KnowledgeBase

_SECONDS = 5.0


class KnowledgeAwayError(Exception):
    """There is no knowledge base to ask just now."""


class KnowledgeLink:
    """Searches and reads the knowledge base wherever it is.

    Args:
        own: returns this process's own, None where it has none.
        url: base address of the other process's `/internal/knowledge`; empty: there is no other.
        token: the internal token.
    """

    def __init__(self, own: Callable[[], KnowledgeBase | None], url: str, token: str) -> None:
        self._own = own
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {token}"}
        self._http: aiohttp.ClientSession | None = None

    async def find(self, text: str, *, limit: int) -> list[dict[str, Any]]:
        """Return what `text` may be about, best first, as dicts of `kb_index.service.Hit`'s fields.

        Raises:
            KnowledgeAwayError: nobody can say.
        """
        base = self._own()
        if base is not None:
            return await found_in(base, text, limit)
        status, body = await self._get("/search", {"q": text, "limit": str(limit)})
        if status != 200:
            raise KnowledgeAwayError(str(status))
        hits: list[dict[str, Any]] = body["hits"]
        return hits

    async def entry(self, code: str) -> Procedure | Article | None:
        """Return the entry with this code, None when there is none or it is not in force.

        Raises:
            KnowledgeAwayError: nobody can say.
        """
        base = self._own()
        if base is not None:
            return base.get(code)
        status, body = await self._get("/entry", {"code": code})
        if status == 404:
            return None
        if status != 200:
            raise KnowledgeAwayError(str(status))
        return (Procedure if body["kind"] == "procedure" else Article).model_validate(body["entry"])

    async def is_there(self) -> bool:
        """Tell whether there is a knowledge base to ask."""
        try:
            await self.entry("-")
        except KnowledgeAwayError:
            return False
        return True

    async def close(self) -> None:
        """Close the connections."""
        if self._http is not None:
            await self._http.close()
            self._http = None

    async def _get(self, path: str, parameters: dict[str, str]) -> tuple[int, Any]:
        if not self._url:
            raise KnowledgeAwayError("none")
        if self._http is None:
            timeout = aiohttp.ClientTimeout(total=_SECONDS)
            self._http = aiohttp.ClientSession(timeout=timeout, headers=self._headers)
        try:
            async with self._http.get(self._url + path, params=parameters) as response:
                return response.status, await response.json()
        except (aiohttp.ClientError, TimeoutError) as error:
            raise KnowledgeAwayError(type(error).__name__) from error


async def found_in(base: KnowledgeBase, text: str, limit: int) -> list[dict[str, Any]]:
    """Return the hits of a search as dicts; it runs in a thread, nobody else waits for it."""
    hits: list[Hit] = (await asyncio.to_thread(base.search, text, limit=limit)).hits
    return [asdict(hit) for hit in hits]
