"""Predictions of two channels are alike when they say the same, however it is worded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from deploy.local.compare_routes import main

ANSWER = {"route": "answer", "aspect": "fee", "procedures": [{"code": "1.1", "score": 0.9}], "reply": "một"}


def predictions(file: Path, **turns: dict[str, Any]) -> str:
    file.write_text("".join(json.dumps({"id": row, "turns": [turn]}) + "\n" for row, turn in turns.items()))
    return str(file)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({**ANSWER, "reply": "1. một", "procedures": [{"code": "1.1", "score": 0.8}]}, ""),
        ({**ANSWER, "route": "clarify"}, "P1, turn 1: route answer and clarify"),
        ({**ANSWER, "aspect": None}, "P1, turn 1: aspect fee and None"),
        ({**ANSWER, "procedures": []}, "P1, turn 1: procedures ['1.1'] and []"),
        ({**ANSWER, "article": "a"}, "P1, turn 1: article None and a"),
    ],
)
def test_every_difference_is_told(
    other: dict[str, Any], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    web = predictions(tmp_path / "web.jsonl", P1=ANSWER, P2=ANSWER)
    same = predictions(tmp_path / "same.jsonl", P1=ANSWER, P2=ANSWER)
    zalo = predictions(tmp_path / "zalo.jsonl", P1=other, P2=ANSWER)
    assert main([web, same, zalo]) == (1 if said else 0)
    shown = capsys.readouterr().out
    assert said in shown
    assert shown.count("turn 1") == (1 if said else 0)


def test_a_row_that_is_missing_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    web = predictions(tmp_path / "web.jsonl", P1=ANSWER, P2=ANSWER)
    zalo = predictions(tmp_path / "zalo.jsonl", P1=ANSWER)
    assert main([web, zalo]) == 1
    assert "P2: only in one of them" in capsys.readouterr().out
