"""Who is turned away for another language, and who never."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vntext.language import decide

VIETNAMESE = [
    "làm giấy khai sinh",
    "lam giay khai sinh cho con can gi v",
    "den duong hong",
    "xin chao",
    "e muon feedback attitude cua nv",
    "Street light trước homestay của em bị broken",
    "tôi need a permit cho homestay ở Pleiku",
    "ok",
    "hello",
    "hi",
    "alo",
    "thanks ad",
    "thank you em nha",
    "dkkh",
    "ntn",
    "thur tucj",
    "Krong Pa",
    "wifi yeu qua",
    "check giup em ho so",
    "GL-2026-000123",
    "H21.20.15-261012-0034",
]
OTHER = [
    "where can I get a birth certificate",
    "How much is the fee for renewing my passport?",
    "my house is on fire",
    "bonjour, où puis-je obtenir un permis?",
    "Hola, necesito ayuda con mi permiso",
    "Guten Tag, ich brauche Hilfe",
    "สวัสดีครับ",
    "ສະບາຍດີ",
    "你好,我想办签证",
    "こんにちは",
    "សួស្តី",
    "안녕하세요",
    "Здравствуйте",
]
UNCLEAR = [
    ("", "empty"),
    ("😀😀", "no_words"),
    ("12345", "digits_only"),
    ("...", "no_words"),
    ("kjhgf", "gibberish"),
    ("asdkjfh qwer", "gibberish"),
    ("aaaaaa", "gibberish"),
]


@pytest.mark.parametrize("text", VIETNAMESE)
def test_vietnamese(text):
    assert decide(text).kind == "vi"


@pytest.mark.parametrize("text", OTHER)
def test_other(text):
    assert decide(text).kind == "other"


@pytest.mark.parametrize(("text", "reason"), UNCLEAR)
def test_unclear(text, reason):
    assert (decide(text).kind, decide(text).reason) == ("unclear", reason)


@given(st.text())
def test_never_raises(text):
    decide(text)
