"""Brings records into the store: new, changed, unchanged; one bad record never stops the others."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from database.clock import Clock, SystemClock
from database.engine import Database
from kb_index.importers import Problem, Record, read_path
from kb_index.repository import KbRepository, LayerRow
from kb_index.schemas import Article, Layer, Procedure

STARTER = Path(__file__).parent / "starter"


@dataclass
class ImportReport:
    """What an import did.

    Attributes:
        new, changed, unchanged, removed: keys by what became of them.
        problems: records and files that could not be imported, in the order they were met.
        fields: per field how many records were taken apart, kept as text, empty (national portal).
    """

    new: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    fields: dict[str, Counter[str]] = field(default_factory=dict)

    @property
    def imported(self) -> int:
        """Return how many records were read well."""
        return len(self.new) + len(self.changed) + len(self.unchanged)

    @property
    def differs(self) -> bool:
        """Return whether the store was changed."""
        return bool(self.new or self.changed or self.removed)

    def as_dict(self) -> dict[str, Any]:
        """Return the report as JSON can hold it."""
        return {
            "new": len(self.new),
            "changed": len(self.changed),
            "unchanged": len(self.unchanged),
            "removed": len(self.removed),
            "problems": [str(problem) for problem in self.problems],
            "fields": {name: dict(counts) for name, counts in self.fields.items()},
        }


async def import_records(
    database: Database,
    records: Iterable[Record | Problem],
    *,
    clock: Clock | None = None,
    prune: Layer | None = None,
) -> ImportReport:
    """Write `records` into the store in one transaction and return what happened.

    Args:
        database: the instance's database.
        records: what the importers yield.
        clock: tells when it was imported.
        prune: a layer whose entries are removed when they are not among the records (our starter base).
    """
    report = ImportReport()
    rows = _rows(records, report)
    now = (clock or SystemClock()).now()
    async with database.write() as session:
        repository = KbRepository(session)
        stored = {
            layer: await repository.hashes(layer)
            for layer in {row.layer for row in rows} | {prune or "starter"}
        }
        added, replaced = [], []
        for row in rows:
            known = stored[row.layer].get(row.entry.key)
            if known is None:
                report.new.append(row.entry.key)
                added.append(row)
            elif known != row.content_hash:
                report.changed.append(row.entry.key)
                replaced.append(row)
            else:
                report.unchanged.append(row.entry.key)
        await repository.add(added, now)
        await repository.replace(replaced, now)
        if prune is not None:
            seen = {row.entry.key for row in rows if row.layer == prune}
            report.removed = sorted(set(stored[prune]) - seen)
            await repository.remove(prune, report.removed)
    return report


async def import_starter(
    database: Database, *, clock: Clock | None = None, folder: Path = STARTER
) -> ImportReport:
    """Bring the starter base that comes with the program up to date in the store."""
    records: list[Record | Problem] = []
    for part in ("procedures", "articles"):
        if any((folder / part).glob("*.yml")):
            records += read_path(folder / part, yaml_layer="starter")
    return await import_records(database, records, clock=clock, prune="starter")


def _rows(records: Iterable[Record | Problem], report: ImportReport) -> list[LayerRow]:
    rows: dict[tuple[str, str], LayerRow] = {}
    lines: dict[tuple[str, str], str] = {}
    for record in records:
        if isinstance(record, Problem):
            report.problems.append(record)
            continue
        identity = (record.layer, record.entry.key)
        if identity in rows:
            reason = f"{record.entry.key} was already read from {lines[identity]}; this one is left out"
            report.problems.append(Problem(record.file, record.line, reason))
            continue
        rows[identity] = LayerRow(record.entry, record.layer, content_hash(record.entry), record.file)
        lines[identity] = f"{record.file}:{record.line}"
        for name, outcome in record.outcomes.items():
            report.fields.setdefault(name, Counter())[outcome] += 1
    return list(rows.values())


def content_hash(entry: Procedure | Article) -> str:
    """Return a hash of all that an entry says."""
    content = entry.model_dump(mode="json", exclude_defaults=True)
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
