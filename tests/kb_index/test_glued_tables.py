from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kb_index.importers.document_table import parse_documents
from kb_index.importers.filing_table import UncertainTableError, parse_filing
from kb_index.importers.legal_table import find_legal_numbers, parse_legal_basis
from kb_index.importers.result_text import clean_result
from kb_index.schemas import Fee

FILING = "Hình thức nộpThời gianPhí, lệ phíMô tả"
DOCUMENTS = "Tên giấy tờMẫu đơn, tờ khaiSố lượng"
LEGAL = "Tên văn bản pháp lýMã văn bản"


def test_ways_with_bare_numbers_are_working_days() -> None:
    rows = parse_filing(f"{FILING}Trực tuyến1Miễn phíDịch vụ bưu chính2Miễn phíTrực tiếp3Miễn phí")
    assert [row.way for row in rows] == ["online", "post", "in_person"]
    assert [row.processing_time.value for row in rows if row.processing_time] == [1, 2, 3]
    assert {row.processing_time.unit for row in rows if row.processing_time} == {"working_day"}
    assert all(row.fees == [Fee(amount=0)] for row in rows)


@pytest.mark.parametrize(
    ("cell", "value", "unit"),
    [
        ("4 Giờ", 4, "hour"),
        ("15 Ngày", 15, "day"),
        ("7 Ngày làm việc", 7, "working_day"),
        ("2 Tháng", 2, "month"),
    ],
)
def test_units_of_time(cell: str, value: int, unit: str) -> None:
    (row,) = parse_filing(f"{FILING}Trực tiếp{cell}Miễn phí")
    assert row.processing_time is not None
    assert (row.processing_time.value, row.processing_time.unit) == (value, unit)


def test_free_is_not_believed_when_the_brackets_speak_of_a_fee() -> None:
    (row,) = parse_filing(f"{FILING}Trực tiếp5Miễn phí(Mức thu do Hội đồng nhân dân tỉnh quyết định)")
    assert row.fees == [Fee(text="Mức thu do Hội đồng nhân dân tỉnh quyết định")]


def test_free_is_believed_when_the_brackets_agree() -> None:
    (row,) = parse_filing(f"{FILING}Trực tiếp5Miễn phí(Không có)")
    assert row.fees == [Fee(amount=0)]


def test_amounts_in_dong_with_their_condition_and_note() -> None:
    (row,) = parse_filing(f"{FILING}Trực tuyến2 Ngày230,000 Việt Nam Đồng(một lần (mỗi thẻ))Nộp trên Cổng.")
    assert row.fees == [Fee(amount=230_000, condition="một lần (mỗi thẻ)")]
    assert row.note == "Nộp trên Cổng."


def test_an_amount_that_cannot_be_meant_is_replaced_by_its_words() -> None:
    (row,) = parse_filing(f"{FILING}Trực tuyến2 Giờ20 VNĐ(20.000 đồng một tờ)")
    assert row.fees == [Fee(text="20.000 đồng một tờ")]


@pytest.mark.parametrize(
    "text",
    [
        "Không có gì",
        f"{FILING}Ở đâu cũng được",
        f"{FILING}Trực tiếp1100,000 VNĐ",
        f"{FILING}Trực tiếp5Miễn phí(không đóng ngoặc",
        f"{FILING}Trực tiếp5 Ngày20 VNĐ",
    ],
)
def test_uncertain_filing_tables_are_refused(text: str) -> None:
    with pytest.raises(UncertainTableError):
        parse_filing(text)


def test_documents_with_counts_files_and_cases() -> None:
    rows = parse_documents(
        f"Trường hợp mua mới{DOCUMENTS}Đơn đề nghị theo Mẫu số 03Don de nghi.docx1 bản chính,2 bản sao"
        "Ảnh 3x40 bản chính"
        f"Trường hợp bị mất:{DOCUMENTS}Giấy báo mất1 bản chính"
    )
    first, second, third = rows
    assert (first.name, first.originals, first.copies) == ("Đơn đề nghị theo Mẫu số 03", 1, 2)
    assert first.form is not None
    assert (first.form.name, first.form.code) == ("Don de nghi.docx", "03")
    assert first.when == "Trường hợp mua mới"
    assert second.name == "Ảnh 3x4"
    assert (third.name, third.when) == ("Giấy báo mất", "Trường hợp bị mất")


def test_a_year_before_the_count_belongs_to_the_name() -> None:
    (row,) = parse_documents(f"--{DOCUMENTS}Giấy phép cấp trước ngày 01/01/20051 bản chính")
    assert (row.name, row.originals) == ("Giấy phép cấp trước ngày 01/01/2005", 1)


def test_a_count_that_runs_into_the_name_is_refused() -> None:
    with pytest.raises(UncertainTableError):
        parse_documents(f"--{DOCUMENTS}Đơn theo Mẫu số 1872 bản chính")


def test_legal_pairs_with_repeated_numbers_and_small_letters() -> None:
    rows = parse_legal_basis(
        f"{LEGAL}Luật 54/2014/QH1354/2014/QH13Nghị định về tàu10/2025/NĐ-CP"
        "quy định chi tiết về tàu số 07/2026/TT-BNNMT"
    )
    assert [row.number for row in rows] == ["54/2014/QH13", "10/2025/NĐ-CP", "07/2026/TT-BNNMT"]
    assert rows[1].title == "Nghị định về tàu"


def test_legal_text_behind_the_last_number_is_refused() -> None:
    with pytest.raises(UncertainTableError):
        parse_legal_basis(f"{LEGAL}Luật Tàu12/2024/QH15Thông tư không số")


def test_legal_numbers_in_running_text() -> None:
    assert find_legal_numbers("theo Luật số 60/2014/QH13 và 60/2014/QH13, 1/2020/NĐ-CP.") == [
        "60/2014/QH13",
        "1/2020/NĐ-CP",
    ]


def test_result_without_codes_and_furniture() -> None:
    furniture = "Từ khóaKhông có thông tinMô tảKhông có thông tinNộp hồ sơ"
    text = f"Giấy AMã: KQ.G12.000001Giấy BMã: G19-KQ0060102{furniture}"
    assert clean_result(text) == "Giấy A\nGiấy B"
    assert clean_result("Từ khóaKhông có thông tinMô tảKhông có thông tin") is None


_PIECES = st.lists(
    st.sampled_from(
        [
            "Trực tuyến",
            "Trực tiếp",
            "1",
            "20",
            "Miễn phí",
            "100,000 VNĐ",
            "(",
            ")",
            "Ngày",
            " ",
            "bản chính",
            "1 bản sao",
            "12/2024/QH15",
            "Luật",
            ".docx",
            DOCUMENTS,
            LEGAL,
            "Mã: ",
            "ă",
        ]
    ),
    max_size=25,
).map("".join)


@given(_PIECES)
def test_any_text_is_taken_apart_or_refused(text: str) -> None:
    for parse, heading in ((parse_filing, FILING), (parse_documents, DOCUMENTS), (parse_legal_basis, LEGAL)):
        for table in (text, heading + text):
            try:
                assert parse(table)  # type: ignore[operator]
            except UncertainTableError:
                continue
    clean_result(text)
