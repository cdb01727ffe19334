"""Backup and restore: what was acknowledged is there again, whole; what is broken is refused."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from api.startup import known_revisions, migrations
from database.engine import Database
from deploy.backup.__main__ import main
from deploy.backup.archive import read_manifest
from deploy.backup.errors import BrokenArchiveError, RefusedError
from deploy.backup.service import Instance, create, restore

Run = Callable[[Instance], AbstractAsyncContextManager[Any]]
Make = Callable[[str], Instance]

STEP = """
import sqlalchemy as sa
from alembic import op

revision = "trial"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("messages", sa.Column("trial", sa.Integer(), nullable=True))
"""


async def ask(instance: Instance, query: str) -> list[Any]:
    database = Database(instance.database_url)
    async with database.read() as session:
        rows = (await session.execute(text(query))).all()
    await database.close()
    return [tuple(row) for row in rows]


async def texts(instance: Instance) -> list[str]:
    return [row[0] for row in await ask(instance, "SELECT text FROM messages ORDER BY text")]


def newer(instance: Instance, folder: Path) -> Instance:
    """Return `instance` as a version with one more migration sees it."""
    folder.mkdir(exist_ok=True)
    (folder / "trial.py").write_text(STEP.format(before=known_revisions()[0]))
    return replace(instance, migrations=migrations(folder))


async def test_what_was_acknowledged_before_the_backup_is_in_it_and_nothing_is_half(
    make: Make, run_instance: Run, tmp_path: Path, clock: Any
) -> None:
    source, target = make("source"), make("target")
    async with run_instance(source) as system:
        for number in range(300):
            await system.receive(f"u{number % 40}", "x" * 500)
        is_saved = asyncio.Event()

        async def talk(user: str) -> None:
            while not is_saved.is_set():
                await system.receive(user)
                await asyncio.sleep(0)

        talkers = [asyncio.create_task(talk(f"u{number}")) for number in range(8)]
        while len(system.acknowledged) < 340:  # noqa: ASYNC110 - lets the others work
            await asyncio.sleep(0)
        before = set(system.acknowledged)
        archive = await create(source, tmp_path / "archives", clock)
        while len(system.acknowledged) == len(before):  # noqa: ASYNC110 - lets the others work
            await asyncio.sleep(0)
        is_saved.set()
        await asyncio.gather(*talkers)
        after = set(system.acknowledged)

    await restore(target, archive, clock)
    stored = {row[0] for row in await ask(target, "SELECT provider_message_id FROM messages")}
    assert before <= stored <= after
    assert not await ask(
        target,
        "SELECT c.id FROM conversations c LEFT JOIN messages m ON m.conversation_id = c.id "
        "GROUP BY c.id, c.next_sequence HAVING count(m.id) <> c.next_sequence - 1",
    )
    assert not await ask(
        target, "SELECT id FROM messages WHERE conversation_id NOT IN (SELECT id FROM conversations)"
    )
    async with run_instance(target) as system:
        await system.receive("u1", "đi tiếp")


async def test_files_keys_and_models_come_back_and_nothing_else_does(
    filled: Instance, make: Make, tmp_path: Path, clock: Any
) -> None:
    archive = await create(filled, tmp_path / "archives", clock)
    target = make("target")
    manifest = await restore(target, archive, clock)
    assert manifest.includes_models
    assert manifest.includes_secret_key
    assert await texts(target) == ["của a", "của a", "của b"]
    found = {
        path.relative_to(target.data_dir).as_posix(): path
        for path in target.data_dir.rglob("*")
        if path.is_file() and not path.name.startswith("1022.sqlite3")
    }
    assert set(found) == {
        "files/ab/abcd-1", "kb/CURRENT", "kb/index/1/vectors", "models/embedding/config.json", "secret.key",
    }  # fmt: skip
    assert found["files/ab/abcd-1"].read_text(encoding="utf-8") == "một bức ảnh"
    assert found["secret.key"].read_text(encoding="utf-8") == "rất bí mật"
    assert stat.S_IMODE(found["secret.key"].stat().st_mode) == 0o600


async def test_models_may_be_left_out(filled: Instance, make: Make, tmp_path: Path, clock: Any) -> None:
    archive = await create(filled, tmp_path / "archives", clock, models=False)
    target = make("target")
    assert not (await restore(target, archive, clock)).includes_models
    assert not (target.data_dir / "kb").exists()
    assert not (target.data_dir / "models").exists()


async def test_only_the_owner_can_read_an_archive(filled: Instance, tmp_path: Path, clock: Any) -> None:
    archive = await create(filled, tmp_path / "archives", clock)
    assert stat.S_IMODE(archive.stat().st_mode) == 0o600
    assert stat.S_IMODE(archive.parent.stat().st_mode) == 0o700
    assert [path.name for path in archive.parent.iterdir()] == [archive.name]


async def test_the_newest_archives_are_kept(filled: Instance, tmp_path: Path, clock: Any) -> None:
    folder = tmp_path / "archives"
    (folder / "other").mkdir(parents=True)
    made = []
    for _ in range(4):
        made.append((await create(filled, folder, clock, models=False, keep=2)).name)
        clock.time += timedelta(days=1)
    assert sorted(path.name for path in folder.iterdir()) == [*made[2:], "other"]


async def test_an_instance_is_not_overwritten_unless_told(
    filled: Instance, fill_instance: Callable[[Instance], Awaitable[Instance]], make: Make, run_instance: Run,
    tmp_path: Path, clock: Any,
) -> None:  # fmt: skip
    archive = await create(filled, tmp_path / "archives", clock)
    target = await fill_instance(make("target"))
    async with run_instance(target) as system:
        await system.receive("c", "của c")
    with pytest.raises(RefusedError, match="there is an instance already"):
        await restore(target, archive, clock)
    assert "của c" in await texts(target)

    await restore(target, archive, clock, replace=True)
    assert await texts(target) == ["của a", "của a", "của b"]
    aside = target.data_dir / ".replaced-20261102T010000Z"
    assert (aside / "secret.key").exists()
    assert (target.data_dir / "logs" / "app.log").exists()
    # What was restored over can be saved and restored again.
    again = await create(target, tmp_path / "again", clock)
    await restore(filled, again, clock, replace=True)
    assert await texts(filled) == ["của a", "của a", "của b"]


async def test_a_running_instance_is_not_replaced(
    filled: Instance, run_instance: Run, tmp_path: Path, clock: Any
) -> None:
    archive = await create(filled, tmp_path / "archives", clock)
    async with run_instance(filled) as system:
        await system.receive("c")
        with pytest.raises(RefusedError, match="the system is running"):
            await restore(filled, archive, clock, replace=True)
        await system.receive("c")
    assert len(await texts(filled)) == 5


async def test_archives_inside_the_data_folder_are_neither_saved_nor_put_away(
    filled: Instance, clock: Any
) -> None:
    folder = filled.data_dir / "backups"
    await create(filled, folder, clock)
    clock.time += timedelta(days=1)
    archive = await create(filled, folder, clock)
    assert not [member.name for member in read_manifest(archive).members if "backups" in member.name]
    await restore(filled, archive, clock, replace=True)
    assert len(list(folder.iterdir())) == 2


async def test_an_older_archive_is_migrated_forward(
    filled: Instance, make: Make, tmp_path: Path, clock: Any
) -> None:
    archive = await create(filled, tmp_path / "archives", clock)
    target = newer(make("target"), tmp_path / "steps")
    assert (await restore(target, archive, clock)).revision == known_revisions()[0]
    assert await ask(target, "SELECT version_num FROM alembic_version") == [("trial",)]
    assert await ask(target, "SELECT count(*) FROM messages WHERE trial IS NULL") == [(3,)]


async def test_an_archive_of_a_newer_version_is_refused(
    make: Make, run_instance: Run, tmp_path: Path, clock: Any
) -> None:
    source = newer(make("source"), tmp_path / "steps")
    async with run_instance(source) as system:
        await system.receive("a")
    archive = await create(source, tmp_path / "archives", clock)
    target = make("target")
    with pytest.raises(RefusedError, match="newer version"):
        await restore(target, archive, clock)
    assert list(target.data_dir.iterdir()) == []


async def test_there_has_to_be_an_instance(make: Make, tmp_path: Path, clock: Any) -> None:
    with pytest.raises(RefusedError, match="is DATA"):
        await create(make("nothing"), tmp_path / "archives", clock)
    assert list((tmp_path / "archives").iterdir()) == []


async def test_a_broken_archive_changes_nothing(
    filled: Instance, make: Make, tmp_path: Path, clock: Any
) -> None:
    archive = await create(filled, tmp_path / "archives", clock, models=False)
    content = archive.read_bytes()
    middle = len(content) // 2
    archive.write_bytes(content[:middle] + bytes([content[middle] ^ 0xFF]) + content[middle + 1 :])
    target = make("target")
    with pytest.raises(BrokenArchiveError):
        await restore(target, archive, clock)
    assert list(target.data_dir.iterdir()) == []
    if not target.is_sqlite:
        assert await ask(target, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == []
    with pytest.raises(BrokenArchiveError):
        await restore(filled, archive, clock, replace=True)
    assert len(await texts(filled)) == 3
    assert (filled.data_dir / "secret.key").read_text(encoding="utf-8") == "rất bí mật"


async def test_a_database_is_restored_into_one_of_its_kind(
    filled: Instance, tmp_path: Path, clock: Any, postgres: Any
) -> None:
    archive = await create(filled, tmp_path / "archives", clock)
    other = "sqlite+inline:///x" if not filled.is_sqlite else postgres.create("other_kind")
    with pytest.raises(RefusedError, match="set DATABASE_URL to fit"):
        await restore(Instance(tmp_path / "other", other, "1"), archive, clock)


def test_the_commands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    fill_instance: Callable[[Instance], Awaitable[Instance]],
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "one"))
    assert main(["create", "--to", "archives"]) == 1
    assert "there is no database" in capsys.readouterr().err
    url = f"sqlite+inline:///{tmp_path / 'one' / '1022.sqlite3'}"
    asyncio.run(_filled(fill_instance, Instance(tmp_path / "one", url, "1")))
    assert main(["create", "--to", "archives", "--keep", "3"]) == 0
    assert "secret key, unencrypted" in capsys.readouterr().out
    (archive,) = (tmp_path / "archives").iterdir()
    assert main(["check", str(archive)]) == 0
    assert "whole" in capsys.readouterr().out
    assert main(["restore", "--from", str(archive)]) == 1
    assert "REPLACE=yes" in capsys.readouterr().err
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "two"))
    assert main(["restore", "--from", str(archive)]) == 0
    assert (tmp_path / "two" / "1022.sqlite3").is_file()
    assert main(["check", str(tmp_path / "missing")]) == 1
    assert "does not exist" in capsys.readouterr().err


async def _filled(fill: Callable[[Instance], Awaitable[Instance]], instance: Instance) -> None:
    await fill(instance)
