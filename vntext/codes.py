"""Codes people quote: of reports (GL-2026-000123-8), dossiers (H21.20.15-261012-0034), procedures (1.001193).

All three are found with any case and with stray spaces around their signs, and given back in their written
form.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ticket", "dossier", "procedure"]

_SIGN = r"[ ]?[-–—_][ ]?"
_DOT = r"[ ]?\.[ ]?"
# The check digit is part of the code when it is written together with it; a digit apart from it is one only
# where nothing follows: "gl 2026 000123 8", but not "gl 2026 000123 2 ngày rồi".
_TICKET = re.compile(
    rf"(?<![\w-])gl(?:{_SIGN}|[ ])?(20\d\d)(?:{_SIGN}|[ ])?(\d{{6}})"
    r"(?:[-–—_]?(\d)(?!\w)|[ ](?:[-–—_][ ]?)?(\d)(?=[ ]*(?:[.,;:!?)]|$)))?(?!\w)",
    re.IGNORECASE,
)
_DOSSIER = re.compile(
    rf"(?<![\w.])((?:\d{{3}}{_DOT}\d{{2}}{_DOT}\d{{2}}{_DOT})?h[ ]?\d{{2}}(?:{_DOT}\d{{1,3}}){{0,3}})"
    rf"(?:{_SIGN}|[ ])(\d{{6}})(?:{_SIGN}|[ ])(\d{{3,5}})(?!\d)",
    re.IGNORECASE,
)
_PROCEDURE = re.compile(r"(?<![\w.,-])([123])[ ]?\.[ ]?(\d{6})(?![\d])(?!\.\d)")


@dataclass(frozen=True, slots=True)
class Code:
    """A code found in a text: `value` in its written form, `text[start:end]` as typed."""

    kind: Kind
    value: str
    start: int
    end: int


def _ticket(match: re.Match[str]) -> str:
    digit = match[3] or match[4]
    return f"GL-{match[1]}-{match[2]}" + (f"-{digit}" if digit else "")


def find_codes(text: str) -> list[Code]:
    """Find report, dossier and procedure codes, in the order of the text."""
    found = [Code("ticket", _ticket(match), match.start(), match.end()) for match in _TICKET.finditer(text)]
    for match in _DOSSIER.finditer(text):
        office = re.sub(r"\s", "", match[1]).upper()
        found.append(Code("dossier", f"{office}-{match[2]}-{match[3]}", match.start(), match.end()))
    taken = [(code.start, code.end) for code in found]
    for match in _PROCEDURE.finditer(text):
        if not any(start <= match.start() < end for start, end in taken):
            found.append(Code("procedure", f"{match[1]}.{match[2]}", match.start(), match.end()))
    return sorted(found, key=lambda code: code.start)
