"""Reads records of the national public service portal (JSON Lines, or a JSON list) as procedures."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from kb_index.importers.document_table import parse_documents
from kb_index.importers.filing_table import UncertainTableError, parse_filing
from kb_index.importers.legal_table import parse_legal_basis
from kb_index.importers.records import (
    ImportRefusedError,
    Outcome,
    Problem,
    Record,
    check_size,
    clean,
    explain,
    file_day,
    read_text,
)
from kb_index.importers.result_text import clean_result
from kb_index.schemas import Level, Procedure

SOURCE_NAME = "Cổng Dịch vụ công quốc gia"
_NOTHING = "Không có thông tin"
_LEVELS: dict[str, Level] = {
    "Cấp xã": "commune",
    "Cấp tỉnh": "province",
    "Cấp bộ": "ministry",
    "Cơ quan khác": "other",
}
_MAX_LINE = 4 * 1024 * 1024
_STEP = re.compile(r"(?=(?:^|(?<=[\s.;]))[-+*•]?\s*Bước\s+\d{1,2}\s*[:.)])")
_STEP_NUMBER = re.compile(r"^Bước\s+\d{1,2}\s*[:.)]\s*")
_SHORTEST_STEP = 3
_BULLET = re.compile(r"^[\s\-–+*•]+")
# An address of another province says nothing about where to file here.
_OTHER_PROVINCE = re.compile(
    r"tỉnh (?:Tuyên Quang|Lào Cai|Thái Nguyên|Phú Thọ|Bắc Ninh|Hưng Yên|Ninh Bình|Quảng Trị|Quảng Ngãi|"
    r"Khánh Hòa|Khánh Hoà|Lâm Đồng|Đắk Lắk|Đồng Nai|Tây Ninh|Vĩnh Long|Đồng Tháp|Cà Mau|An Giang|"
    r"Lai Châu|Điện Biên|Sơn La|"
    r"Lạng Sơn|Quảng Ninh|Thanh Hóa|Thanh Hoá|Nghệ An|Hà Tĩnh|Cao Bằng)"
)


def read_portal(path: Path, checked_on: date | None = None) -> Iterator[Record | Problem]:
    """Yield a record, or a problem with its line, for every procedure in `path` (.json or .jsonl).

    Args:
        path: JSON Lines with one object a line, or a JSON list of objects.
        checked_on: the day the records were taken from the portal; by default that of the file.

    Raises:
        ImportRefusedError: the file is too large, not UTF-8, or not JSON at all.
    """
    day = checked_on or file_day(path)
    for line, found in _objects(path):
        yield (
            _record(found, path.name, line, day)
            if isinstance(found, dict)
            else Problem(path.name, line, found)
        )


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    """Yield (line, object) or (line, what is wrong with it)."""
    if path.suffix == ".jsonl":
        yield from _lines(path)
        return
    try:
        content = json.loads(read_text(path))
    except (json.JSONDecodeError, RecursionError) as error:
        raise ImportRefusedError(f"not JSON: {error}") from error
    if isinstance(content, dict):
        content = [content]
    if not isinstance(content, list):
        raise ImportRefusedError("a list of records is expected")
    for number, item in enumerate(content, start=1):
        yield number, item if isinstance(item, dict) else f"an object is expected, not {type(item).__name__}"


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any] | str]]:
    check_size(path)
    with path.open("rb") as lines:
        number = 0
        while raw := lines.readline(_MAX_LINE):
            number += 1
            if len(raw) == _MAX_LINE and not raw.endswith(b"\n"):
                while (rest := lines.readline(_MAX_LINE)) and not rest.endswith(b"\n"):
                    continue
                yield number, f"the line is longer than {_MAX_LINE:,} bytes"
                continue
            if not raw.strip():
                continue
            try:
                found = json.loads(raw.decode("utf-8-sig"))
            except UnicodeDecodeError:
                yield number, "not UTF-8 text"
            except (json.JSONDecodeError, RecursionError) as error:
                yield number, f"not JSON: {error}"
            else:
                kind = type(found).__name__
                yield number, found if isinstance(found, dict) else f"an object is expected, not {kind}"


def _record(raw: dict[str, Any], file: str, line: int, day: date) -> Record | Problem:
    wrong = [str(key) for key, value in raw.items() if value is not None and not isinstance(value, str)]
    if wrong:
        return Problem(file, line, f"text is expected in: {', '.join(sorted(wrong))}")
    fields = {key: _text(value or "") for key, value in raw.items()}
    missing = [key for key in ("ma_thu_tuc", "ten_thu_tuc") if not fields.get(key)]
    if missing:
        return Problem(file, line, f"missing: {', '.join(missing)}")
    values, outcomes = _values(fields, day)
    try:
        return Record(Procedure.model_validate(values), "portal", file, line, outcomes)
    except ValidationError as error:
        return Problem(file, line, explain(error))


def _values(fields: dict[str, str], day: date) -> tuple[dict[str, Any], dict[str, Outcome]]:
    outcomes: dict[str, Outcome] = {}
    values: dict[str, Any] = {
        "code": fields["ma_thu_tuc"],
        "title": _one_line(fields["ten_thu_tuc"]),
        "field": _one_line(fields.get("linh_vuc", "")) or "Khác",
        "source": {
            "name": SOURCE_NAME,
            "url": _url(fields.get("detail_url", "")),
            "decision": fields.get("so_quyet_dinh") or None,
        },
        "checked_on": day,
    }
    official: dict[str, str] = {}
    tables = (
        ("filing", "cach_thuc_thuc_hien", parse_filing),
        ("documents", "thanh_phan_ho_so", parse_documents),
        ("legal_basis", "can_cu_phap_ly", parse_legal_basis),
    )
    for name, key, parse in tables:
        text = fields.get(key, "")
        if not text.strip(" -"):
            outcomes[name] = "empty"
            continue
        try:
            values[name] = parse(text)
            outcomes[name] = "taken apart"
        except UncertainTableError:
            official[name] = _without_headings(text)
            outcomes[name] = "kept as text"
    values["official"] = {key: text for key, text in official.items() if text}
    levels = [_LEVELS[part] for part in re.split(r",\s*", fields.get("cap_thuc_hien", "")) if part in _LEVELS]
    steps = split_steps(fields.get("trinh_tu_thuc_hien", ""))
    where = fields.get("dia_chi_tiep_nhan", "")
    texts: dict[str, Any] = {
        "levels": levels,
        "agency": _one_line(fields.get("co_quan_thuc_hien") or fields.get("co_quan_co_tham_quyen") or ""),
        "who_may_file": _one_line(fields.get("doi_tuong_thuc_hien", "")),
        "where_to_file": "" if _OTHER_PROVINCE.search(where) else where,
        "conditions": _unwrapped(fields.get("yeu_cau_dieu_kien", "")),
        "result": clean_result(fields.get("ket_qua_xu_ly", "")),
        "steps": steps,
    }
    for name, value in texts.items():
        if value:
            values[name] = value
        whole = name == "steps" and len(steps) == 1
        outcomes[name] = ("kept as text" if whole else "taken apart") if value else "empty"
    return values, outcomes


def split_steps(text: str) -> list[str]:
    """Split the official sequence of steps at "Bước n:", or else at its lines; bullets are dropped."""
    parts = _STEP.split(text)
    if len(parts) < 3:
        parts = text.split("\n")
    steps = [_STEP_NUMBER.sub("", _one_line(_BULLET.sub("", part))) for part in parts]
    return [step for step in steps if len(step) > _SHORTEST_STEP]


def _unwrapped(text: str) -> str:
    """Join lines that were broken within a sentence: the next one begins with a small letter."""
    return re.sub(r"(?<=[^\s.;:])[ \t]*\n[ \t]*(?=[^\W\d_A-ZĐÀ-Ỹ])(?![a-zđ][.)])", " ", text)


def _text(value: str) -> str:
    cleaned = clean(value)
    return "" if cleaned in (_NOTHING, "--") else cleaned


def _one_line(value: str) -> str:
    return re.sub(r"\s+", " ", value).strip()


def _url(value: str) -> str | None:
    return value if re.match(r"^https?://\S+$", value) else None


def _without_headings(text: str) -> str:
    text = re.sub(r"Hình thức nộp\s*Thời gian\s*Phí, lệ phí\s*Mô tả", "", text)
    text = re.sub(r"Tên giấy tờ\s*Mẫu đơn, tờ khai\s*Số lượng", "\n", text)
    text = re.sub(r"Tên văn bản pháp lý\s*Mã văn bản", "", text)
    # A space where a cell's border was lost, so that the text can be read.
    text = re.sub(r"(?<=[a-zà-ỹđ0-9.;)])(?=Trực tuyến\d|Trực tiếp\d|Dịch vụ bưu chính\d)", "\n", text)
    text = re.sub(r"(Trực tuyến|Trực tiếp|Dịch vụ bưu chính)(?=\d)", r"\1: ", text)
    return text.strip(" -\n")
