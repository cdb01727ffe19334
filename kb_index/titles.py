"""What entries are called, read from the database alone: for processes that have no index open."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from kb_index.models import KbEntry

_LAYERS = ("starter", "portal", "sheet")
"""The later ones win, as in `merging`."""


async def titles(session: AsyncSession, codes: Sequence[str]) -> dict[str, str]:
    """Return short name or title of entries by code; unknown codes are left out."""
    if not codes:
        return {}
    query = select(KbEntry.key, KbEntry.layer, KbEntry.payload).where(KbEntry.key.in_(codes))
    found: dict[str, tuple[int, str]] = {}
    for key, layer, payload in await session.execute(query):
        name = str(payload.get("short_name") or payload.get("title") or "")
        rank = _LAYERS.index(layer) if layer in _LAYERS else -1
        if name and rank >= found.get(key, (-2, ""))[0]:
            found[key] = (rank, name)
    return {key: name for key, (_, name) in found.items()}
