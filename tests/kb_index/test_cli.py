from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kb_index.__main__ import main

Write = Callable[..., Path]
Make = Callable[..., dict[str, str]]


@pytest.fixture(autouse=True)
def _own_instance(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KB_STARTER", "false")
    for name in ("DATABASE_URL", "EMBEDDING_MODEL", "DATA_DIR"):
        monkeypatch.delenv(name, raising=False)


def run(*arguments: str | Path) -> int:
    return main([str(argument) for argument in arguments])


def test_import_search_report_and_import_again(
    portal_record: Make, write_jsonl: Write, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    rows = [
        portal_record(),
        portal_record(ma_thu_tuc="9.100002", ten_thu_tuc="Xóa đăng ký tàu giấy"),
        portal_record(ma_thu_tuc="9.100003", ten_thu_tuc="Cấp phép nuôi cá cảnh"),
        {"ma_thu_tuc": 1},
    ]
    file = write_jsonl(rows)
    assert run("import", "--from", file, "--data-dir", data) == 0
    said = capsys.readouterr().out
    assert "new 3 changed 0 unchanged 0" in said
    assert "portal.jsonl:4: text is expected in: ma_thu_tuc" in said
    assert run("search", "nuoi ca canh", "--data-dir", data) == 0
    assert "9.100003" in capsys.readouterr().out.splitlines()[0]
    assert run("import", "--from", file, "--data-dir", data) == 0
    assert "new 0 changed 0 unchanged 3" in capsys.readouterr().out
    assert run("index", "--data-dir", data) == 0
    assert "up to date" in capsys.readouterr().out
    assert run("report", "--data-dir", data) == 0
    assert "procedure  portal         3" in capsys.readouterr().out
    assert json.loads((data / "kb" / "last_import.json").read_text())["unchanged"] == 3
    assert run("train", "--data-dir", data) == 0
    assert "index 2 is live" in capsys.readouterr().out


def test_nothing_importable_is_an_error_that_changes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bad.json"
    file.write_text("{")
    assert run("import", "--from", file, "--data-dir", tmp_path / "data") == 1
    assert "nothing could be imported" in capsys.readouterr().err


def test_a_missing_file_is_told_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("import", "--from", tmp_path / "no.json", "--data-dir", tmp_path / "data") == 1
    assert "error: no such file or folder" in capsys.readouterr().err


def test_wrong_usage_is_refused() -> None:
    with pytest.raises(SystemExit) as refused:
        run("import", "--checked-on", "yesterday")
    assert refused.value.code == 2
