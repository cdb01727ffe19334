"""Makes one entry of the layers stored under its key: official facts, our names and plain words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from kb_index.names import Names
from kb_index.repository import StoredLayer
from kb_index.schemas import Article, Procedure

# Weakest first: what the province's own agencies send wins over the portal, the portal over our starter base.
_OFFICIAL_ORDER = ("starter", "portal", "sheet")
_OFFICIAL = (
    "title",
    "field",
    "levels",
    "agency",
    "filing",
    "online",
    "legal_basis",
    "result",
    "source",
    "checked_on",
    "effective_from",
    "effective_to",
)
_OURS = ("field_group", "short_name", "summary")
# Our own words, written for people from the official ones, win here while those are the same: what is
# published anew, by another decision, may say something else.
_PLAIN = ("steps", "documents", "where_to_file", "conditions", "who_may_file", "checked_on")
_FILING = ("processing_time", "fees")
_LISTS = ("everyday_names", "not_meant")


def merge(
    layers: Iterable[StoredLayer], names: Mapping[str, Names] | None = None
) -> dict[str, Procedure | Article]:
    """Return every entry by its key, in the order of the keys.

    Args:
        layers: what is stored, sorted by key.
        names: what people call procedures, by code; joins what the layers say.
    """
    entries: dict[str, Procedure | Article] = {}
    for key, group in groupby(layers, key=lambda layer: layer.key):
        by_layer = {layer.layer: layer for layer in group}
        entry = _one(by_layer)
        if names and isinstance(entry, Procedure) and (called := names.get(entry.code)) is not None:
            entry = entry.model_copy(
                update={
                    "everyday_names": list(dict.fromkeys([*entry.everyday_names, *called.names])),
                    "not_meant": list(dict.fromkeys([*entry.not_meant, *called.not_meant])),
                }
            )
        entries[key] = entry
    return entries


def _one(by_layer: dict[str, StoredLayer]) -> Procedure | Article:
    ordered = [by_layer[name] for name in _OFFICIAL_ORDER if name in by_layer]
    if ordered[-1].kind == "article":
        return Article.model_validate(ordered[-1].payload)
    payloads = [layer.payload for layer in ordered if layer.kind == "procedure"]
    merged: dict[str, Any] = {}
    for payload in payloads:
        merged.update({name: payload[name] for name in (*_OFFICIAL, *_PLAIN) if payload.get(name)})
        merged["code"] = payload["code"]
    ours = payloads[0]
    for name in _OURS:
        value = next((payload[name] for payload in payloads if payload.get(name)), None)
        if value:
            merged[name] = value
    # What an agency sends about its own province still wins.
    sent = next((layer.payload for layer in ordered if layer.layer == "sheet"), {})
    if all(_decision(payload) == _decision(ours) for payload in payloads if payload is not sent):
        merged.update({name: ours[name] for name in _PLAIN if ours.get(name) and not sent.get(name)})
        if not sent.get("filing"):
            merged["filing"] = _ours_first(ours.get("filing", []), merged.get("filing", []))
    for name in _LISTS:
        values = dict.fromkeys(value for payload in payloads for value in payload.get(name, []))
        if values:
            merged[name] = list(values)
    # Official text stands only where no layer could say the field in a structured way.
    official = {
        name: text
        for payload in payloads
        for name, text in payload.get("official", {}).items()
        if not merged.get(name)
    }
    if official:
        merged["official"] = official
    return Procedure.model_validate(merged)


def _decision(payload: dict[str, Any]) -> str | None:
    """Return the decision that published a version of a procedure."""
    decision = payload["source"].get("decision")
    return "".join(decision.split()).casefold() if decision else None


def _ours_first(ours: list[dict[str, Any]], official: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the ways of filing as we wrote them, with the official time or fee where we have none."""
    known = {option["way"]: option for option in official}
    written = []
    for option in ours:
        theirs = known.get(option["way"], {})
        lacking = {name: theirs[name] for name in _FILING if not option.get(name) and theirs.get(name)}
        written.append({**option, **lacking})
    ways = {option["way"] for option in ours}
    return written + [option for option in official if option["way"] not in ways]
