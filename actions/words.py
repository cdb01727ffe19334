"""Word lists of the actions, kept in `words.yml`."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import yaml

_FILE = Path(__file__).with_name("words.yml")


@cache
def _lists() -> dict[str, str]:
    with _FILE.open(encoding="utf-8") as lines:
        content: dict[str, str] = yaml.safe_load(lines)
    return content


def word_list(name: str) -> frozenset[str]:
    """Return the words (without marks, lower case) of a list of `words.yml`."""
    return frozenset(_lists()[name].split())
