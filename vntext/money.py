"""Sums of money in Vietnamese text, and how the product writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from vntext.normalise import strip_marks

_SCALES = {
    "nghin": 1_000, "ngan": 1_000, "k": 1_000, "tram": 100_000,
    "trieu": 1_000_000, "tr": 1_000_000, "cu": 1_000_000,
    "ty": 1_000_000_000, "ti": 1_000_000_000, "toi": 1_000_000_000,
}  # fmt: skip
_UNIT = r"(?:dong|vnd|d)"
_MONEY = re.compile(
    r"(?<![\w.,/-])(?P<whole>\d{1,3}(?:[.,]\d{3}){1,4}|\d{1,12})(?:[.,](?P<part>\d{1,2}))?"
    r"(?:[ ]?(?P<scale>nghin|ngan|trieu|tram|cu|ty|ti|tr|k)\b|(?P<glued>tr|k|ty)(?=\d))?"
    r"(?:[ ]?(?P<rest>\d{1,3})(?![\d.,/])(?:[ ]?(?P<rest_scale>nghin|ngan|tram|k)\b)?)?"
    rf"(?:[ ]?(?P<unit>{_UNIT})\b)?"
)


@dataclass(frozen=True, slots=True)
class Money:
    """A sum found in a text: `amount` in đồng, and where it stands (`text[start:end]` is `raw`)."""

    raw: str
    start: int
    end: int
    amount: int


def _amount(match: re.Match[str]) -> int | None:
    scale_name = match["scale"] or match["glued"]
    if scale_name is None and match["unit"] is None:
        return None
    whole = int(re.sub(r"\D", "", match["whole"]))
    scale = _SCALES.get(scale_name or "", 1)
    amount = whole * scale
    if match["part"]:
        if scale == 1:
            return None
        amount += int(match["part"]) * scale // 10 ** len(match["part"])
    if match["rest"]:
        if scale < 1_000_000:
            return None
        if match["rest_scale"]:
            amount += int(match["rest"]) * _SCALES[match["rest_scale"]]
        else:
            amount += int(match["rest"]) * scale // 10 ** len(match["rest"])
    return amount


def find_money(text: str) -> list[Money]:
    """Find sums such as "20.000đ", "20k", "2tr5", "500 nghìn đồng", marked or not (text in NFC)."""
    found = []
    for match in _MONEY.finditer(strip_marks(text).lower()):
        amount = _amount(match)
        if amount is None and match["rest"] and match["scale"]:
            # "20k 3 bản": the number behind belongs to something else.
            shorter = _MONEY.match(strip_marks(text).lower()[: match.start("rest")].rstrip(), match.start())
            if shorter is not None and (amount := _amount(shorter)) is not None:
                match = shorter
        if amount is not None:
            found.append(Money(text[match.start() : match.end()], match.start(), match.end(), amount))
    return found


def format_dong(amount: int) -> str:
    """Write a sum in đồng the Vietnamese way.

    >>> format_dong(20000)
    '20.000 đồng'
    """
    return f"{amount:,}".replace(",", ".") + " đồng"
