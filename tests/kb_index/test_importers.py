from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest
from openpyxl import Workbook

from kb_index.importers import ColumnMap, ImportRefusedError, Problem, Record, read_path
from kb_index.importers.records import check_size
from kb_index.importers.yaml_files import read_lexicon
from kb_index.schemas import Article, Procedure

HEADINGS = [
    "Mã thủ tục",
    "Tên thủ tục",
    "Lĩnh vực",
    "Cách nộp",
    "Thời hạn giải quyết",
    "Phí, lệ phí",
    "Căn cứ pháp lý",
]
ROW = [
    "9.200001",
    "Cấp thẻ xe bò",
    "Giao thông",
    "Trực tiếp; trực tuyến",
    "3 ngày làm việc",
    "20.000 đồng/thẻ",
    "Luật Xe bò 1/2020/QH14",
]


def split(path: Path, **options: object) -> tuple[list[Record], list[Problem]]:
    found = list(read_path(path, **options))  # type: ignore[arg-type]
    return [r for r in found if isinstance(r, Record)], [p for p in found if isinstance(p, Problem)]


def as_procedure(record: Record) -> Procedure:
    assert isinstance(record.entry, Procedure)
    return record.entry


def test_a_portal_record(
    portal_record: Callable[..., dict[str, str]], write_jsonl: Callable[..., Path]
) -> None:
    (record,), problems = split(write_jsonl([portal_record()]), checked_on=date(2026, 7, 1))
    entry = as_procedure(record)
    assert not problems
    assert record.layer == "portal"
    assert entry.levels == ["province", "commune"]
    assert entry.steps == ["Nộp hồ sơ.", "Nhận thẻ."]
    assert entry.result == "Thẻ thuyền viên"
    assert entry.conditions is None
    assert entry.checked_on == date(2026, 7, 1)
    assert record.outcomes["filing"] == "taken apart"
    assert record.outcomes["conditions"] == "empty"


def test_official_text_is_kept_where_a_table_is_uncertain(
    portal_record: Callable[..., dict[str, str]], write_jsonl: Callable[..., Path]
) -> None:
    text = "Hình thức nộpThời gianPhí, lệ phíMô tảTrực tiếp1100 VNĐ"
    (record,), _ = split(write_jsonl([portal_record(cach_thuc_thuc_hien=text)]))
    assert as_procedure(record).filing == []
    assert as_procedure(record).official.filing == "Trực tiếp: 1100 VNĐ"
    assert record.outcomes["filing"] == "kept as text"


def test_an_address_of_another_province_is_not_taken_over(
    portal_record: Callable[..., dict[str, str]], write_jsonl: Callable[..., Path]
) -> None:
    (record,), _ = split(
        write_jsonl([portal_record(dia_chi_tiep_nhan="Trung tâm hành chính công tỉnh Hà Tĩnh")])
    )
    assert as_procedure(record).where_to_file is None


def test_bad_lines_are_reported_with_their_number_and_the_rest_goes_in(
    portal_record: Callable[..., dict[str, str]], tmp_path: Path
) -> None:
    file = tmp_path / "mixed.jsonl"
    good = json.dumps(portal_record())
    file.write_text(
        f'{good}\nnot json\n[1, 2]\n{{"ma_thu_tuc": 5, "ten_thu_tuc": "x"}}\n{{"ma_thu_tuc": "9.1"}}\n\n'
        f'{{"ma_thu_tuc": "../etc", "ten_thu_tuc": "x"}}\n',
        encoding="utf-8",
    )
    records, problems = split(file)
    assert len(records) == 1
    assert [problem.line for problem in problems] == [2, 3, 4, 5, 7]
    assert "not JSON" in problems[0].reason
    assert "ma_thu_tuc" in problems[2].reason
    assert "missing: ten_thu_tuc" in problems[3].reason


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.json", b"{", "not JSON"),
        ("a.json", b"[" * 100_000, "not JSON"),
        ("a.json", b'"text"', "a list of records"),
        ("a.json", b"\xff\xfe\x00", "not UTF-8"),
        ("a.yml", b"a: &x [1]\nb: *x\n", "aliases"),
        ("a.yml", b"key: value", "a list of entries"),
        ("a.yml", b"- [", "not YAML"),
        ("a.yml", b"- !!python/object/apply:os.system ['true']", "not YAML"),
        ("a.csv", b"one,two\n1,2\n", "no column for code"),
        ("a.csv", b"", "no row with headings"),
        ("a.xlsx", b"no workbook", "not an Excel workbook"),
        ("a.pdf", b"%PDF", "cannot be imported"),
    ],
)
def test_hostile_files_are_one_clear_problem(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    records, problems = split(file)
    assert not records
    assert len(problems) == 1
    assert said in str(problems[0])


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "large.json"
    file.write_bytes(b"0" * 101)
    with pytest.raises(ImportRefusedError, match="more than the limit"):
        check_size(file, limit=100)


def test_a_workbook_that_unpacks_without_end_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bomb.xlsx"
    with (
        zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as sheet,
    ):
        for _ in range(600):
            sheet.write(b"\0" * 1024 * 1024)
    _, (problem,) = split(file)
    assert "unpacks to more than" in problem.reason


def test_missing_path_and_empty_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ImportRefusedError, match="no such file"):
        list(read_path(tmp_path / "nothing.json"))
    with pytest.raises(ImportRefusedError, match="no file with one of"):
        list(read_path(tmp_path))


