"""Ends background tasks for certain."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

_ASKED_AGAIN_AFTER = 0.2


async def end_tasks(tasks: Iterable[asyncio.Task[None]]) -> None:
    """Cancel tasks and wait until they are over.

    A library may lose a cancellation that arrives just when a connection is made or broken, and a loop that
    runs for ever would then do so; so it is asked again until it ends.
    """
    left = {task for task in tasks if not task.done()}
    while left:
        for task in left:
            task.cancel()
        _over, left = await asyncio.wait(left, timeout=_ASKED_AGAIN_AFTER)
