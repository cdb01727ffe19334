"""Index versions on disk: built aside, checked by hash, pointed at by one file that is replaced whole."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

_KEPT = 2
_MANIFEST = "manifest.json"


class IndexDamagedError(RuntimeError):
    """An index version is missing, incomplete or not what was written."""


@dataclass(frozen=True)
class Version:
    """One index version; `manifest` is what its builder noted."""

    number: int
    folder: Path
    manifest: dict[str, Any]


class Versions:
    """The index versions of an instance, in `data_dir`/kb."""

    def __init__(self, data_dir: Path) -> None:
        self._root = data_dir / "kb" / "index"
        self._pointer = data_dir / "kb" / "CURRENT"

    def current_number(self) -> int | None:
        """Return the number of the live version, None when there is none."""
        try:
            return int(self._pointer.read_text(encoding="ascii").strip())
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise IndexDamagedError(f"{self._pointer.name} does not hold a number") from error

    def current(self) -> Version:
        """Return the live version, its files checked.

        Raises:
            IndexDamagedError: there is none, or a file is missing or changed.
        """
        number = self.current_number()
        if number is None:
            raise IndexDamagedError("no index has been built")
        folder = self._root / str(number)
        try:
            manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
            files = manifest["files"].items()
        except (OSError, ValueError, KeyError, AttributeError) as error:
            raise IndexDamagedError(f"index {number} has no readable manifest") from error
        for name, digest in files:
            file = folder / name
            if not file.is_file() or _digest(file) != digest:
                raise IndexDamagedError(f"index {number}: {name} is missing or changed")
        return Version(number, folder, manifest)

    def publish(self, write: Callable[[Path], dict[str, Any]]) -> int:
        """Build a new version and make it the live one.

        Args:
            write: fills the empty folder it is given and returns what goes into the manifest.

        Returns:
            The number of the new version.
        """
        self._root.mkdir(parents=True, exist_ok=True)
        numbers = [int(item.name) for item in self._root.iterdir() if item.name.isdigit()]
        number = max([*numbers, 0]) + 1
        aside = self._root / f".building-{number}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir()
        manifest = write(aside)
        files = {
            str(file.relative_to(aside)): _digest(file) for file in sorted(aside.rglob("*")) if file.is_file()
        }
        (aside / _MANIFEST).write_text(json.dumps({**manifest, "files": files}, indent=1), encoding="utf-8")
        aside.rename(self._root / str(number))
        _replace(self._pointer, f"{number}\n")
        self._prune(number)
        return number

    def _prune(self, number: int) -> None:
        """Delete versions older than the last few, and what interrupted builds left."""
        for item in self._root.iterdir():
            stale = item.name.isdigit() and int(item.name) <= number - _KEPT
            if stale or item.name.startswith(".building-"):
                shutil.rmtree(item, ignore_errors=True)


def _replace(file: Path, content: str) -> None:
    beside = file.with_name(f"{file.name}.new")
    with beside.open("w", encoding="ascii") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    beside.replace(file)


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
