"""A small base of our own and records that look like the portal's, with texts made up for the tests."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from database.engine import Database
from kb_index.importers import Record
from kb_index.importing import import_records
from kb_index.schemas import Article, Procedure
from kb_index.service import rebuild

_TOPICS = [
    (
        "9.000001",
        "Đăng ký khai sinh",
        "khai sinh lần đầu",
        ["làm giấy khai sinh cho con", "khai sinh cho em bé"],
        "Hộ tịch",
    ),
    (
        "9.000002",
        "Đăng ký lại khai sinh",
        "đăng ký lại khai sinh",
        ["làm lại khai sinh vì mất bản gốc"],
        "Hộ tịch",
    ),
    ("9.000003", "Đăng ký kết hôn", "kết hôn", ["làm giấy hôn thú", "đăng ký cưới"], "Hộ tịch"),
    ("9.000004", "Đăng ký khai tử", "khai tử", ["báo tử cho người mất", "làm giấy chứng tử"], "Hộ tịch"),
    (
        "9.000005",
        "Cấp giấy phép xây dựng nhà ở",
        "phép xây nhà",
        ["xin phép cất nhà", "xin giấy phép làm nhà"],
        "Xây dựng",
    ),
    (
        "9.000006",
        "Đăng ký thành lập hộ kinh doanh",
        "mở hộ kinh doanh",
        ["mở tiệm tạp hóa", "đăng ký buôn bán"],
        "Kinh doanh",
    ),
    (
        "9.000007",
        "Cấp đổi giấy phép lái xe",
        "đổi bằng lái",
        ["đổi bằng lái xe", "bằng lái sắp hết hạn"],
        "Đường bộ",
    ),
    ("9.000008", "Đăng ký thường trú", "thường trú", ["nhập khẩu vào nhà", "nhập hộ khẩu"], "Cư trú"),
    ("9.000009", "Đăng ký tạm trú", "tạm trú", ["khai báo ở trọ", "làm giấy tạm trú"], "Cư trú"),
    ("9.000010", "Cấp thẻ căn cước", "căn cước", ["làm thẻ cccd", "làm chứng minh nhân dân"], "Căn cước"),
    (
        "9.000011",
        "Chứng thực bản sao từ bản chính",
        "sao y",
        ["công chứng giấy tờ", "sao y bản chính"],
        "Chứng thực",
    ),
    (
        "9.000012",
        "Cấp giấy chứng nhận quyền sử dụng đất lần đầu",
        "sổ đỏ lần đầu",
        ["làm sổ đỏ", "xin cấp sổ đất"],
        "Đất đai",
    ),
]


def make_procedure(**changes: Any) -> Procedure:
    values: dict[str, Any] = {
        "code": "9.000001",
        "title": "Đăng ký khai sinh",
        "everyday_names": ["làm giấy khai sinh cho con"],
        "short_name": "khai sinh lần đầu",
        "field": "Hộ tịch",
        "levels": ["commune"],
        "agency": "Ủy ban nhân dân cấp xã",
        "who_may_file": "Cha, mẹ hoặc người thân của trẻ",
        "summary": "Ghi tên trẻ mới sinh vào sổ hộ tịch.",
        "steps": ["Chuẩn bị giấy tờ.", "Nộp ở xã, phường.", "Nhận kết quả."],
        "documents": [
            {"name": "Giấy chứng sinh", "originals": 1, "copies": 0},
            {"name": "Tờ khai", "originals": 1, "form": {"name": "Tờ khai khai sinh", "code": "01-KS"}},
        ],
        "filing": [
            {
                "way": "online",
                "processing_time": {"value": 1, "unit": "working_day"},
                "fees": [{"amount": 0}],
            },
            {
                "way": "in_person",
                "processing_time": {"value": 1, "unit": "working_day"},
                "fees": [{"amount": 8000, "condition": "nộp quá hạn"}],
            },
        ],
        "where_to_file": "Trung tâm Phục vụ hành chính công xã, phường",
        "online": {"level": "full", "url": "https://example.gov.vn/khai-sinh"},
        "legal_basis": [{"title": "Luật Hộ tịch", "number": "60/2014/QH13"}],
        "result": "Giấy khai sinh",
        "source": {"name": "Cổng Dịch vụ công quốc gia", "url": "https://example.gov.vn/1"},
        "checked_on": "2026-07-01",
    }
    return Procedure.model_validate({**values, **changes})


def make_base() -> list[Procedure | Article]:
    entries: list[Procedure | Article] = [
        make_procedure(code=code, title=title, short_name=short, everyday_names=names, field=field)
        for code, title, short, names, field in _TOPICS
    ]
    entries.append(
        Article.model_validate(
            {
                "id": "gl-cup-dien",
                "title": "Lịch cúp điện",
                "questions": ["hôm nay có cúp điện không", "khi nào có điện lại"],
                "field": "Điện lực",
                "field_group": 2,
                "answer": "Lịch tạm ngừng cấp điện có trên trang của công ty điện lực.",
                "phones": [{"name": "Tổng đài điện lực", "number": "19001909"}],
                "source": {"name": "Công ty điện lực"},
                "checked_on": "2026-07-01",
            }
        )
    )
    return entries


def as_records(entries: list[Procedure | Article], layer: str = "starter") -> list[Record]:
    return [Record(entry, layer, "base.yml", line) for line, entry in enumerate(entries, start=1)]  # type: ignore[arg-type]


class FixedClock:
    def __init__(self, instant: datetime = datetime(2026, 7, 15, 3, tzinfo=UTC)) -> None:
        self.instant = instant

    def now(self) -> datetime:
        return self.instant


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def procedure() -> Callable[..., Procedure]:
    return make_procedure


@pytest.fixture
def records() -> Callable[..., list[Record]]:
    return as_records


@pytest.fixture
def base_entries() -> list[Procedure | Article]:
    return make_base()


@pytest.fixture
def portal_record() -> Callable[..., dict[str, str]]:
    def make(**changes: str) -> dict[str, str]:
        heading = "Hình thức nộpThời gianPhí, lệ phíMô tả"
        return {
            "ma_thu_tuc": "9.100001",
            "ten_thu_tuc": "Cấp thẻ thuyền viên tàu giấy",
            "linh_vuc": "Đường thủy",
            "cap_thuc_hien": "Cấp tỉnh, Cấp xã",
            "doi_tuong_thuc_hien": "Công dân Việt Nam",
            "co_quan_thuc_hien": "Sở Xây dựng",
            "trinh_tu_thuc_hien": "- Bước 1: Nộp hồ sơ.\n- Bước 2: Nhận thẻ.",
            "cach_thuc_thuc_hien": f"{heading}Trực tuyến3 Ngày làm việcMiễn phíTrực tiếp5Miễn phí",
            "thanh_phan_ho_so": "--Tên giấy tờMẫu đơn, tờ khaiSố lượngĐơn đề nghịMau don.docx1 bản chính",
            "can_cu_phap_ly": "Tên văn bản pháp lýMã văn bảnLuật Tàu giấy12/2024/QH15",
            "yeu_cau_dieu_kien": "Không có thông tin",
            "ket_qua_xu_ly": "Thẻ thuyền viênMã: KQ.G12.000001Từ khóaKhông có thông tinMô tảKhông có",
            "so_quyet_dinh": "1/QĐ-BXD",
            "detail_url": "https://example.gov.vn/thuyen-vien",
        } | changes

    return make


@pytest.fixture
def write_jsonl(tmp_path: Path) -> Callable[..., Path]:
    def write(rows: list[object], name: str = "portal.jsonl") -> Path:
        file = tmp_path / name
        file.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
        return file

    return write


@pytest.fixture
def small_base(database: Database, tmp_path: Path) -> Callable[[], Any]:
    """Import the small base and build its index, model training included."""

    async def build() -> Path:
        await import_records(database, as_records(make_base()))
        await rebuild(database, tmp_path)
        return tmp_path

    return build
