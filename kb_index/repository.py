"""All SQL of the knowledge base."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from database.base import new_id
from kb_index.models import KbEntry
from kb_index.schemas import Article, Procedure

_BATCH = 500


@dataclass(frozen=True)
class StoredLayer:
    """One layer of an entry as it is stored."""

    key: str
    kind: str
    layer: str
    payload: dict[str, Any]


@dataclass(frozen=True)
class LayerRow:
    """One layer to be written."""

    entry: Procedure | Article
    layer: str
    content_hash: str
    source_file: str


class KbRepository:
    """Reads and writes `kb_entries` in the session given."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def layers(self) -> list[StoredLayer]:
        """Return every stored layer, by key and layer."""
        query = select(KbEntry.key, KbEntry.kind, KbEntry.layer, KbEntry.payload).order_by(
            KbEntry.key, KbEntry.layer
        )
        return [StoredLayer(*row) for row in (await self._session.execute(query)).all()]

    async def hashes(self, layer: str) -> dict[str, str]:
        """Return the content hash of every entry of a layer by its key."""
        query = select(KbEntry.key, KbEntry.content_hash).where(KbEntry.layer == layer)
        return dict((await self._session.execute(query)).all())

    async def add(self, rows: Sequence[LayerRow], now: datetime) -> None:
        """Insert layers that are not stored yet."""
        for start in range(0, len(rows), _BATCH):
            values = [{"id": new_id(), **_values(row, now)} for row in rows[start : start + _BATCH]]
            await self._session.execute(insert(KbEntry), values)

    async def replace(self, rows: Iterable[LayerRow], now: datetime) -> None:
        """Write new content over stored layers."""
        for row in rows:
            await self._session.execute(
                update(KbEntry)
                .where(KbEntry.key == row.entry.key, KbEntry.layer == row.layer)
                .values(**_values(row, now))
            )

    async def remove(self, layer: str, keys: Sequence[str]) -> None:
        """Delete entries of a layer."""
        for start in range(0, len(keys), _BATCH):
            part = keys[start : start + _BATCH]
            await self._session.execute(delete(KbEntry).where(KbEntry.layer == layer, KbEntry.key.in_(part)))

    async def counts(self) -> dict[tuple[str, str], int]:
        """Return how many entries there are by (kind, layer)."""
        query = select(KbEntry.kind, KbEntry.layer, func.count()).group_by(KbEntry.kind, KbEntry.layer)
        return {(kind, layer): number for kind, layer, number in (await self._session.execute(query)).all()}


def _values(row: LayerRow, now: datetime) -> dict[str, Any]:
    entry = row.entry
    return {
        "key": entry.key,
        "kind": entry.kind,
        "layer": row.layer,
        "payload": entry.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "content_hash": row.content_hash,
        "effective_from": entry.effective_from,
        "effective_to": entry.effective_to,
        "source_file": row.source_file,
        "imported_at": now,
    }
