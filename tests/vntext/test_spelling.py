"""Chat spelling is written out, short forms by what stands beside them."""

from pathlib import Path

import pytest
import yaml

import vntext
from vntext.sound import sound_key
from vntext.spelling import expand

RULES = Path(vntext.__file__).parent / "rules"
DICTIONARY = yaml.safe_load((RULES / "spelling.yml").read_text(encoding="utf-8"))
CONTEXT = yaml.safe_load((RULES / "spelling_context.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("k có cccd thì có dc k ad", "không có căn cước công dân thì có được không quản trị viên"),
        ("lam giay khai sinh can gi v", "lam giay khai sinh can gi vậy"),
        ("phí hết bn vậy", "phí hết bao nhiêu vậy"),
        ("chào bn", "chào bạn"),
        ("đk xe máy", "đăng ký xe máy"),
        ("k đc", "không được"),
        ("nộp dc k", "nộp được không"),
        ("đủ đk vay vốn", "đủ điều kiện vay vốn"),
        ("gửi về dc nhà", "gửi về địa chỉ nhà"),
        ("làm ks cho bé", "làm khai sinh cho bé"),
        ("ở ks gần chợ", "ở khách sạn gần chợ"),
        ("nộp hs ở đâu", "nộp hồ sơ ở đâu"),
        ("các em hs lớp 5", "các em học sinh lớp 5"),
        ("báo ca xuống bắt", "báo công an xuống bắt"),
        ("ca trực đêm", "ca trực đêm"),
        ("tt hcc ở đâu", "trung tâm hành chính công ở đâu"),
        ("làm tt khai sinh", "làm thủ tục khai sinh"),
        ("8h30 sáng t2", "8 giờ 30 sáng thứ 2"),
        ("t7 cn có lm k", "thứ 7 chủ nhật có làm không"),
        ("20k hay 2tr5", "20 nghìn hay 2 triệu 5"),
        ("cccd vs hộ khẩu", "căn cước công dân và hộ khẩu"),
        ("giúp e vs", "giúp em với"),
        ("mất hk rồi", "mất không rồi"),
        ("mất sổ hk", "mất sổ hộ khẩu"),
        ("hạng a tới hạng c", "hạng a tới hạng c"),
        ("chị c ơi", "chị chị ơi"),
        ("fải đóng fí hông", "phải đóng phí không"),
        ("sao dzậy", "sao vậy"),
        ("thức dậy sớm", "thức dậy sớm"),
        ("gì dậy ad", "gì vậy quản trị viên"),
        ("wa cổng", "qua cổng"),
        ("ntn", "như thế nào"),
        ("gọi xe cc", "gọi xe cấp cứu"),
        ("den duong hong roi", "den duong hong roi"),
        ("ô tô", "ô tô"),
        ("Kông Chro", "Kông Chro"),
        ("mã GL-2026-000123", "mã GL-2026-000123"),
        ("mail a.k@example.com", "mail a.k@example.com"),
        ("bị moc tui", "bị moc tui"),
    ],
)
def test_expands(typed, expected):
    assert expand(typed) == expected


def test_the_dictionary_is_large():
    assert len(DICTIONARY["words"]) + len(CONTEXT) >= 250


def test_no_expansion_is_a_short_form_again():
    """Else expanding twice would change more; the pronoun-like keys are kept apart by their neighbours."""
    for typed, written in DICTIONARY["words"].items():
        assert expand(written) == written, typed


def test_every_reading_ends_in_one_that_always_fits():
    for short, readings in CONTEXT.items():
        assert set(readings[-1]) == {"otherwise"}, short


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("xạt lỡ", "sạt lở"),
        ("bằn láy", "bằng lái"),
        ("Xang tên sỗ đỏ", "sang tên sổ đỏ"),
        ("cằn dì", "cần gì"),
        ("giựng", "dựng"),
        ("phâng bón", "phân bón"),
        ("trứng thực", "chứng thực"),
        ("đìu kiện", "điều kiện"),
        ("quí", "quý"),
        ("thuê bau", "thuê bao"),
    ],
)
def test_sounds_alike(typed, meant):
    assert [sound_key(word) for word in typed.split()] == [sound_key(word) for word in meant.split()]


@pytest.mark.parametrize(("one", "other"), [("nhà", "cha"), ("đất", "đi"), ("xe", "the"), ("phí", "thi")])
def test_sounds_different(one, other):
    assert sound_key(one) != sound_key(other)
