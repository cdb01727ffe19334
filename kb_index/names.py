"""What people call procedures: everyday names by code, for procedures whose facts come from elsewhere.

The starter base carries the names of its own entries. These are for the many others that an import brings: an
official title alone is found by those who know the official words.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

STARTER_NAMES = Path(__file__).parent / "starter" / "names"
# Names accepted while labelling; they add to those of the other files.
LEARNED = "learned.yml"

# The C parser reads the same language ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Names:
    """What people call one procedure, and what sounds alike but is another."""

    names: tuple[str, ...]
    not_meant: tuple[str, ...] = ()


@cache
def load_names(folder: Path = STARTER_NAMES) -> dict[str, Names]:
    """Return the names by code; a missing folder has none.

    Raises:
        ValueError: a file holds something else, or names a code that another line names too.
    """
    found: dict[str, Names] = {}
    for file in sorted(folder.glob("*.yml"), key=lambda path: (path.name == LEARNED, path.name)):
        for number, entry in enumerate(_entries(file), start=1):
            try:
                code, names = str(entry["code"]), tuple(map(str, entry["names"]))
            except (KeyError, TypeError) as error:
                raise ValueError(f"{file.name}, entry {number}: needs a code and names") from error
            not_meant = tuple(map(str, entry.get("not") or ()))
            if (known := found.get(code)) is not None:
                if file.name != LEARNED:
                    raise ValueError(f"{file.name}, entry {number}: {code} has names already")
                names = tuple(dict.fromkeys(known.names + names))
                not_meant = tuple(dict.fromkeys(known.not_meant + not_meant))
            found[code] = Names(names, not_meant)
    return found


def _entries(file: Path) -> Iterable[Any]:
    entries = yaml.load(file.read_text(encoding="utf-8"), Loader=_Loader) or []  # noqa: S506 - a safe loader
    if not isinstance(entries, list):
        raise ValueError(f"{file.name} must hold a list")
    return entries
