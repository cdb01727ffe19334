"""Contact data that Zalo passes on, as sentences: the report form reads them as if they had been typed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from vntext.catalogue import say
from vntext.normalise import strip_marks

_HERE = frozenset({"gia lai", "tinh gia lai", "viet nam", "vietnam"})
"""What an address may end with and nobody here writes."""


def sentence(info: Mapping[str, Any]) -> str:
    """Return what somebody shared with one tap: name, telephone number, address; "" when nothing of it."""
    place = [
        _field(info, "full_address") or _field(info, "address"),
        *(
            _field(info, part)
            for part in ("ward", "district", "city", "province")
            if not _field(info, "full_address")
        ),
    ]
    return _said(
        name=_field(info, "name") or _field(info, "full_name"),
        phone=_phone(_field(info, "phone") or _field(info, "phone_number")),
        address=_address(", ".join(filter(None, place))),
    )


def card_sentence(payloads: Sequence[Mapping[str, Any]]) -> str:
    """Return what is on a business card; it stands in the attachment or, as JSON, in its description."""
    for payload in payloads:
        content: Mapping[str, Any] = payload
        try:
            described = json.loads(_field(payload, "description") or "null")
        except (ValueError, RecursionError):
            described = None
        if isinstance(described, Mapping):
            content = {**payload, **described}
        phone = _phone(_field(content, "phone") or _field(content, "phone_number"))
        name = _field(content, "name") or _field(content, "title") or _field(content, "caption")
        if phone or name:
            known = [say("channels.zalo.card.name", name=name)] if name else []
            known += [say("channels.zalo.card.phone", phone=phone)] if phone else []
            return ", ".join(known) + "."
    return ""


def _said(*, name: str, phone: str, address: str) -> str:
    parts = [
        say(f"channels.zalo.contact.{part}", value=value)
        for part, value in (("name", name), ("phone", phone), ("address", address))
        if value
    ]
    return ". ".join(parts) + "." if parts else ""


def _address(address: str) -> str:
    parts = [part.strip() for part in address.split(",") if part.strip()]
    while len(parts) > 1 and strip_marks(parts[-1]).casefold() in _HERE:
        parts.pop()
    return ", ".join(parts)


def _field(info: Mapping[str, Any], name: str) -> str:
    value = info.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str):
        return ""
    cleaned = value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return " ".join(cleaned.split())[:300]


def _phone(number: str) -> str:
    """Return a number as people write it: Zalo gives the international form without a plus."""
    digits = number.removeprefix("+")
    return f"0{digits[2:]}" if digits.startswith("84") and len(digits) > 9 else number
