"""Reads procedures from Excel and CSV files by a map from our fields to the headings of columns."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import yaml
from openpyxl import load_workbook
from pydantic import ValidationError

from kb_index.importers.records import (
    ImportRefusedError,
    Problem,
    Record,
    check_size,
    clean,
    explain,
    file_day,
    read_text,
)
from kb_index.schemas import Level, Procedure, TimeUnit, Way
from vntext.normalise import normalise, strip_marks

_MAX_UNPACKED = 512 * 1024 * 1024
_MAX_ROWS = 200_000
# Headings that are understood without a map, compared without marks and case.
DEFAULT_COLUMNS: dict[str, tuple[str, ...]] = {
    "code": ("Mã thủ tục", "Mã TTHC", "Mã"),
    "title": ("Tên thủ tục", "Tên TTHC", "Tên thủ tục hành chính"),
    "everyday_names": ("Tên thường gọi", "Cách gọi khác"),
    "short_name": ("Tên ngắn",),
    "field": ("Lĩnh vực",),
    "field_group": ("Nhóm lĩnh vực",),
    "levels": ("Cấp thực hiện", "Cấp"),
    "agency": ("Cơ quan thực hiện", "Cơ quan giải quyết"),
    "who_may_file": ("Đối tượng thực hiện", "Đối tượng"),
    "summary": ("Tóm tắt",),
    "steps": ("Trình tự thực hiện", "Các bước"),
    "documents": ("Thành phần hồ sơ", "Hồ sơ"),
    "ways": ("Cách thức thực hiện", "Cách nộp", "Hình thức nộp"),
    "processing_time": ("Thời hạn giải quyết", "Thời gian giải quyết", "Thời hạn"),
    "fees": ("Phí, lệ phí", "Phí", "Lệ phí", "Mức phí"),
    "where_to_file": ("Nơi nộp hồ sơ", "Địa chỉ tiếp nhận", "Nơi tiếp nhận", "Nơi nộp"),
    "online_url": ("Đường dẫn dịch vụ công", "Link nộp trực tuyến"),
    "legal_basis": ("Căn cứ pháp lý",),
    "conditions": ("Yêu cầu, điều kiện", "Điều kiện"),
    "result": ("Kết quả thực hiện", "Kết quả"),
    "effective_from": ("Hiệu lực từ", "Áp dụng từ"),
    "effective_to": ("Hiệu lực đến", "Hết hiệu lực"),
    "source_name": ("Nguồn",),
    "source_url": ("Đường dẫn nguồn",),
    "decision": ("Quyết định công bố", "Số quyết định"),
    "checked_on": ("Ngày cập nhật", "Ngày kiểm tra"),
}
_LIST_FIELDS = ("everyday_names", "steps", "documents", "legal_basis")
_LEVELS: dict[str, Level] = {
    "xa": "commune",
    "phuong": "commune",
    "tinh": "province",
    "so": "province",
    "bo": "ministry",
}
_WAYS: tuple[tuple[str, Way], ...] = (("truc tuyen", "online"), ("truc tiep", "in_person"), ("buu", "post"))
_TIME = re.compile(r"^(\d+(?:[.,]\d+)?) (gio|ngay lam viec|ngay|thang)\b")
_UNITS: dict[str, TimeUnit] = {"gio": "hour", "ngay lam viec": "working_day", "ngay": "day", "thang": "month"}
_AMOUNT = re.compile(r"^(\d{1,3}(?:[.,]\d{3})+|\d+) ?(?:d|dong|vnd)?(?: ?/ ?(?P<per>.+))?$")
_FREE = re.compile(r"^(?:khong(?: thu| mat)?(?: phi| le phi)?|mien phi|0 ?(?:d|dong)?)\.?$")
_LEGAL = re.compile(
    r"^(?P<title>.*?)[\s,(–-]*(?:số:? )?(?P<number>\d+(?:\.\d+)?(?:/\d{4})?/[A-ZĐ][0-9A-ZĐa-z\-/]+)\)?$"
)


class ColumnMap:
    """Which heading holds which field, read from YAML or taken from the defaults.

    The file holds `columns` (our field to a heading or a list of headings), and optionally `sheet` (the name
    of the worksheet) and `defaults` (our field to the value used where a row has none).
    """

    def __init__(self, path: Path | None = None) -> None:
        self.columns: dict[str, tuple[str, ...]] = dict(DEFAULT_COLUMNS)
        self.sheet: str | None = None
        self.defaults: dict[str, str] = {}
        if path is not None:
            self._read(path)

    def _read(self, path: Path) -> None:
        try:
            content = yaml.safe_load(read_text(path))
        except (OSError, yaml.YAMLError) as error:
            raise ImportRefusedError(f"the column map {path.name} cannot be read: {error}") from error
        if not isinstance(content, dict) or not isinstance(content.get("columns", {}), dict):
            raise ImportRefusedError(f"the column map {path.name} needs `columns:`, our field to a heading")
        unknown = sorted(set(content.get("columns", {})) - set(DEFAULT_COLUMNS))
        if unknown:
            raise ImportRefusedError(f"the column map {path.name} names unknown fields: {', '.join(unknown)}")
        for field, headings in content.get("columns", {}).items():
            named = headings if isinstance(headings, list) else [headings]
            self.columns[field] = tuple(str(heading) for heading in named)
        self.sheet = content.get("sheet")
        self.defaults = {str(key): str(value) for key, value in (content.get("defaults") or {}).items()}

    def positions(self, headings: list[str]) -> dict[str, int]:
        """Return the column of each field.

        Raises:
            ImportRefusedError: the columns for code or title are missing.
        """
        known = {_plain(heading): position for position, heading in reversed(list(enumerate(headings)))}
        found = {
            field: known[_plain(name)]
            for field, names in self.columns.items()
            for name in reversed(names)
            if _plain(name) in known
        }
        missing = [
            f"{field} ({' / '.join(self.columns[field])})"
            for field in ("code", "title")
            if field not in found
        ]
        if missing:
            raise ImportRefusedError(
                f"no column for {', '.join(missing)}; the headings are: {', '.join(headings)}"
            )
        return found


def read_sheet(path: Path, columns: ColumnMap, checked_on: date | None = None) -> Iterator[Record | Problem]:
    """Yield a record, or a problem with its row, for every row of an .xlsx or .csv file.

    Raises:
        ImportRefusedError: not such a file, too large, or without the columns needed.
    """
    rows = _excel_rows(path, columns.sheet) if path.suffix.lower() == ".xlsx" else _csv_rows(path)
    day = checked_on or file_day(path)
    positions: dict[str, int] | None = None
    for line, cells in rows:
        if not any(cells):
            continue
        if positions is None:
            positions = columns.positions(cells)
            continue
        formulas = [cell for cell in cells if cell.startswith("=")]
        if formulas:
            yield Problem(
                path.name, line, f"a cell holds a formula ({formulas[0][:40]}); save the sheet as values"
            )
            continue
        values = {field: cells[position] for field, position in positions.items() if position < len(cells)}
        for field, value in columns.defaults.items():
            values[field] = values.get(field) or value
        yield _record(values, path.name, line, day)
    if positions is None:
        raise ImportRefusedError("no row with headings")


def _excel_rows(path: Path, sheet: str | None) -> Iterator[tuple[int, list[str]]]:
    check_size(path)
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(item.file_size for item in archive.infolist()) > _MAX_UNPACKED:
                raise ImportRefusedError(f"the workbook unpacks to more than {_MAX_UNPACKED:,} bytes")
        book = load_workbook(path, read_only=True, data_only=False, keep_links=False)
    except ImportRefusedError:
        raise
    except Exception as error:
        raise ImportRefusedError(f"not an Excel workbook (.xlsx): {error}") from error
    try:
        if sheet is not None and sheet not in book.sheetnames:
            raise ImportRefusedError(f"no worksheet {sheet!r}; there are: {', '.join(book.sheetnames)}")
        table = book[sheet] if sheet else book[book.sheetnames[0]]
        for line, row in enumerate(table.iter_rows(values_only=True), start=1):
            if line > _MAX_ROWS:
                raise ImportRefusedError(f"more than {_MAX_ROWS:,} rows")
            yield line, [_cell(value) for value in row]
    finally:
        book.close()


def _csv_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    text = read_text(path)
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text), delimiter=delimiter)
    try:
        for row in reader:
            if reader.line_num > _MAX_ROWS:
                raise ImportRefusedError(f"more than {_MAX_ROWS:,} rows")
            yield reader.line_num, [clean(cell) for cell in row]
    except csv.Error as error:
        raise ImportRefusedError(f"not CSV: {error}") from error


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime | date):
        return value.strftime("%d/%m/%Y")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return clean(str(value))


def _record(values: Mapping[str, str], file: str, line: int, day: date) -> Record | Problem:
    try:
        entry = Procedure.model_validate(_values(values, file, day))
    except ValidationError as error:
        return Problem(file, line, explain(error))
    except ValueError as error:
        return Problem(file, line, str(error))
    return Record(entry, "sheet", file, line)


def _values(values: Mapping[str, str], file: str, day: date) -> dict[str, Any]:
    get = values.get
    result: dict[str, Any] = {
        "code": get("code", ""),
        "title": get("title", ""),
        "field": get("field") or "Khác",
        "source": {
            "name": get("source_name") or file,
            "url": get("source_url") or None,
            "decision": get("decision") or None,
        },
        "checked_on": _date(get("checked_on", "")) or day,
        "effective_from": _date(get("effective_from", "")),
        "effective_to": _date(get("effective_to", "")),
    }
    for field in ("short_name", "agency", "who_may_file", "summary", "where_to_file", "conditions", "result"):
        if get(field):
            result[field] = get(field)
    if get("field_group"):
        result["field_group"] = get("field_group")
    if get("levels"):
        words = _plain(get("levels", "")).split()
        result["levels"] = list(dict.fromkeys(level for word, level in _LEVELS.items() if word in words))
    for field in _LIST_FIELDS:
        items = _items(get(field, ""))
        if items:
            result[field] = [_listed(field, item) for item in items]
    if get("online_url"):
        result["online"] = {"level": "partial", "url": get("online_url")}
    result["filing"] = _filing(values)
    return result


def _listed(field: str, item: str) -> Any:
    if field == "documents":
        return {"name": item}
    if field == "legal_basis":
        found = _LEGAL.match(item)
        if found is None:
            return {"title": item}
        return {"title": found["title"] or found["number"], "number": found["number"]}
    return item


def _filing(values: Mapping[str, str]) -> list[dict[str, Any]]:
    said = _plain(values.get("ways", ""))
    ways = [way for word, way in _WAYS if word in said]
    time, fees = values.get("processing_time", ""), _items(values.get("fees", ""))
    if not (ways or time or fees):
        return []
    option: dict[str, Any] = {"fees": [_fee(item) for item in fees]}
    if time:
        found = _TIME.match(_plain(time))
        option["processing_time"] = {"text": time}
        if found is not None:
            rest = time[found.end() :].strip(" ,;()")
            value = float(found[1].replace(",", "."))
            option["processing_time"] = {"value": value, "unit": _UNITS[found[2]], "text": rest or None}
    return [{"way": way, **option} for way in ways or ["in_person"]]


def _fee(item: str) -> dict[str, Any]:
    plain = _plain(item)
    if _FREE.match(plain):
        return {"amount": 0}
    found = _AMOUNT.match(plain)
    if found is None:
        return {"text": item}
    per = item[found.start("per") :] if found["per"] else None
    return {"amount": int(re.sub(r"[.,]", "", found[1])), "per": per}


def _items(value: str) -> list[str]:
    parts = value.split("\n") if "\n" in value else value.split(";")
    return [item for item in (re.sub(r"^[-–+•*\s]+", "", part).strip() for part in parts) if item]


def _date(value: str) -> date | None:
    if not value:
        return None
    for form in ("%d/%m/%Y", "%Y-%m-%d", "%d-%m-%Y"):
        try:
            return datetime.strptime(value, form).date()  # noqa: DTZ007 - a calendar day has no zone
        except ValueError:
            continue
    raise ValueError(f"not a date (dd/mm/yyyy): {value[:40]}")


def _plain(text: str) -> str:
    return strip_marks(normalise(text)).lower().strip()
