"""The archive: whole, or refused."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from deploy.backup.archive import MANIFEST, Manifest, extract, read_manifest, writing
from deploy.backup.errors import BrokenArchiveError


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of two files."""
    database, key = tmp_path / "database", tmp_path / "key"
    database.write_bytes(bytes(range(256)) * 2_000)
    key.write_bytes(b"secret")
    with writing(tmp_path / "archive.tar.gz") as writer:
        writer.add("database/1022.sqlite3", database)
        writer.add("files/secret.key", key)
        writer.finish(
            Manifest(
                product="1",
                created_at=datetime(2026, 11, 2, tzinfo=UTC),
                database="sqlite",
                database_version="3",
                revision="0001",
                includes_models=False,
                includes_secret_key=True,
                members=writer.members,
            )
        )
    return tmp_path / "archive.tar.gz"


def test_what_was_written_comes_back(archive: Path, tmp_path: Path) -> None:
    manifest = extract(archive, tmp_path / "out")
    assert manifest == read_manifest(archive)
    assert [member.size for member in manifest.members] == [512_000, 6]
    assert (tmp_path / "out" / "files" / "secret.key").read_bytes() == b"secret"


def test_one_that_was_not_finished_never_appears(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), writing(tmp_path / "archive.tar.gz"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_grows_meanwhile_is_saved_as_it_was(tmp_path: Path, archive: Path) -> None:
    growing = tmp_path / "growing"
    growing.write_bytes(b"begun")
    with growing.open("ab", buffering=0) as more, writing(tmp_path / "other.tar.gz") as writer:
        writer.add("growing", growing)
        more.write(b" and gone on")
        writer.finish(read_manifest(archive).model_copy(update={"members": writer.members}))
    extract(tmp_path / "other.tar.gz", tmp_path / "out")
    assert (tmp_path / "out" / "growing").read_bytes() == b"begun"


def _cut(share: float) -> Callable[[bytes], bytes]:
    return lambda content: content[: int(len(content) * share)]


def _repack(change: Callable[[dict[str, bytes]], None]) -> Callable[[bytes], bytes]:
    """Return what changes an archive's members and packs it again properly."""

    def changed(content: bytes) -> bytes:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = {info.name: tar.extractfile(info).read() for info in tar}  # type: ignore[union-attr]
        change(members)
        output = io.BytesIO()
        with tarfile.open(fileobj=output, mode="w:gz") as tar:
            for name in [*(name for name in members if name != MANIFEST), MANIFEST]:
                if name in members:
                    info = tarfile.TarInfo(name)
                    info.size = len(members[name])
                    tar.addfile(info, io.BytesIO(members[name]))
        return output.getvalue()

    return changed


def _flip(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(_cut(0.0), id="empty"),
        pytest.param(_cut(0.3), id="a third"),
        pytest.param(_cut(0.98), id="cut near the end"),
        pytest.param(_flip, id="one byte changed"),
        pytest.param(lambda _: b"SQLite format 3\0" * 100, id="something else"),
        pytest.param(lambda _: gzip.compress(b"x" * 5_000), id="gzip of something else"),
        pytest.param(_repack(lambda m: m.update({"files/secret.key": b"other"})), id="a file changed"),
        pytest.param(_repack(lambda m: m.update({"files/more": b"more"})), id="a file added"),
        pytest.param(_repack(lambda m: m.update({"../outside": b"out"})), id="a file outside"),
        pytest.param(_repack(lambda m: m.update({"/tmp/outside": b"out"})), id="an absolute name"),
        pytest.param(_repack(lambda m: m.pop("files/secret.key") and None), id="a file missing"),
        pytest.param(_repack(lambda m: m.pop(MANIFEST) and None), id="no manifest"),
        pytest.param(_repack(lambda m: m.update({MANIFEST: b"{}"})), id="an empty manifest"),
        pytest.param(_repack(lambda m: m.update({MANIFEST: b"\xff{"})), id="no JSON"),
    ],
)
def test_a_damaged_one_is_refused(archive: Path, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    archive.write_bytes(damage(archive.read_bytes()))
    with pytest.raises(BrokenArchiveError):
        read_manifest(archive)
    with pytest.raises(BrokenArchiveError):
        extract(archive, tmp_path / "out")
    assert not (tmp_path / "outside").exists()


def test_there_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(BrokenArchiveError, match="does not exist"):
        read_manifest(tmp_path / "missing")
