from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kb_index.building import BuildBusyError, build_lock
from kb_index.versions import IndexDamagedError, Versions


def writer(text: str) -> Any:
    def write(folder: Path) -> dict[str, Any]:
        (folder / "sub").mkdir()
        (folder / "sub" / "data.txt").write_text(text)
        return {"text": text}

    return write


def test_versions_are_published_whole_and_old_ones_pruned(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    assert versions.current_number() is None
    for text in ("a", "b", "c"):
        versions.publish(writer(text))
    current = versions.current()
    assert (current.number, current.manifest["text"]) == (3, "c")
    assert sorted(item.name for item in (tmp_path / "kb" / "index").iterdir()) == ["2", "3"]


def test_an_interrupted_build_leaves_the_live_version(tmp_path: Path) -> None:
    versions = Versions(tmp_path)
    versions.publish(writer("a"))

    def broken(folder: Path) -> dict[str, Any]:
        (folder / "half").write_text("half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        versions.publish(broken)
    assert versions.current().manifest["text"] == "a"
    assert versions.publish(writer("b")) == 2
    assert not list((tmp_path / "kb" / "index").glob(".building-*"))


@pytest.mark.parametrize("damage", ["missing", "changed", "manifest", "pointer"])
def test_damage_is_seen(tmp_path: Path, damage: str) -> None:
    versions = Versions(tmp_path)
    versions.publish(writer("a"))
    folder = tmp_path / "kb" / "index" / "1"
    match damage:
        case "missing":
            (folder / "sub" / "data.txt").unlink()
        case "changed":
            (folder / "sub" / "data.txt").write_text("b")
        case "manifest":
            (folder / "manifest.json").write_text("{")
        case _:
            (tmp_path / "kb" / "CURRENT").write_text("one")
    with pytest.raises(IndexDamagedError):
        versions.current()


def test_one_build_at_a_time(tmp_path: Path) -> None:
    with build_lock(tmp_path), pytest.raises(BuildBusyError, match="another import"), build_lock(tmp_path):
        pass
    with build_lock(tmp_path):
        pass
