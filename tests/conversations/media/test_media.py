"""Files are kept once, belong to somebody, outlive a crash, and go when nobody sends them."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text

from conversations.errors import StorageUnavailableError
from conversations.media.errors import FileRefusedError
from conversations.media.models import StoredFileRow
from conversations.media.service import LARGEST_FILE, UNUSED_KEPT, Media, Person, StoredFile
from database.engine import Database

AN = Person("webchat", "an")
BINH = Person("webchat", "binh")


def files_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


async def rows(database: Database) -> int:
    async with database.read() as session:
        return int((await session.execute(select(func.count()).select_from(StoredFileRow))).scalar_one())


async def add(media: Media, content: bytes, client_id: str = "1", owner: Person = AN) -> StoredFile:
    return await media.add(owner, client_id=client_id, name="ảnh hố ga.jpg", content=content)


async def test_a_picture_lies_under_its_hash_and_its_id_for_the_owner_only(
    media: Media, picture: Callable[..., bytes], tmp_path: Path
):
    file = await add(media, picture())
    path = media.path(file)
    assert path.name == f"{file.digest}-{file.id}"
    assert hashlib.sha256(path.read_bytes()).hexdigest() == file.digest
    assert path.stat().st_size == file.size
    assert media.path(file, small=True).is_file()
    for kept in files_in(tmp_path / "files"):
        assert kept.stat().st_mode & 0o077 == 0
    assert await media.find(file.id) == file
    assert await media.find("0" * 32) is None


async def test_the_same_upload_is_kept_once_even_twice_at_once(
    media: Media, picture: Callable[..., bytes], database: Database, tmp_path: Path
):
    both = await asyncio.gather(*(add(media, picture()) for _ in range(4)))
    assert {file.id for file in both} == {both[0].id}
    assert await rows(database) == 1
    assert len(files_in(tmp_path / "files")) == 2
    assert (await add(media, picture(), "2")).id != both[0].id
    assert (await add(media, picture(), "1", BINH)).id != both[0].id


async def test_only_who_sent_a_file_can_attach_it(media: Media, picture: Callable[..., bytes]):
    file = await add(media, picture())
    for ids in ([file.id, "0" * 32], ["x"]):
        with pytest.raises(FileRefusedError):
            await media.attach(AN, ids)
    with pytest.raises(FileRefusedError):
        await media.attach(BINH, [file.id])
    [attachment] = await media.attach(AN, [file.id])
    assert (attachment.file_id, attachment.kind, attachment.url) == (file.id, "image", "")
    assert await media.attach(AN, []) == ()


async def test_what_no_message_carries_goes_and_the_rest_stays(
    media: Media, picture: Callable[..., bytes], clock: Any, tmp_path: Path
):
    kept, unused = await add(media, picture(), "1"), await add(media, picture(), "2")
    await media.attach(AN, [kept.id])
    assert await media.clean() == 0
    clock.instant += UNUSED_KEPT + timedelta(seconds=1)
    late = await add(media, picture(), "3")
    assert await media.clean() == 1
    assert await media.find(unused.id) is None
    names = {path.name.split("-")[1] for path in files_in(tmp_path / "files")}
    assert names == {kept.id, late.id}


async def test_refused_files_leave_nothing(media: Media, database: Database, tmp_path: Path):
    for content in (b"", b"MZ", b"x" * (LARGEST_FILE + 1)):
        with pytest.raises(FileRefusedError):
            await add(media, content)
    assert await rows(database) == 0
    assert files_in(tmp_path / "files") == []


async def test_a_database_or_disk_that_is_away_leaves_nothing(
    media: Media, picture: Callable[..., bytes], database: Database, clock: Any, tmp_path: Path
):
    async with database.write() as session:
        await session.execute(text("ALTER TABLE stored_files RENAME TO gone"))
    with pytest.raises(StorageUnavailableError):
        await add(media, picture())
    async with database.write() as session:
        await session.execute(text("ALTER TABLE gone RENAME TO stored_files"))
    assert files_in(tmp_path / "files") == []
    blocked = Media(database, clock, Path(os.devnull) / "files")
    with pytest.raises(StorageUnavailableError):
        await add(blocked, picture())
    assert await rows(database) == 0
