"""The sentences the assistant and the pages can say, kept in `messages/*.yml`.

A file `messages/answer.yml` holds nested keys; `say("answer.fee.free")` finds a sentence in it and fills its
`{variables}`. A missing key or variable is a programmer's error and raises, so that a test finds it before a
citizen does. A sentence that is needed when nothing else works (emergencies) is read at import.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

_FOLDER = Path(__file__).parent / "messages"


class UnknownMessageError(KeyError):
    """The catalogue has no sentence under this key."""


@cache
def _file(name: str) -> dict[str, Any]:
    path = _FOLDER / f"{name}.yml"
    if not path.is_file():
        raise UnknownMessageError(name)
    with path.open(encoding="utf-8") as lines:
        content = yaml.safe_load(lines)
    if not isinstance(content, dict):
        raise TypeError(f"{path.name} must be a mapping")
    return content


def lookup(key: str) -> Any:
    """Return what the catalogue holds under `key` ("answer.fee.free"): a string, a list or a mapping."""
    name, *path = key.split(".")
    node: Any = _file(name)
    for part in path:
        if not isinstance(node, dict) or part not in node:
            raise UnknownMessageError(key)
        node = node[part]
    return node


def say(key: str, /, **variables: object) -> str:
    """Return the sentence under `key` with its variables filled in.

    Raises:
        UnknownMessageError: no such key.
        KeyError: the sentence names a variable that was not given.
    """
    sentence = lookup(key)
    if not isinstance(sentence, str):
        raise TypeError(f"{key} is not a sentence")
    return sentence.strip().format(**variables)


def names() -> list[str]:
    """Return the names of all catalogue files."""
    return sorted(path.stem for path in _FOLDER.glob("*.yml"))
