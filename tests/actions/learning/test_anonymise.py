"""What is kept for learning tells of nobody who it was."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actions.learning.anonymise import anonymise, find_personal


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("mình tên Khánh, muốn làm lại căn cước", "mình (tên), muốn làm lại căn cước"),
        ("tôi là Nguyễn Văn Tám, 0905123456", "(tên), (số)"),
        ("bà Hoa với ông Trần Văn Bình tranh nhau miếng đất", "bà (tên) với ông (tên) tranh nhau miếng đất"),
        ("toi ten nguyen thi lua nop bua truoc", "toi (tên) truoc"),
        ("ho so cua le van hai, xong chua", "ho so cua (tên), xong chua"),
        ("hồ sơ đứng tên Lê Thị Mận tới đâu", "hồ sơ đứng (tên) tới đâu"),
        ("nhà tôi ở số 12 Nguyễn Huệ muốn tách thửa", "nhà tôi ở (địa chỉ) muốn tách thửa"),
        ("địa chỉ thôn 3 xã Ia Der", "địa chỉ (địa chỉ)"),
        ("em ở hẻm 30 Nguyễn Viết Xuân", "em ở (địa chỉ)"),
        ("mất cccd 052099001234, sinh ngày 01/02/1990", "mất cccd (số), sinh ngày (ngày)"),
        ("xe 77A-123.45 của anh Tuấn", "xe (biển số) của anh (tên)"),
        ("hồ sơ H21.20.15-261012-0034 sao rồi", "hồ sơ (mã) sao rồi"),
    ],
)
def test_takes_out_names_addresses_numbers_and_codes(text, left):
    assert anonymise(text) == left
    assert find_personal(text)
    assert find_personal(left) == []


@pytest.mark.parametrize(
    "text",
    [
        "sang tên xe máy cũ cần giấy tờ gì",
        "sang ten so do cho con",
        "đừng ghi tên tôi vô",
        "chị ơi cho em hỏi",
        "cấp lại văn bằng tốt nghiệp",
        "báo quản lý thị trường ở đâu",
        "đất ở đô thị tính sao",
        "mẫu số 15 hay 04",
        "quốc lộ 19 ổ gà nhiều quá",
        "lấy chồng Đài Loan thì đăng ký ở đâu",
        "đứng tên hộ kinh doanh được không",
        "thủ tục 1.001193 hết bao nhiêu tiền",
        "em là hộ nghèo có sổ",
        "vé máy bay đi Hà Nội",
    ],
)
def test_leaves_what_is_asked(text):
    assert anonymise(text) == text
    assert find_personal(text) == []


_WORDS = st.sampled_from(
    [
        *("tôi", "tên", "là", "Nguyễn", "Văn", "thị", "Lan", "ở", "số", "12", "đường", "Trần", "Phú", "làm"),
        *("anh", "chị", "(tên)", "(địa chỉ)", ",", ".", "0905123456", "giấy", "xã", "Ia", "Der"),
    ]
)


@settings(max_examples=150)
@given(st.lists(_WORDS, max_size=12).map(" ".join))
def test_once_is_enough(text):
    assert find_personal(anonymise(text)) == []
