"""The training set: copies as others would type them, the same each time, under no wrong intent."""

from __future__ import annotations

from random import Random

import pytest
import yaml

from bot import variants
from bot.augment import ROOT, ContradictionError, annotate, augment, build, plain, read
from vntext.canonical import canonical

PATTERNS = ROOT / "bot" / "patterns.yml"


def write(folder, name, **intents):
    folder.mkdir(exist_ok=True)
    items = [
        {"intent": i, "examples": "".join(f"- {p}\n" for p in phrases)} for i, phrases in intents.items()
    ]
    text = yaml.safe_dump({"version": "3.1", "nlu": items}, allow_unicode=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def nlu(tmp_path):
    return write(
        tmp_path / "nlu",
        "a.yml",
        ask_fee=["Lệ phí đăng ký kết hôn bao nhiêu vậy em", "có mất tiền không"],
        ticket_status=["phản ánh GL-2026-000123 tới đâu rồi"],
    )


def test_each_phrase_has_an_unmarked_copy(nlu):
    training = augment(read(nlu))
    for intent, phrases in training.written.items():
        for phrase in phrases:
            assert variants.without_marks(phrase) in training.copies[intent]


def test_the_same_input_gives_the_same_files(nlu, tmp_path):
    build(nlu, PATTERNS, tmp_path / "one")
    build(nlu, PATTERNS, tmp_path / "two")
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == ["copies.yml", "patterns.yml", "written.yml"]
    for name in files:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_a_new_phrase_changes_no_copy_of_another(nlu):
    before = augment(read(nlu)).copies["ask_fee"]
    write(nlu, "b.yml", ask_time=["bao lâu thì có kết quả"])
    assert augment(read(nlu)).copies["ask_fee"] == before


def test_a_copy_that_reads_like_another_intent_is_dropped(tmp_path):
    nlu = write(tmp_path / "nlu", "a.yml", affirm=["được"], unclear=["duoc"])
    assert augment(read(nlu)).copies["affirm"] == []


def test_the_same_words_under_two_intents_are_an_error_that_names_them(tmp_path):
    nlu = write(tmp_path / "nlu", "a.yml", affirm=["Ừ đúng rồi"], deny=["ừ  đúng rồi"])
    with pytest.raises(ContradictionError, match="affirm and deny"):
        read(nlu)


@pytest.mark.parametrize(
    "content", ["- a\n- b\n", "nlu: 7\n", "nlu:\n- intent: x\n  examples: |\n    no dash\n"]
)
def test_a_file_that_is_no_training_data_is_named(tmp_path, content):
    (tmp_path / "broken.yml").write_text(content)
    with pytest.raises(ValueError, match=r"broken\.yml"):
        read(tmp_path)


def test_codes_are_marked_as_entities(nlu, tmp_path):
    build(nlu, PATTERNS, tmp_path / "out")
    assert "phản ánh [GL-2026-000123](ticket_code) tới" in (tmp_path / "out" / "written.yml").read_text(
        "utf-8"
    )


def test_annotations_by_hand_stay(nlu):
    assert annotate("ở [Pleiku](place) GL-2026-000001", []) == "ở [Pleiku](place) GL-2026-000001"
    assert plain("ở [Pleiku](place) nhé") == "ở Pleiku nhé"


@pytest.mark.parametrize("vary", [variants.in_chat_spelling, variants.with_mistakes, variants.in_telex])
def test_variants_never_fail_and_change_something(vary):
    text = "Tôi muốn hỏi thủ tục đăng ký kết hôn như thế nào, được không?"
    assert all(vary("", Random(seed)) == "" for seed in range(3))
    assert all(vary(text, Random(seed)) == vary(text, Random(seed)) for seed in range(50))
    assert sum(vary(text, Random(seed)) != text for seed in range(50)) > 45


def test_telex_copies_are_what_telex_keys_spell():
    word = "Đường"
    found = {variants.in_telex(word, Random(seed)) for seed in range(20)}
    assert "DDuwowngf" in found
    assert canonical("DDuwowngf") == "đường"


def test_our_own_data_are_in_order():
    domain = yaml.safe_load((ROOT / "bot" / "domain.yml").read_text(encoding="utf-8"))
    training = augment(read(ROOT / "nlu_data"))
    assert sorted(training.written) == sorted(domain["intents"])
    intents_of: dict[str, set[str]] = {}
    for intent, phrases in training.copies.items():
        for phrase in phrases:
            intents_of.setdefault(canonical(phrase), set()).add(intent)
    assert [key for key, intents in intents_of.items() if len(intents) > 1] == []


def test_every_intent_is_in_one_rule():
    folder = ROOT / "bot"
    domain = yaml.safe_load((folder / "domain.yml").read_text(encoding="utf-8"))
    rules = yaml.safe_load((folder / "rules.yml").read_text(encoding="utf-8"))["rules"]
    steps = [step for rule in rules for step in rule["steps"]]
    ruled = [step["intent"] for step in steps if "intent" in step]
    ruled += [choice["intent"] for step in steps for choice in step.get("or", [])]
    assert sorted(ruled) == sorted(domain["intents"])
