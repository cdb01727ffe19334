"""A new model goes live only when it is not worse on our own rows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

import bot.train as training
from bot.evaluate import Row
from bot.gate import Share, Verdict, compare, decide, table, unseen_rows

ROOT = Path(__file__).resolve().parents[2]
ROWS = [
    *(Row(text, ("greet",), "normal") for text in ("chào em nhé", "xin chào ad", "alo có ai ở đó không")),
    *(Row(text, ("ask_fee",), "normal") for text in ("lệ phí bao nhiêu vậy em", "hết bao nhiêu tiền vậy")),
    *(Row(text, ("ask_documents",), "normal") for text in ("cần giấy tờ gì vậy", "hồ sơ gồm những gì em")),
]


def shares(**counts: tuple[int, int]) -> dict[str, Share]:
    return {name: Share(right, rows) for name, (right, rows) in counts.items()}


@pytest.mark.parametrize(
    ("live", "new", "worse"),
    [
        (shares(all=(90, 100)), shares(all=(90, 100)), []),
        (shares(all=(90, 100)), shares(all=(91, 100)), []),
        (shares(all=(90, 100)), shares(all=(89, 100)), ["all"]),
        # A group may lose 1.5 points, not more, and only where there are rows enough to tell.
        (shares(all=(900, 999), talk=(150, 200)), shares(all=(901, 999), talk=(147, 200)), []),
        (shares(all=(900, 999), talk=(150, 200)), shares(all=(901, 999), talk=(146, 200)), ["talk"]),
        (shares(all=(900, 999), talk=(19, 19)), shares(all=(901, 999), talk=(10, 19)), []),
        (shares(all=(900, 999), talk=(20, 20)), shares(all=(901, 999), talk=(19, 20)), ["talk"]),
        # No emergency may be lost, whatever is won.
        (
            shares(all=(900, 999), emergency=(119, 120), emergency_113=(40, 40)),
            shares(all=(950, 999), emergency=(119, 120), emergency_113=(39, 40)),
            ["emergency_113"],
        ),
        (shares(all=(90, 99), emergency=(3, 4)), shares(all=(95, 99), emergency=(2, 4)), ["emergency"]),
        (shares(all=(90, 99), emergency=(3, 4)), shares(all=(95, 99), emergency=(4, 4)), []),
    ],
)
def test_what_counts_as_worse(live, new, worse):
    assert [complaint.split(":")[0] for complaint in compare(live, new)] == worse


def test_rows_that_are_training_phrases_are_left_out(tmp_path):
    (tmp_path / "nlu").mkdir()
    phrases = 'version: "3.1"\nnlu:\n- intent: greet\n  examples: |\n    - chào em\n'
    (tmp_path / "nlu" / "a.yml").write_text(phrases, encoding="utf-8")
    rows = [{"text": "Chào em", "intent": "greet"}, {"text": "chào cô", "intent": "greet"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")

    assert [row.text for row in unseen_rows(tmp_path, tmp_path / "nlu")] == ["chào cô"]


@pytest.fixture(scope="module")
def worse_model(tmp_path_factory) -> Path:
    """The same pipeline, taught greetings as questions for the fee and the other way round."""
    training.prepare_rasa()
    from rasa.model_training import train

    from bot.augment import build

    folder = tmp_path_factory.mktemp("worse")
    (folder / "in").mkdir()
    content = yaml.safe_load((Path(__file__).parent / "small_nlu.yml").read_text(encoding="utf-8"))
    swapped = {"greet": "ask_fee", "ask_fee": "greet"}
    for item in content["nlu"]:
        item["intent"] = swapped.get(item["intent"], item["intent"])
    (folder / "in" / "nlu.yml").write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    build(folder / "in", ROOT / "bot" / "patterns.yml", folder / "nlu")
    data = [str(folder / "nlu"), str(ROOT / "bot" / "rules.yml"), str(ROOT / "bot" / "stories.yml")]
    domain, config = str(ROOT / "bot" / "domain.yml"), str(ROOT / "config.yml")
    result = train(domain, config, data, str(folder), fixed_model_name="model.tar.gz")
    assert result.model is not None
    return Path(result.model)


def test_models_are_measured_and_compared(small_model, worse_model):
    better, worse = decide(worse_model, small_model, ROWS), decide(small_model, worse_model, ROWS)

    assert (better.passed, better.reason) == (True, "not_worse")
    assert better.new["all"].right > better.live["all"].right
    assert (worse.passed, worse.reason) == (False, "worse")
    assert worse.complaints[0].startswith("all: ")
    assert any(line.startswith("all ") and str(len(ROWS)) in line for line in table(worse))


def test_without_a_live_model_nothing_is_measured(tmp_path, small_model):
    verdict = decide(tmp_path / "none.tar.gz", small_model, ROWS)
    assert (verdict.passed, verdict.reason, verdict.new) == (True, "first", {})


def test_a_live_model_that_cannot_be_read_makes_place(tmp_path, small_model):
    (tmp_path / "live.tar.gz").write_bytes(b"of other code")
    verdict = decide(tmp_path / "live.tar.gz", small_model, ROWS)
    assert (verdict.passed, verdict.reason) == (True, "unreadable")
    assert verdict.new["all"].rows == len(ROWS)


@pytest.fixture
def build_folder(tmp_path, monkeypatch) -> Path:
    """A build folder of its own with a live model and one beside it."""
    names = {"MODEL": "model.tar.gz", "FINGERPRINT": "fingerprint", "GATE": "gate.json", "_BESIDE": "new"}
    for name, file in names.items():
        monkeypatch.setattr(training, name, tmp_path / file)
    (tmp_path / "model.tar.gz").write_text("live")
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "model.tar.gz").write_text("new")
    return tmp_path


def take(folder: Path, verdict: Verdict) -> dict[str, object]:
    training.take(folder / "new" / "model.tar.gz", verdict, "phrases-1")
    return json.loads((folder / "gate.json").read_text(encoding="utf-8"))


def test_a_model_that_is_not_worse_takes_the_place(build_folder):
    said = take(build_folder, Verdict(True, "not_worse", [], shares(all=(9, 10)), shares(all=(10, 10))))

    assert (build_folder / "model.tar.gz").read_text() == "new"
    assert (build_folder / "fingerprint").read_text().strip() == "phrases-1"
    assert said["live"] == {"all": {"right": 9, "rows": 10, "share": 0.9}}
    assert said["new"] == {"all": {"right": 10, "rows": 10, "share": 1.0}}
    assert (said["verdict"], said["passed"]) == ("not_worse", True)
    assert not (build_folder / "new").exists()


def test_a_worse_model_is_thrown_away_and_remembered(build_folder):
    said = take(build_folder, Verdict(False, "worse", ["all: …"]))

    assert (build_folder / "model.tar.gz").read_text() == "live"
    assert not (build_folder / "fingerprint").exists()
    assert (said["verdict"], said["complaints"], said["trained_from"]) == ("worse", ["all: …"], "phrases-1")
    assert not (build_folder / "new").exists()


def test_only_force_or_other_code_overrules(build_folder):
    assert training.is_overruled(force=True, start=False)
    assert not training.is_overruled(force=False, start=False)
    # Nothing is known of the live model: it may be of other code.
    assert training.is_overruled(force=False, start=True)
    take(build_folder, Verdict(True, "first"))
    assert not training.is_overruled(force=False, start=True)
    content = json.loads((build_folder / "gate.json").read_text(encoding="utf-8"))
    (build_folder / "gate.json").write_text(json.dumps({**content, "code": "older"}), encoding="utf-8")
    assert training.is_overruled(force=False, start=True)
