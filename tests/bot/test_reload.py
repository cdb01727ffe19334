"""A newly trained model is taken up by the running bot, between two turns and without a restart."""

from __future__ import annotations

import io
import json
import shutil
import tarfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests


def named_anew(model: Path, to: Path, model_id: str) -> None:
    """Copy a model archive under another id, as another training would make it."""
    with tarfile.open(model) as source, tarfile.open(to, "w:gz") as target:
        for member in source:
            content = source.extractfile(member)
            if member.name.endswith("metadata.json") and content is not None:
                metadata = {**json.load(content), "model_id": model_id}
                raw = json.dumps(metadata).encode()
                member.size = len(raw)
                content = io.BytesIO(raw)
            target.addfile(member, content)


def until(condition: Callable[[], bool], seconds: float = 40.0) -> None:
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not condition():
        assert time.monotonic() < deadline, "it never became true"
        pause.wait(0.05)


def test_a_new_model_is_taken_up_while_messages_are_answered(
    start_bot, actions, small_model, tmp_path, monkeypatch, conversation
):
    monkeypatch.setenv("BOT_MODEL_CHECK", "0.2")
    model = tmp_path / "model.tar.gz"
    shutil.copy(small_model, model)
    bot = start_bot(model, tmp_path / "bot.log")

    def live() -> str:
        return requests.get(f"{bot.url}/health", timeout=10).json()["model_id"]

    first = live()
    answers = [bot.say(conversation, "lệ phí bao nhiêu vậy")]
    named_anew(small_model, tmp_path / "new.tar.gz", "trained-again")
    (tmp_path / "new.tar.gz").replace(model)

    def asked() -> bool:
        answers.append(bot.say(conversation, "lệ phí bao nhiêu vậy"))
        return live() == "trained-again"

    until(asked)
    answers.append(bot.say(conversation, "lệ phí bao nhiêu vậy"))

    assert first != "trained-again"
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["intent"]["name"] for answer in answers} == {"ask_fee"}
    assert (answers[0].json()["model"], answers[-1].json()["model"]) == (first, "trained-again")

    (tmp_path / "broken.tar.gz").write_bytes(b"no archive")
    (tmp_path / "broken.tar.gz").replace(model)
    until(lambda: "the new model cannot be used" in bot.log.read_text(encoding="utf-8"))

    assert live() == "trained-again"
    assert bot.say(conversation, "lệ phí bao nhiêu vậy").status_code == 200
