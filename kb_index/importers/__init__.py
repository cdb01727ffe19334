"""Importers: each reads one kind of file and yields records and problems."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

from kb_index.importers.portal import read_portal
from kb_index.importers.records import ImportRefusedError, Problem, Record
from kb_index.importers.sheets import ColumnMap, read_sheet
from kb_index.importers.yaml_files import read_yaml
from kb_index.schemas import Layer

SUFFIXES = (".csv", ".json", ".jsonl", ".xlsx", ".yaml", ".yml")


def read_path(
    path: Path,
    *,
    columns: ColumnMap | None = None,
    checked_on: date | None = None,
    yaml_layer: Layer = "sheet",
) -> Iterator[Record | Problem]:
    """Yield records and problems of a file, or of every known file in a folder (in the order of their names).

    A file that cannot be read as a whole is one problem; the others go on.

    Raises:
        ImportRefusedError: there is no such path, or nothing in it that can be imported.
    """
    if path.is_dir():
        files = sorted(
            item
            for item in path.rglob("*")
            if item.suffix.lower() in SUFFIXES and item.is_file() and item.name[0] != "."
        )
        if not files:
            raise ImportRefusedError(f"no file with one of {', '.join(SUFFIXES)} in {path}")
    elif path.is_file():
        files = [path]
    else:
        raise ImportRefusedError(f"no such file or folder: {path}")
    for file in files:
        try:
            yield from _read_file(file, columns or ColumnMap(), checked_on, yaml_layer)
        except ImportRefusedError as error:
            yield Problem(file.name, 0, str(error))


def _read_file(
    file: Path, columns: ColumnMap, checked_on: date | None, yaml_layer: Layer
) -> Iterator[Record | Problem]:
    match file.suffix.lower():
        case ".yml" | ".yaml":
            return read_yaml(file, yaml_layer)
        case ".json" | ".jsonl":
            return read_portal(file, checked_on)
        case ".csv" | ".xlsx":
            return read_sheet(file, columns, checked_on)
        case other:
            raise ImportRefusedError(
                f"files {other or 'without a suffix'} cannot be imported: {', '.join(SUFFIXES)}"
            )


__all__ = ["SUFFIXES", "ColumnMap", "ImportRefusedError", "Problem", "Record", "read_path"]
