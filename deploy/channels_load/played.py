"""The played provider as the driver sees it: people who write, their phones, what goes wrong."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

import aiohttp

from deploy.local.providers import CONTROL_TOKEN

_PATIENCE = aiohttp.ClientTimeout(total=600)


@dataclass(frozen=True, slots=True)
class Shown:
    """One message on somebody's phone."""

    is_mine: bool
    text: str


class Played:
    """Talks to the control side of a played provider.

    Args:
        url: where it listens.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"Authorization": f"Bearer {CONTROL_TOKEN}"}
        self._http = aiohttp.ClientSession(headers=headers, timeout=_PATIENCE)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None
        await self._http.close()

    async def say(self, user: str, text: str) -> tuple[str, bool]:
        """Have somebody write; return the provider's id of it, and whether it will be signed as it should."""
        said = await self._post("say", {"user": user, "text": text})
        (mid,) = said["mids"]
        return str(mid), bool(said["good"])

    async def faults(self, **faults: Any) -> None:
        """Let things go wrong, or not any more."""
        await self._post("faults", faults)

    async def switch_on(self) -> bool:
        """Switch Zalo's deliveries on, as a person has to when it gave up; return whether they were off."""
        return not (await self._post("subscribe", {}))["was_on"]

    async def answers(self) -> int:
        """Return how many answers all phones show together."""
        return sum(user["answers"] for user in await self._get("users"))

    async def under_way(self) -> int:
        """Return how many deliveries are not over."""
        return int((await self._get("deliveries"))["under_way"])

    async def users(self) -> list[str]:
        """Return everybody who has written."""
        return [user["user"] for user in await self._get("users")]

    async def screen(self, user: str) -> list[Shown]:
        """Return what somebody's phone shows, oldest first."""
        return [
            Shown(one["from"] == "me", str(one.get("text") or ""))
            for one in await self._get("screen", user=user)
            if one.get("kind") != "typing"
        ]

    async def webhooks(self) -> list[dict[str, Any]]:
        """Return the provider's record of its deliveries."""
        found: list[dict[str, Any]] = await self._get("record", kind="webhook")
        return found

    async def _post(self, what: str, body: dict[str, Any]) -> Any:
        assert self._http is not None
        async with self._http.post(f"{self.url}/_control/{what}", json=body) as response:
            response.raise_for_status()
            return await response.json()

    async def _get(self, what: str, **query: str) -> Any:
        assert self._http is not None
        async with self._http.get(f"{self.url}/_control/{what}", params=query) as response:
            response.raise_for_status()
            return await response.json()
