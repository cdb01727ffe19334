"""Sums, quoted codes, and what must not be read in logs."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.codes import find_codes
from vntext.masking import find_identifiers, mask_personal, remove_identifiers
from vntext.money import find_money, format_dong


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("20.000đ", 20_000),
        ("20k 3 bản", 20_000),
        ("2tr5", 2_500_000),
        ("1,5 triệu", 1_500_000),
        ("500 nghìn đồng", 500_000),
        ("phat 200 ngan", 200_000),
        ("2 triệu 500 nghìn", 2_500_000),
        ("3 tỷ", 3_000_000_000),
        ("20000 đồng", 20_000),
    ],
)
def test_reads_sums(text, amount):
    assert [found.amount for found in find_money(text)] == [amount]


@pytest.mark.parametrize("text", ["năm 2026", "12/10", "1.001193", "số 12 Trần Phú", "0905123456"])
def test_leaves_other_numbers(text):
    assert find_money(text) == []


@pytest.mark.parametrize(
    ("amount", "written"), [(0, "0 đồng"), (20_000, "20.000 đồng"), (1_250_000, "1.250.000 đồng")]
)
def test_writes_sums(amount, written):
    assert format_dong(amount) == written


@given(st.integers(1_000, 999_999_999))
def test_what_is_written_is_read_again(amount):
    assert [found.amount for found in find_money(format_dong(amount))] == [amount]


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("phản ánh GL-2026-000123 sao rồi", "ticket", "GL-2026-000123"),
        ("gl 2026 000123", "ticket", "GL-2026-000123"),
        ("gl2026-000123", "ticket", "GL-2026-000123"),
        ("H21.20.15-261012-0034", "dossier", "H21.20.15-261012-0034"),
        ("h21.20.15 - 261012 - 0034 tới đâu", "dossier", "H21.20.15-261012-0034"),
        ("000.00.20.H21-261103-0112", "dossier", "000.00.20.H21-261103-0112"),
        ("thủ tục 1.001193", "procedure", "1.001193"),
        ("1. 001193", "procedure", "1.001193"),
    ],
)
def test_finds_codes(text, kind, value):
    assert [(code.kind, code.value) for code in find_codes(text)] == [(kind, value)]


@pytest.mark.parametrize("text", ["20.000 đồng", "1.250.000", "12.10.2026", "gl", ""])
def test_finds_no_codes(text):
    assert find_codes(text) == []


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("sđt 0905 123 456", "sđt **** *** 456"),
        ("cccd 052099001234", "cccd *********234"),
        ("cmnd 230123456.", "cmnd ******456."),
        ("stk 0123456789012", "stk **********012"),
        ("o9o5123456", "*******456"),
        ("thư a.nguyen@example.com", "thư a***@example.com"),
        ("số không chín không năm một hai ba bốn năm sáu", "số (số đã che)"),
        ("GL-2026-000123 và H21.20.15-261012-0034", "GL-2026-000123 và H21.20.15-261012-0034"),
        ("phí 1.250.000 đồng ngày 12-10-2026", "phí 1.250.000 đồng ngày 12-10-2026"),
    ],
)
def test_masks(text, masked):
    assert mask_personal(text) == masked


@given(st.text())
def test_masking_never_raises(text):
    mask_personal(text)


@given(st.from_regex(r"0[35789]\d{8}", fullmatch=True))
def test_no_phone_number_is_left(number):
    assert number not in mask_personal(f"gọi {number} nhé")


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("sđt 0905 123 456", "sđt (số)"),
        ("gọi +84 905.123.456 nhé", "gọi (số) nhé"),
        ("cccd 052099001234", "cccd (số)"),
        ("cmnd 230123456.", "cmnd (số)."),
        ("hộ chiếu B1234567", "hộ chiếu (số)"),
        ("sổ đỏ CD 123456 bị mất", "sổ đỏ (số) bị mất"),
        ("thẻ bhyt GD4797912345678", "thẻ bhyt (số)"),
        ("mst 4100123456-001", "mst (số)"),
        ("xe 77A-123.45 và 81b1-12345", "xe (biển số) và (biển số)"),
        ("sinh ngày 12/03/1985 ở Pleiku", "sinh ngày (ngày) ở Pleiku"),
        ("sinh ngay 12 thang 3 nam 1985", "sinh (ngày)"),
        ("thư a.nguyen@example.com", "thư (thư)"),
        ("xem https://example.com/a?b=1 hoặc fb.com/lan.pham", "xem (liên kết) hoặc (liên kết)"),
        ("số không chín không năm một hai ba bốn năm sáu", "số (số)"),
        ("GL-2026-000123 và H21.20.15-261012-0034", "(mã) và (mã)"),
        ("tài khoản 123 456", "tài khoản (số)"),
    ],
)
def test_removes_what_tells_who_somebody_is(text, left):
    assert remove_identifiers(text) == left
    assert find_identifiers(text)
    assert find_identifiers(left) == []


@pytest.mark.parametrize(
    "text",
    [
        "phí 1.250.000 đồng",
        "vay 50000000 đồng",
        "thủ tục 1.001193 cần gì",
        "nghị định 15 năm 2020",
        "gọi 113 hay 0269.1022",
        "con 2 tuổi, học lớp 12a1",
        "đất 500 m2 ở thôn 3",
        "sinh năm 1985",
    ],
)
def test_keeps_what_tells_nothing_of_anybody(text):
    assert remove_identifiers(text) == text
    assert find_identifiers(text) == []


@given(st.text())
def test_nothing_is_left_after_removing(text):
    assert find_identifiers(remove_identifiers(text)) == []
