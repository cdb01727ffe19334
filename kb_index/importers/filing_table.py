"""Takes the portal's glued table of ways of filing (way, time, fee, note) apart, where that is certain."""

from __future__ import annotations

import re

from kb_index.schemas import Fee, FilingOption, ProcessingTime, TimeUnit, Way

_HEADING = re.compile(r"^\s*Hình thức nộp\s*Thời gian\s*Phí, lệ phí\s*Mô tả")
_WAYS: dict[str, Way] = {"Trực tuyến": "online", "Trực tiếp": "in_person", "Dịch vụ bưu chính": "post"}
_UNITS: dict[str, TimeUnit] = {"Ngày làm việc": "working_day", "Ngày": "day", "Giờ": "hour", "Tháng": "month"}
_MONEY = r"(?:\d{1,3}(?:,\d{3})+|\d{1,3})(?:\.\d+)? ?(?:Việt Nam Đồng|VNĐ|USD|EUR)"
_FREE = "Miễn phí"
_UNKNOWN = "Không có thông tin"
# A row begins where a way of filing is followed, without a space, by a time limit and a fee.
_ROW = re.compile(
    r"(?P<way>Trực tuyến|Trực tiếp|Dịch vụ bưu chính)"
    r"(?:(?P<number>\d+(?:\.\d+)?) ?(?P<unit>Ngày làm việc|Ngày|Giờ|Tháng)|"
    rf"(?P<bare>\d*)|(?P<none>{_UNKNOWN}))"
    rf"(?P<fee>{_FREE}|{_UNKNOWN}|{_MONEY})"
)
_NEXT_FEE = re.compile(rf"(?P<fee>{_FREE}|{_MONEY})(?=\()")
_AMOUNT = re.compile(r"[\d,]+(?:\.\d+)?")
# In brackets behind "Miễn phí": these words agree with it, anything else may take it back.
_AGREES = re.compile(
    r"^[\s\-+.*]*(?:không(?: có| thu)?(?: quy định)?(?: (?:phí|lệ phí))*|miễn phí|miễn|0|0 ?đồng)[\s.;]*$",
    re.I,
)


class UncertainTableError(ValueError):
    """The table's cells cannot be told apart with certainty."""


def parse_filing(text: str) -> list[FilingOption]:
    """Return the rows of the table `text`.

    A bare number is working days (so the portal shows it). "Miễn phí" counts as free only where the words in
    brackets behind it do not speak of a fee; otherwise those words stand, without an amount.

    Raises:
        UncertainTableError: the text has no heading, or its first row does not begin right behind it.
    """
    heading = _HEADING.match(text)
    if heading is None:
        raise UncertainTableError("no table heading")
    body = text[heading.end() :].strip()
    rows = list(_ROW.finditer(body))
    if not rows or rows[0].start() != 0:
        raise UncertainTableError("the first row does not follow the heading")
    options = []
    for row, following in zip(rows, [*rows[1:], None], strict=True):
        rest = body[row.end() : following.start() if following else len(body)]
        options.append(_option(row, rest))
    return _merged(options)


def _option(row: re.Match[str], rest: str) -> FilingOption:
    time = _time(row)
    fees, note = _fees(row["fee"], rest)
    return FilingOption(way=_WAYS[row["way"]], processing_time=time, fees=fees, note=_clean(note))


def _time(row: re.Match[str]) -> ProcessingTime | None:
    if row["number"]:
        value, unit = float(row["number"]), _UNITS[row["unit"]]
    elif row["bare"]:
        if row["fee"][0].isdigit():
            # "1100,000 VNĐ": where the time ends and the fee begins cannot be seen.
            raise UncertainTableError("time and fee run together")
        value, unit = float(row["bare"]), "working_day"
    else:
        return None
    return ProcessingTime(value=value, unit=unit) if value > 0 else None


def _fees(first: str, rest: str) -> tuple[list[Fee], str]:
    """Read the fees of a row: `amount(words)amount(words)…`; what is left is the row's note."""
    fees: list[Fee] = []
    amount = first
    while True:
        words, rest = _bracket(rest)
        fee = _fee(amount, words)
        if fee is not None and fee not in fees:
            fees.append(fee)
        following = _NEXT_FEE.match(rest)
        if following is None:
            return fees, rest
        amount, rest = following["fee"], rest[following.end() :]


def _bracket(text: str) -> tuple[str, str]:
    """Split `(words)rest` at the bracket that closes the first one; no bracket gives no words."""
    if not text.startswith("("):
        return "", text
    depth = 0
    for position, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return text[1:position], text[position + 1 :]
    raise UncertainTableError("a bracket of the fee is not closed")


def _fee(amount: str, words: str) -> Fee | None:
    text = _clean(words)
    if amount == _UNKNOWN:
        return Fee(text=text) if text else None
    if amount == _FREE:
        return Fee(amount=0) if text is None or _AGREES.match(text) else Fee(text=text)
    if amount.endswith(("USD", "EUR")):
        # Only đồng are kept as amounts.
        return Fee(text=f"{amount} ({text})" if text else amount)
    found = _AMOUNT.match(amount)
    assert found is not None
    number = found.group().replace(",", "")
    value = float(number)
    if value != int(value) or (0 < value < 1000):
        # "20 VNĐ(20.000 đ/tờ khai)": thousands were meant; only the words can be trusted.
        if text is None:
            raise UncertainTableError("an amount below 1,000 đồng")
        return Fee(text=text)
    return Fee(amount=int(value), condition=text)


def _clean(text: str) -> str | None:
    cleaned = re.sub(r"[ \t]+", " ", text).strip(" \t\n-–")
    while cleaned.startswith("(") and cleaned.endswith(")") and _bracket(cleaned)[1] == "":
        cleaned = cleaned[1:-1].strip()
    return cleaned or None


def _merged(options: list[FilingOption]) -> list[FilingOption]:
    """Drop rows said twice; the order stays."""
    kept: list[FilingOption] = []
    for option in options:
        if option not in kept:
            kept.append(option)
    return kept
