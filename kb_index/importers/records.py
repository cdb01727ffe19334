"""What importers hand on: records and problems, and the limits every file is read within."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import ValidationError

from database.clock import LOCAL_ZONE
from kb_index.schemas import Article, Layer, Procedure

MAX_FILE_BYTES = 256 * 1024 * 1024
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")

Outcome = Literal["taken apart", "kept as text", "empty"]


class ImportRefusedError(ValueError):
    """A file as a whole cannot be imported; the message says why, for the person who runs the import."""


@dataclass(frozen=True)
class Record:
    """One entry read from a file; `outcomes` says per field how it fared (national portal only)."""

    entry: Procedure | Article
    layer: Layer
    file: str
    line: int
    outcomes: dict[str, Outcome] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """A record, or a whole file (line 0), that could not be imported, and why."""

    file: str
    line: int
    reason: str

    def __str__(self) -> str:
        """Return `file:line: reason`."""
        return f"{self.file}:{self.line}: {self.reason}" if self.line else f"{self.file}: {self.reason}"


def check_size(path: Path, limit: int = MAX_FILE_BYTES) -> None:
    """Refuse a file that is larger than `limit` bytes."""
    size = path.stat().st_size
    if size > limit:
        raise ImportRefusedError(f"the file has {size:,} bytes, more than the limit of {limit:,}")


def read_text(path: Path) -> str:
    """Return the UTF-8 text of a file within the size limit, without a byte-order mark."""
    check_size(path)
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ImportRefusedError(f"not UTF-8 text (byte {error.start})") from error


def file_day(path: Path) -> date:
    """Return the day a file was last written, in the province's time zone."""
    return datetime.fromtimestamp(path.stat().st_mtime, LOCAL_ZONE).date()


def clean(value: str) -> str:
    """Return the text without control characters and with plain line ends."""
    return _CONTROL.sub("", value.replace("\r\n", "\n").replace("\r", "\n")).strip()


def clean_all(value: Any) -> Any:
    """Return `value` with every string in it cleaned."""
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [clean_all(item) for item in value]
    if isinstance(value, dict):
        return {key: clean_all(item) for key, item in value.items()}
    return value


def explain(error: ValidationError) -> str:
    """Return a validation error as one line: where and what, for each fault (at most five)."""
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'record'}: {fault['msg']}"
        for fault in error.errors()
    ]
    more = f"; and {len(faults) - 5} more" if len(faults) > 5 else ""
    return "; ".join(faults[:5]) + more
