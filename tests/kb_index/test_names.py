"""What people call procedures: the files that come with the program, and how they join the entries."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
import yaml

from kb_index.importing import STARTER
from kb_index.merging import merge
from kb_index.names import STARTER_NAMES, Names, load_names
from kb_index.repository import StoredLayer
from vntext.normalise import normalise

LAYER = StoredLayer(
    "1.000001",
    "procedure",
    "portal",
    {
        "code": "1.000001",
        "title": "Cấp giấy phép nuôi cá lồng",
        "field": "Thủy sản",
        "levels": ["province"],
        "source": {"name": "Cổng Dịch vụ công quốc gia"},
        "checked_on": "2026-06-30",
    },
)


def test_names_join_what_a_layer_says():
    names = {"1.000001": Names(("xin nuôi cá bè", "làm lồng cá trên hồ"), ("nuôi cá cảnh",))}
    (entry,) = merge([LAYER], names).values()
    assert entry.everyday_names == ["xin nuôi cá bè", "làm lồng cá trên hồ"]
    assert entry.not_meant == ["nuôi cá cảnh"]
    (bare,) = merge([LAYER]).values()
    assert bare.everyday_names == []


def test_shipped_names_are_in_order():
    names = load_names()
    assert len(names) > 2_000
    for code, called in names.items():
        assert len(called.names) >= 2, code
        for name in (*called.names, *called.not_meant):
            assert name == normalise(name).strip(" .?"), (code, name)
            assert 1 <= len(name.split()) <= 16, (code, name)


def test_no_name_is_used_up_by_many_procedures():
    used = Counter(name for called in load_names().values() for name in called.names)
    assert [name for name, count in used.items() if count > 12] == []


def test_starter_entries_carry_their_own_names():
    own = {
        str(entry["code"])
        for file in (STARTER / "procedures").glob("*.yml")
        for entry in yaml.safe_load(file.read_text(encoding="utf-8"))
    }
    elsewhere = {
        code
        for file in STARTER_NAMES.glob("*.yml")
        if file.name != "learned.yml"
        for code in (str(entry["code"]) for entry in yaml.safe_load(file.read_text(encoding="utf-8")))
    }
    assert own & elsewhere == set()


def test_what_was_learned_adds_to_the_others(tmp_path: Path):
    (tmp_path / "a.yml").write_text('- {code: "1", names: ["một", "hai"], not: []}\n', encoding="utf-8")
    (tmp_path / "learned.yml").write_text('- {code: "1", names: ["ba", "hai"]}\n', encoding="utf-8")
    assert load_names(tmp_path) == {"1": Names(("một", "hai", "ba"))}


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("a: 1\n", "must hold a list"),
        ('- {names: ["a"]}\n', "needs a code and names"),
        ('- {code: "1", names: ["a"]}\n- {code: "1", names: ["b"]}\n', "1 has names already"),
    ],
)
def test_a_broken_file_is_named(tmp_path: Path, content: str, reason: str):
    (tmp_path / "a.yml").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=reason):
        load_names(tmp_path)
