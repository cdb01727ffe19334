"""Both ways of typing mean the same, aspects are no topic, and the general procedure comes first."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from database.engine import Database
from kb_index.aspects import find_aspects, residue
from kb_index.fitting import EVALUATION
from kb_index.importers import Record
from kb_index.importing import import_records, import_starter
from kb_index.lexicon import Lexicon
from kb_index.query import Vocabulary, read_query
from kb_index.schemas import Procedure
from kb_index.service import KnowledgeBase, rebuild
from kb_index.texts import texts_of
from vntext.normalise import normalise, strip_marks

VARIANTS = [
    ("9.000101", "Đăng ký khai sinh cho người đã có hồ sơ, giấy tờ cá nhân"),
    ("9.000102", "Đăng ký khai sinh có yếu tố nước ngoài"),
    ("9.000103", "Đăng ký khai sinh lưu động"),
    ("9.000104", "Liên thông đăng ký khai sinh, đăng ký thường trú, cấp thẻ bảo hiểm y tế cho trẻ"),
    ("9.000105", "Đăng ký kết hôn có yếu tố nước ngoài"),
    ("9.000106", "Cấp giấy phép xây dựng mới đối với công trình tôn giáo thuộc dự án cấp III"),
]


def questions() -> list[str]:
    rows = [
        json.loads(line)
        for name in ("procedures", "articles", "aspects")
        for line in (EVALUATION / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    texts = [normalise(row["text"]) for row in rows if row.get("text") and row["style"] != "telex"]
    return [text for text in texts if text != strip_marks(text)]


async def test_marked_and_unmarked_copies_of_our_questions_agree(database: Database, tmp_path: Path) -> None:
    await import_starter(database)
    await rebuild(database, tmp_path)
    base = await KnowledgeBase.open(database, tmp_path)
    pairs = [(base.search(text), base.search(strip_marks(text))) for text in questions()]
    same = [
        bool(first.hits)
        and bool(second.hits)
        and first.hits[0].code == second.hits[0].code
        and abs(first.confidence - second.confidence) < 0.1
        for first, second in pairs
    ]
    assert len(same) > 500
    assert sum(same) / len(same) >= 0.95
    for text in (
        "lam giay khai sinh cho con can giay to gi v",
        "Làm giấy khai sinh cho con cần giấy tờ gì vậy?",
    ):
        result = base.search(text)
        assert result.hits[0].code == "1.001193"
        assert result.confidence > 0.7
    for text, code in (("khai sinh cần gì", "1.001193"), ("dang ky tam tru can gi", "1.004194")):
        assert base.search(text).hits[0].code == code


def test_aspects_and_topic_words_are_found_alike_with_and_without_marks() -> None:
    texts = questions()
    found = [find_aspects(text) == find_aspects(strip_marks(text)) for text in texts]
    left = [len(residue(text)) == len(residue(strip_marks(text))) for text in texts]
    assert sum(found) / len(found) >= 0.98
    assert sum(left) / len(left) >= 0.95


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("khai sinh cần gì", "9.000001"),
        ("lam giay khai sinh cho con can giay to gi v", "9.000001"),
        ("Làm giấy khai sinh cho con cần giấy tờ gì vậy?", "9.000001"),
        ("hồ sơ giấy tờ khai sinh gồm những gì", "9.000001"),
        ("đăng ký kết hôn cần giấy tờ gì", "9.000003"),
        ("ket hon voi nguoi nuoc ngoai can giay to gi", "9.000105"),
        ("đăng ký khai sinh có yếu tố nước ngoài nộp ở đâu", "9.000102"),
        ("đăng ký khai sinh cho người đã có hồ sơ, giấy tờ cá nhân mất mấy ngày", "9.000101"),
        (
            "cap giay phep xay dung moi doi voi cong trinh ton giao thuoc du an cap iii le phi bao nhieu",
            "9.000106",
        ),
    ],
)
async def test_the_general_one_comes_first_unless_a_variant_is_asked_for(
    variants_base: KnowledgeBase, text: str, code: str
) -> None:
    result = variants_base.search(text)
    assert result.hits[0].code == code, [(hit.code, round(hit.score, 1)) for hit in result.hits[:3]]


@pytest.fixture
async def variants_base(
    database: Database,
    tmp_path: Path,
    base_entries: list[Any],
    records: Callable[..., list[Record]],
    procedure: Callable[..., Procedure],
    clock: Any,
) -> KnowledgeBase:
    more = [procedure(code=code, title=title, short_name=None, everyday_names=[]) for code, title in VARIANTS]
    await import_records(database, records([*base_entries, *more]))
    await rebuild(database, tmp_path)
    return await KnowledgeBase.open(database, tmp_path, clock=clock)


def test_a_filler_within_a_topic_counts_and_an_unknown_word_is_read_by_its_sound(
    procedure: Callable[..., Procedure],
) -> None:
    vocabulary = Vocabulary.of([texts_of(procedure(title="Đăng ký hộ kinh doanh"))])
    query = read_query("mo ho kinh doanh, kinh chao anh", Lexicon([]), vocabulary)
    weights = list(zip(query.bare, query.weights, strict=True))
    assert ("kinh", 1.0) in weights
    assert weights[-3][0] == "kinh"
    assert weights[-3][1] < 0.5
    assert read_query("hộ kinh doan", Lexicon([]), vocabulary).bare == ("ho", "kinh", "doanh")
