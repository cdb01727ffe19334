"""A person labels what was misunderstood; the training data grow, without contradictions and people."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from actions.learning.clusters import MOST
from actions.learning.decisions import DecisionsError, carry_out, listing, read_decisions
from actions.learning.labelling import Labeller
from actions.learning.proposals import Proposer
from actions.learning.samples import SETTLED, LearningSamples
from actions.learning.terminal import Session
from actions.learning.training_files import TrainingFiles
from bot.augment import read
from vntext.canonical import canonical

PHRASES = """version: "3.1"
nlu:
- intent: ask_fee
  examples: |
    - lệ phí khai sinh bao nhiêu
    - làm căn cước hết bao nhiêu tiền
- intent: ask_information
  examples: |
    - bữa nay khu tui có cúp điện không
    - lịch cắt nước tuần này
- intent: greet
  examples: |
    - chào em
    - ạ
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "nlu_data" / "evaluation").mkdir(parents=True)
    (tmp_path / "nlu_data" / "all.yml").write_text(PHRASES, encoding="utf-8")
    row = {"id": "R1", "text": "cho hỏi giá đất", "routes": ["answer"], "intent": "ask_information"}
    (tmp_path / "nlu_data" / "evaluation" / "own.jsonl").write_text(
        json.dumps(row, ensure_ascii=False) + "\n", encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def files(root: Path) -> TrainingFiles:
    return TrainingFiles(root)


@pytest.fixture
def labeller(samples: LearningSamples, files: TrainingFiles) -> Labeller:
    return Labeller(samples, files)


async def keep(talk: Any, samples: LearningSamples, clock: Any, *texts: str) -> None:
    for number, text in enumerate(texts):
        await talk.said(text, "unclear", user=f"u{number}")
    clock.forward(seconds=SETTLED.total_seconds())
    await samples.collect()


def learned(root: Path) -> dict[str, list[str]]:
    file = root / "nlu_data" / "learned.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else {"nlu": []}
    return {item["intent"]: [line[2:] for line in item["examples"].splitlines()] for item in content["nlu"]}


def rows(root: Path) -> list[dict[str, Any]]:
    file = root / "nlu_data" / "evaluation" / "learned.jsonl"
    return (
        [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()] if file.is_file() else []
    )


def names(root: Path) -> list[dict[str, Any]]:
    file = root / "kb_index" / "starter" / "names" / "learned.yml"
    return yaml.safe_load(file.read_text(encoding="utf-8")) if file.is_file() else []


async def test_accepted_texts_become_phrases_and_every_fifth_measures(talk, samples, clock, labeller, root):
    texts = [f"mai {word} có cúp nước không" for word in ("xóm", "làng", "thôn", "phường", "chợ", "bản")]
    await keep(talk, samples, clock, *texts)

    result = await labeller.accept_intent(await samples.open(10), "ask_information")

    assert result.written == {"phrase": 5, "evaluation": 1}
    phrases = learned(root)["ask_information"]
    assert phrases == sorted(phrases, key=canonical)
    [row] = rows(root)
    assert {*phrases, row["text"]} == set(texts)
    assert (row["intent"], row["routes"]) == ("ask_information", ["answer", "handoff"])
    assert await samples.open(10) == []
    assert read(root / "nlu_data").written["ask_information"][-1] in phrases


async def test_a_phrase_of_another_intent_is_refused_and_waits_on(talk, samples, clock, labeller, root):
    await keep(talk, samples, clock, "Chào em", "mai xóm có điện không", "gia dat", "cho hỏi giá đất")

    some = [sample for sample in await samples.open(10) if sample.text != "gia dat"]
    result = await labeller.accept_intent(some, "ask_fee")

    assert {(refusal.reason, refusal.detail) for refusal in result.refused} == {
        ("contradiction", "greet"),
        ("contradiction", "ask_information"),
    }
    assert learned(root) == {"ask_fee": ["mai xóm có điện không"]}
    assert {sample.text for sample in await samples.open(10)} == {"Chào em", "gia dat", "cho hỏi giá đất"}


async def test_what_is_there_already_is_not_written_again(talk, samples, clock, labeller, root):
    await keep(talk, samples, clock, "CHÀO EM")

    result = await labeller.accept_intent(await samples.open(10), "greet")

    assert (result.written, learned(root)) == ({"known": 1}, {})


async def test_placeholders_are_not_taught(talk, samples, clock, labeller, root):
    await keep(talk, samples, clock, "tôi tên Nguyễn Văn Tám, 0905123456, mai xóm có điện không [x](greet)")

    await labeller.accept_intent(await samples.open(10), "ask_information")

    [phrase] = learned(root)["ask_information"]
    assert phrase == "tôi, mai xóm có điện không x (greet)"


def test_personal_data_never_reach_the_files(files, root):
    for text in ("gọi 0905123456", "thư a@b.vn nhé", "cccd 052099001234", "tôi tên Nguyễn Văn Tám"):
        with pytest.raises(ValueError, match="personal"):
            files.add_phrase(text, "greet")
        with pytest.raises(ValueError, match="personal"):
            files.add_names("1.001193", [text])
    assert (learned(root), rows(root), names(root)) == ({}, [], [])


async def test_a_procedure_learns_what_it_is_called(talk, samples, clock, labeller, root):
    await keep(
        talk, samples, clock, "làm lại bằng lái bị mất cần giấy tờ gì", "mất bằng lái xe máy ở đâu cấp"
    )

    result = await labeller.accept_procedure(
        await samples.open(10), "1.002809", ["mất bằng lái", "Mất bằng lái"]
    )

    assert result.written == {"name": 1, "known": 1}
    assert names(root) == [{"code": "1.002809", "names": ["mất bằng lái"], "not": []}]
    line = (root / "kb_index/starter/names/learned.yml").read_text(encoding="utf-8").splitlines()[-1]
    assert line == '- {code: "1.002809", names: ["mất bằng lái"], not: []}'


async def test_names_are_proposed_without_placeholders(talk, samples, clock, labeller, root):
    await keep(talk, samples, clock, "tôi tên Nguyễn Văn Tám, 0905123456, mất bằng lái xe cần giấy tờ gì")

    await labeller.accept_procedure(await samples.open(10), "1.002809")

    [entry] = names(root)
    assert entry["names"] == ["mất bằng lái xe"]


async def test_a_name_of_another_procedure_is_refused(talk, samples, clock, labeller, files, root):
    files.add_names("1.001193", ["giấy cho bé"])
    await keep(talk, samples, clock, "giấy cho bé")

    result = await labeller.accept_procedure(await samples.open(10), "1.002809")

    assert [(refusal.reason, refusal.detail) for refusal in result.refused] == [("contradiction", "1.001193")]
    assert len(await samples.open(10)) == 1


async def test_undo_takes_back_one_decision_after_the_other(talk, samples, clock, labeller, root):
    await keep(talk, samples, clock, "mai xóm có điện không", "giấy cho bé mới sinh", "asdf qwer")
    by_text = {sample.text: sample for sample in await samples.open(10)}
    await labeller.accept_intent([by_text["mai xóm có điện không"]], "ask_information")
    clock.forward(seconds=1)
    await labeller.accept_procedure([by_text["giấy cho bé mới sinh"]], "1.001193", ["giấy cho bé"])
    clock.forward(seconds=1)
    await labeller.drop([by_text["asdf qwer"]])

    undone = [[sample.text for sample in await labeller.undo()] for _ in range(4)]

    assert undone == [["asdf qwer"], ["giấy cho bé mới sinh"], ["mai xóm có điện không"], []]
    assert (learned(root), rows(root), names(root)) == ({}, [], [])
    assert {sample.text for sample in await samples.open(10)} == set(by_text)


async def test_decisions_come_from_a_file(talk, samples, clock, labeller, files, knowledge, tmp_path, root):
    await keep(talk, samples, clock, "mai xóm có điện không", "asdf qwer", "giấy cho bé")
    code = next(entry["code"] for entry in await procedure_hits(samples, files, knowledge))
    lines = [
        {"texts": ["Mai xóm có điện không"], "intent": "ask_information"},
        {"texts": ["asdf qwer"], "drop": True},
        {"undo": True},
        {"texts": ["giấy cho bé"], "procedure": code, "names": ["giấy cho bé"]},
    ]
    file = tmp_path / "decisions.jsonl"
    file.write_text("\n".join(json.dumps(line) for line in lines), encoding="utf-8")
    clock.forward(seconds=1)

    proposer = Proposer(knowledge, files)
    result = await carry_out(read_decisions(file), samples, labeller, proposer)

    assert result.written["phrase"] == 1
    assert names(root) == [{"code": code, "names": ["giấy cho bé"], "not": []}]
    for wrong in ({"texts": ["never said"], "drop": True}, {"texts": ["asdf qwer"], "intent": "nothing"}):
        file.write_text(json.dumps(wrong), encoding="utf-8")
        with pytest.raises(DecisionsError):
            await carry_out(read_decisions(file), samples, labeller, proposer)
    file.write_text('{"texts": ["a"]}', encoding="utf-8")
    with pytest.raises(DecisionsError):
        read_decisions(file)


async def procedure_hits(samples: LearningSamples, files: TrainingFiles, knowledge: Any) -> list[Any]:
    groups = await listing(samples, Proposer(knowledge, files), MOST)
    return [entry for group in groups for entry in group["procedures"]]


async def test_like_texts_come_as_one_group_with_proposals(talk, samples, clock, files, knowledge):
    await keep(
        talk, samples, clock, "bữa nay khu tui có cúp điện hông", "bua nay khu tui co cup dien hong ha",
        "khai sinh cho con cần giấy tờ gì",
    )  # fmt: skip

    proposer = Proposer(knowledge, files)
    groups = proposer.groups(await samples.open(10))

    assert sorted(len(group.samples) for group in groups) == [1, 2]
    power = next(group for group in groups if len(group.samples) == 2)
    near = {intent.name: intent.phrase for intent in proposer.propose(power).intents}
    assert near["ask_information"] == "bữa nay khu tui có cúp điện không"
    assert sorted(len(part.samples) for part in proposer.split(power)) == [1, 1]


async def test_the_choice_of_the_people_is_proposed_first(talk, samples, clock, files, knowledge, offered):
    code = knowledge.search("khai sinh cho con").hits[0].code
    await talk.said("giấy cho bé", "clarify", procedures=offered("9.9", code))
    await talk.said("2", "answer", intent="choose_option", procedures=offered(code, "9.9"))
    clock.forward(seconds=SETTLED.total_seconds())
    await samples.collect()
    proposer = Proposer(knowledge, files)

    proposed = proposer.propose(proposer.groups(await samples.open(10))[0])

    assert (proposed.entries[0].code, proposed.entries[0].chosen) == (code, 1)
    assert proposed.first_is_entry


class Person:
    """Types lines and keeps what was shown."""

    def __init__(self, *lines: str) -> None:
        self._lines: Iterator[str] = iter(lines)
        self.shown: list[str] = []

    def ask(self, prompt: str) -> str:
        self.shown.append(prompt)
        try:
            return next(self._lines)
        except StopIteration:
            raise EOFError from None

    @property
    def page(self) -> str:
        return "\n".join(self.shown)


async def sit(person: Person, samples: LearningSamples, files: TrainingFiles, knowledge: Any) -> None:
    session = Session(
        samples,
        files,
        Labeller(samples, files),
        Proposer(knowledge, files),
        ask=person.ask,
        show=person.shown.append,
    )
    await session.run()


async def test_a_person_labels_at_the_terminal(talk, samples, clock, files, knowledge, root):
    await keep(talk, samples, clock, "bữa nay xóm tui có cúp điện không", "khai sinh cho con cần giấy tờ gì")
    person = Person("?", "y", "zzz", "y ask_information", "l", "y ask_information", "t khai sinh", "1", "")

    await sit(person, samples, files, knowledge)

    assert "Có 2 câu chờ gán nhãn" in person.page
    assert "Đã lùi lại: 1 câu" in person.page
    assert "Đã xem hết" in person.page
    assert await samples.open(10) == []
    assert sum(map(len, learned(root).values())) == 1
    assert len(names(root)) == 1


async def test_skipping_and_leaving_change_nothing(talk, samples, clock, files, knowledge, root):
    await keep(talk, samples, clock, "bữa nay xóm tui có cúp điện không", "khai sinh cho con cần giấy tờ gì")

    await sit(Person("b", "q"), samples, files, knowledge)
    await sit(Person(), samples, files, knowledge)

    assert len(await samples.open(10)) == 2
    assert learned(root) == {}


async def test_nothing_to_label_is_said(samples, files, knowledge):
    person = Person()
    await sit(person, samples, files, knowledge)
    assert person.shown == ["Không có câu nào chờ gán nhãn."]
