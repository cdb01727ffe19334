"""Reads our own YAML: lists of procedures or articles, and the lexicon."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from kb_index.importers.records import ImportRefusedError, Problem, Record, clean_all, explain, read_text
from kb_index.schemas import Article, Layer, LexiconTerm, Procedure

try:
    from yaml import CSafeLoader as _Loader
except ImportError:  # PyYAML without libyaml
    from yaml import SafeLoader as _Loader  # type: ignore[assignment]


def read_yaml(path: Path, layer: Layer) -> Iterator[Record | Problem]:
    """Yield a record, or a problem with its line, for every item of the list in `path`.

    An item with `code` is a procedure, one with `id` an article.

    Raises:
        ImportRefusedError: not YAML, no list, or aliases in it (a few lines of those can fill the memory).
    """
    for line, item in _items(path):
        if not isinstance(item, dict):
            yield Problem(path.name, line, f"a mapping is expected, not {type(item).__name__}")
            continue
        model: type[Procedure] | type[Article] = Article if "id" in item else Procedure
        try:
            entry = model.model_validate(clean_all(item))
        except ValidationError as error:
            yield Problem(path.name, line, explain(error))
        else:
            yield Record(entry, layer, path.name, line)


def read_lexicon(path: Path) -> list[LexiconTerm]:
    """Return the terms of a lexicon file.

    Raises:
        ImportRefusedError: not YAML, or a term that is not as the schema says, with its line.
    """
    terms = []
    for line, item in _items(path):
        try:
            terms.append(LexiconTerm.model_validate(clean_all(item)))
        except ValidationError as error:
            raise ImportRefusedError(f"line {line}: {explain(error)}") from error
    return terms


def _items(path: Path) -> list[tuple[int, Any]]:
    text = read_text(path)
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise ImportRefusedError("aliases (*name) are not allowed")
        loader = _Loader(text)
        try:
            node = loader.get_single_node()
            if node is None:
                return []
            if not isinstance(node, yaml.SequenceNode):
                raise ImportRefusedError("a list of entries is expected")
            return [
                (child.start_mark.line + 1, loader.construct_object(child, deep=True)) for child in node.value
            ]
        finally:
            loader.dispose()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        if isinstance(error, ImportRefusedError):
            raise
        raise ImportRefusedError(f"not YAML: {' '.join(str(error).split())}") from error