def test_yaml_holds_procedures_and_articles_and_tells_the_line_of_a_bad_one(tmp_path: Path) -> None:
    (tmp_path / "own.yml").write_text(
        "- code: 9.300001\n  title: Thủ tục A\n  field: B\n  source: {name: C}\n  checked_on: 2026-07-01\n"
        "- code: 9.300002\n  title: Không có nguồn\n"
        "- id: bai-viet\n  title: Bài\n  field: B\n  answer: Có.\n  phones: [{name: X, number: 1022}]\n"
        "  source: {name: C}\n  checked_on: 2026-07-01\n- 5\n",
        encoding="utf-8",
    )
    records, problems = split(tmp_path, yaml_layer="starter")
    assert [type(record.entry) for record in records] == [Procedure, Article]
    assert [(problem.line, "source" in problem.reason) for problem in problems] == [(6, True), (15, False)]


def test_lexicon_with_a_bad_term_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "lexicon.yml"
    file.write_text(
        '- {term: "sổ đỏ", means: ["giấy chứng nhận"], not: ["sổ hộ khẩu"]}\n- {term: "x"}\n',
        encoding="utf-8",
    )
    with pytest.raises(ImportRefusedError, match="line 2: means"):
        read_lexicon(file)


def workbook(path: Path, rows: list[list[object]]) -> Path:
    book = Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    book.save(path)
    return path


def test_excel_by_its_default_headings(tmp_path: Path) -> None:
    file = workbook(
        tmp_path / "so.xlsx",
        [["DANH MỤC THỦ TỤC"][:0] or HEADINGS, ROW, ["9.200002", ""], ["9.200003", "=1+1"]],
    )
    (record,), problems = split(file)
    entry = as_procedure(record)
    assert record.layer == "sheet"
    assert {option.way for option in entry.filing} == {"online", "in_person"}
    assert entry.filing[0].fees[0].amount == 20_000
    assert entry.filing[0].fees[0].per == "thẻ"
    assert entry.filing[0].processing_time is not None
    assert entry.filing[0].processing_time.unit == "working_day"
    assert entry.legal_basis[0].number == "1/2020/QH14"
    assert [problem.line for problem in problems] == [3, 4]
    assert "formula" in problems[1].reason


def test_csv_with_a_column_map(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text(
        "columns: {code: [Ký hiệu], title: Việc}\ndefaults: {field: Nông nghiệp, agency: Sở}\n",
        encoding="utf-8",
    )
    file = tmp_path / "so.csv"
    file.write_text("Ký hiệu;Việc;Phí, lệ phí\n9.200009;Cấp mã số vùng trồng;Không\n", encoding="utf-8-sig")
    (record,), problems = split(file, columns=ColumnMap(tmp_path / "map.yaml"))
    assert not problems
    entry = as_procedure(record)
    assert (entry.field, entry.agency, entry.filing[0].fees[0].amount) == ("Nông nghiệp", "Sở", 0)


def test_a_column_map_with_unknown_fields_is_refused(tmp_path: Path) -> None:
    (tmp_path / "map.yaml").write_text("columns: {nonsense: X}", encoding="utf-8")
    with pytest.raises(ImportRefusedError, match="unknown fields: nonsense"):
        ColumnMap(tmp_path / "map.yaml")
