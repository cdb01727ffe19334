"""Corrections of a report: which field is meant, and what it becomes."""

from __future__ import annotations

import re

from actions import report_cues as cues
from actions.names import name_answer
from actions.report_draft import Draft
from actions.report_extract import Extracted, digits
from vntext.normalise import strip_marks

_FIELDS = ("place", "address", "name", "phone", "content")
_VALUE_LEAD = re.compile(r"\b(?:thanh|sang|la|lai la|lai thanh|phai la|dung la|moi la)\b[\s:]*|:\s*")
_TAIL = re.compile(r"[\s,.]*\b(?:moi dung|nhe|nha|a|ah|em|giup toi|giup em|gium|dum|ad)\s*[.!]*$")


def apply_correction(draft: Draft, text: str, found: Extracted) -> list[str]:
    """Change the draft by a correction; return the fields that changed, none when it has no new value."""
    plain = strip_marks(text).lower()
    swapped = _swap(draft, text, plain)
    if swapped:
        return swapped
    changed: list[str] = []
    if found.phone is not None and digits(found.phone) != draft.phone:
        draft.phone = digits(found.phone)
        changed.append("phone")
    if found.name and found.name != draft.name:
        draft.name = found.name
        changed.append("name")
    if found.address and found.address != draft.address:
        draft.address = found.address
        changed.append("address")
    if changed:
        return changed
    named = cues.named_field(plain)
    if found.place:
        field = "address" if named == "address" else "place"
        if field == "place" and draft.place and draft.place == draft.address and named is None:
            draft.address = found.place
        setattr(draft, field, found.place)
        return [field]
    value = _value(text, plain)
    if named is not None and value:
        if named == "phone":
            return []
        if named == "name":
            value = name_answer(value) or ""
        if value:
            setattr(draft, named, value)
            return [named]
    return []


def _swap(draft: Draft, text: str, plain: str) -> list[str]:
    """Carry out "X chứ không phải Y" on every field that holds Y."""
    spans = cues.replacement(plain)
    if spans is None:
        return []
    new = _trimmed(text[spans[0][0] : spans[0][1]])
    old = _trimmed(text[spans[1][0] : spans[1][1]])
    if not new or not old:
        return []
    changed = []
    for field in _FIELDS:
        value = draft.value(field)
        if value is None or field == "phone":
            continue
        replaced = _replace(value, old, new)
        if replaced is None:
            # "đường Lê Lợi chứ không phải Lê Lai": one has the word for a street, the other has not.
            replaced = _replace(value, old, _without_kind(new)) or _replace(
                value, _without_kind(old), _without_kind(new)
            )
        if replaced is not None and replaced != value:
            setattr(draft, field, replaced)
            changed.append(field)
    return changed


def _replace(value: str, old: str, new: str) -> str | None:
    plain_value, plain_old = strip_marks(value).lower(), strip_marks(old).lower()
    match = re.search(rf"(?<!\w){re.escape(plain_old)}(?!\w)", plain_value)
    if not plain_old or match is None:
        return None
    before = value[: match.start()]
    first = strip_marks(new).lower().split(" ")[0]
    last = strip_marks(before).lower().split()
    if last and last[-1] == first and " " in new:
        new = new.split(" ", 1)[1]
    return before + new + value[match.end() :]


_KIND = re.compile(
    r"^(?:duong|pho|xa|phuong|thon|lang|buon|ap|to|hem|so|ten|so nha|la|o|tai|khu pho)\s+(?=\S)"
)


def _without_kind(text: str) -> str:
    match = _KIND.match(strip_marks(text).lower())
    return text[match.end() :] if match else text


def _value(text: str, plain: str) -> str:
    """Return the text behind "thành", "là" or a colon."""
    matches = list(_VALUE_LEAD.finditer(plain))
    if not matches:
        return ""
    return _trimmed(text[matches[0].end() :])


def _trimmed(text: str) -> str:
    match = _TAIL.search(strip_marks(text).lower())
    return (text[: match.start()] if match else text).strip(" ,.;:")
