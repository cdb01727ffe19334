"""Cuts the page furniture from the portal's text of a procedure's results."""

from __future__ import annotations

import re

_FURNITURE = re.compile(r"Từ khóa\s*Không có thông tin.*|Từ khóa.{0,400}?Mô tả.*", re.S)
_RESULT_CODE = re.compile(r"\s*Mã:\s*(?:[A-Z]+\d*(?:[.\-][A-Z]*\d+)+\.?|[A-Z]\d[\w.\-]*)\s*")


def clean_result(text: str) -> str | None:
    """Return the results, one a line, without codes and furniture; None when nothing is left."""
    without = _FURNITURE.sub("", text)
    items = [re.sub(r"\s+", " ", item).strip(" -–;") for item in _RESULT_CODE.split(without)]
    kept = list(dict.fromkeys(item for item in items if item and item != "Không có thông tin"))
    return "\n".join(kept) or None
