"""Takes the portal's glued table of legal bases (title, number) apart where certain."""

from __future__ import annotations

import re

from kb_index.importers.filing_table import UncertainTableError
from kb_index.schemas import LegalReference

_HEADING = re.compile(r"^\s*Tên văn bản pháp lý\s*Mã văn bản")
# The longest first: "BNN" must not win over "BNNMT".
_BODIES = (
    "VKSNDTC|BVHTTDL|BNNPTNT|BLĐTBXH|TANDTC|BNNMT|BTNMT|BGTVT|BKHĐT|BKHCN|BTTTT|BGDĐT|BDTTG|NHNN|UBDT|TTCP|VPCP|"
    "KTNN|BTC|BXD|BTP|BCA|BYT|BCT|BNV|BQP|BNG|BTS|BTM|BVHTT|BNN|BCN"
)
# Suffixes are listed, because a title in capitals may be glued behind: "65/2025/NĐ-CPTHÔNG TƯ…".
_SUFFIX = (
    rf"(?:UBTVQH\d\d|QH\d\d|NĐ-CP|NQ-CP|QĐ-TTg|CT-TTg|NQ-HĐND|QĐ-UBND|NQ-HĐTP|PL-UBTVQH\d\d|VBHN-VPQH|"
    rf"VBHN-(?:{_BODIES})|TT-(?:{_BODIES})|QĐ-(?:{_BODIES})|TTLT(?:[-/](?:{_BODIES}))+|TTLT-BTC-BGTVT)"
)
LEGAL_NUMBER = re.compile(rf"(?<![\d/])(?:\d{{1,3}}(?:\.\d{{1,2}})?/\d{{4}}/{_SUFFIX}|\d{{1,4}}/{_SUFFIX})")
_NUMBER = re.compile(rf"\d{{1,3}}(?:\.\d{{1,2}})?/\d{{4}}/{_SUFFIX}|\d{{1,4}}/{_SUFFIX}")
_KIND = re.compile(
    r"(?<=[^\s(\"“])(?:(?:Bộ )?[Ll]uật|Nghị định|Thông tư|Nghị quyết|Quyết định|Pháp lệnh)(?: số:?)? ?$"
    r"|(?<=[^\s(])số:? $"
)


def parse_legal_basis(text: str) -> list[LegalReference]:
    """Return the documents of the table `text`.

    A number ends a row when the next title begins right behind it, without a space; a number followed by
    another number ends the title, and the second one is the row's.

    Raises:
        UncertainTableError: no heading, a row without title or number, or text behind the last number.
    """
    heading = _HEADING.match(text)
    if heading is None:
        raise UncertainTableError("no table heading")
    body = text[heading.end() :].strip()
    rows: list[LegalReference] = []
    start = 0
    for number in _NUMBER.finditer(body):
        if not _ends_row(body, number.end()):
            continue
        title = body[start : number.start()]
        title = _KIND.sub("", title).strip(" .,;:-\n\t\r")
        if not title:
            # The title is the number itself: "44/2026/NĐ-CP44/2026/NĐ-CP".
            title = number.group()
        rows.append(LegalReference(title=re.sub(r"\s+", " ", title), number=number.group()))
        start = number.end()
    if not rows or body[start:].strip(" .,;"):
        raise UncertainTableError("text behind the last number")
    return rows


def find_legal_numbers(text: str) -> list[str]:
    """Return the numbers of legal documents in `text`, each once, in order of appearance."""
    return list(dict.fromkeys(match.group() for match in LEGAL_NUMBER.finditer(text)))


def _ends_row(body: str, end: int) -> bool:
    """A row's number is followed by the end, or by a title without a space; never by another number."""
    rest = body[end:]
    if not rest.strip(" .") or rest[0] in '“"\n':
        return True
    return rest[0].isalpha() or (rest[0] in ".(" and rest[1:2].isupper())
