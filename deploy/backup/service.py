"""What belongs to an instance, and the order in which it is saved and restored.

Saved while the system runs: first the database, as it is at one moment, then the files. A file is written
before the row that names it and is not changed afterwards, so every file the saved rows name is there to be
copied. Not saved: logs, and what is made anew: Redis's data (from the database), the token app and bot share.
"""

from __future__ import annotations

import asyncio
import os
import re
import secrets
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC
from pathlib import Path

from alembic.config import Config

from api.startup import known_revisions, migrations, prepare_database
from database.clock import Clock
from database.engine import Database, sqlite_url
from deploy.backup import postgresql, sqlite
from deploy.backup.archive import Manifest, extract, read_manifest, writing
from deploy.backup.errors import BrokenArchiveError, RefusedError

SQLITE_FILE = "1022.sqlite3"
SECRET_KEY = "secret.key"  # noqa: S105 - a file's name
_SQLITE_MEMBER = f"database/{SQLITE_FILE}"
_POSTGRESQL_MEMBER = "database/postgresql.dump"
_FILES = "files"
_MODELS = {"kb", "models"}
_SQLITE_FILES = {SQLITE_FILE, *(f"{SQLITE_FILE}-{suffix}" for suffix in ("wal", "shm", "journal"))}
_NOT_SAVED = {"logs", "tmp", "redis", "internal.token"} | _SQLITE_FILES
_UNFINISHED = (".part", ".tmp", ".lock")
_STAYS = {"logs", "tmp", "lost+found"}
_NAME = re.compile(r"1022-\d{8}T\d{6}Z\.tar\.gz")


@dataclass(frozen=True)
class Instance:
    """Where an instance keeps what it stores.

    Attributes:
        data_dir: its folder.
        database_url: its database.
        product: version of the software.
        migrations: the steps that the software knows.
    """

    data_dir: Path
    database_url: str
    product: str
    migrations: Config = field(default_factory=migrations)

    @property
    def is_sqlite(self) -> bool:
        """Whether the database is a file in `data_dir`."""
        return self.database_url.startswith("sqlite")


async def create(
    instance: Instance, folder: Path, clock: Clock, *, models: bool = True, keep: int | None = None
) -> Path:
    """Save `instance` into a new archive in `folder`, read it back, and return it.

    Args:
        instance: may run, and be busy.
        folder: made where missing, for its owner only.
        clock: names the archive.
        models: save the search index and the embedding model, too; they can be built anew from the database.
        keep: delete all but so many of the newest archives afterwards.

    Raises:
        RefusedError: there is no instance.
        DatabaseToolError: pg_dump is missing or failed.
        BrokenArchiveError: the database is damaged, or what was written cannot be read back.
    """
    _make_folder(folder)
    now = clock.now().astimezone(UTC)
    target = folder / f"1022-{now:%Y%m%dT%H%M%SZ}.tar.gz"
    if target.exists():
        raise RefusedError(f"{target} exists already")
    with tempfile.TemporaryDirectory(prefix=".saving-", dir=folder) as staging:
        copy = Path(staging) / "database"
        revision, version = await _save_database(instance, copy)
        with writing(target) as archive:
            archive.add(_SQLITE_MEMBER if instance.is_sqlite else _POSTGRESQL_MEMBER, copy)
            for path in _files(instance.data_dir, folder, models=models):
                try:
                    archive.add(f"{_FILES}/{path.relative_to(instance.data_dir).as_posix()}", path)
                except FileNotFoundError:
                    continue  # its time was over: deleted between the listing and the copying
            names = {member.name for member in archive.members}
            archive.finish(
                Manifest(
                    product=instance.product,
                    created_at=now,
                    database="sqlite" if instance.is_sqlite else "postgresql",
                    database_version=version,
                    revision=revision,
                    includes_models=models,
                    includes_secret_key=f"{_FILES}/{SECRET_KEY}" in names,
                    members=archive.members,
                )
            )
    await asyncio.to_thread(read_manifest, target)
    if keep is not None:
        _forget(folder, keep)
    return target


async def restore(instance: Instance, file: Path, clock: Clock, *, replace: bool = False) -> Manifest:
    """Make `instance` what the archive `file` holds, migrated to this version, and return its manifest.

    What `replace` puts away is kept in `data_dir` under `.replaced-<time>`, but for a PostgreSQL database.

    Args:
        instance: must not run.
        file: what `create` wrote.
        clock: names the folder of what was replaced.
        replace: an instance that holds something already is replaced.

    Raises:
        BrokenArchiveError: the archive is not whole; nothing was changed.
        RefusedError: the instance runs or is not empty, or the archive does not fit; nothing was changed.
        DatabaseToolError: a program of PostgreSQL is missing or failed; the database is as it was.
    """
    data_dir = instance.data_dir
    _make_folder(data_dir)
    database = None if instance.is_sqlite else Database(instance.database_url)
    staging = data_dir / f".restoring-{secrets.token_hex(4)}"
    try:
        if not replace:
            await _refuse_filled(instance, database, file)
        if database is not None:
            await postgresql.refuse_running(database)
        with sqlite.alone(data_dir / SQLITE_FILE) if database is None else nullcontext():
            manifest = await asyncio.to_thread(extract, file, staging)
            _refuse_foreign(instance, manifest)
            if database is None:
                await _make_ready(staging / _SQLITE_MEMBER, instance.migrations)
            else:
                await postgresql.restore(database, staging / _POSTGRESQL_MEMBER, replace=replace)
                await prepare_database(database, instance.migrations)
            _put_away(data_dir, file, manifest, f".replaced-{clock.now():%Y%m%dT%H%M%SZ}")
            _put_in_place(data_dir, staging)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if database is not None:
            await database.close()
    return manifest


async def _save_database(instance: Instance, copy: Path) -> tuple[str, str]:
    if instance.is_sqlite:
        revision = await asyncio.to_thread(sqlite.save, instance.data_dir / SQLITE_FILE, copy)
        return revision, sqlite3.sqlite_version
    database = Database(instance.database_url)
    try:
        return await postgresql.save(database, copy), await postgresql.version(database)
    finally:
        await database.close()


def _files(data_dir: Path, archives: Path, *, models: bool) -> Iterator[Path]:
    """Yield the files to save; `archives` may lie inside the instance and is not saved."""
    left_out = _NOT_SAVED if models else _NOT_SAVED | _MODELS
    archives = archives.resolve()
    for entry in sorted(data_dir.iterdir()) if data_dir.is_dir() else ():
        if entry.name in left_out or entry.name.startswith("."):
            continue
        for path in sorted(entry.rglob("*")) if entry.is_dir() else (entry,):
            is_whole = path.is_file() and not path.is_symlink() and not path.name.endswith(_UNFINISHED)
            if is_whole and not path.resolve().is_relative_to(archives):
                yield path


async def _refuse_filled(instance: Instance, database: Database | None, archive: Path) -> None:
    found = [entry.name for entry in instance.data_dir.iterdir() if not _stays(entry, archive)]
    if database is not None and not await postgresql.is_empty(database):
        found.append("tables in the database")
    if found:
        what = ", ".join(sorted(found)[:4])
        raise RefusedError(
            f"there is an instance already ({what}; {instance.data_dir}); "
            "to replace it, add REPLACE=yes (make) or --replace"
        )


def _stays(entry: Path, archive: Path) -> bool:
    """Tell whether `entry` of a data folder is no part of what an archive replaces."""
    is_hidden = entry.name.startswith(".")
    return is_hidden or entry.name in _STAYS or archive.resolve().is_relative_to(entry.resolve())


def _refuse_foreign(instance: Instance, manifest: Manifest) -> None:
    kind = "sqlite" if instance.is_sqlite else "postgresql"
    if manifest.database != kind:
        raise RefusedError(
            f"the archive holds a {manifest.database} database, this instance uses {kind}; "
            "set DATABASE_URL to fit"
        )
    member = _SQLITE_MEMBER if instance.is_sqlite else _POSTGRESQL_MEMBER
    if all(each.name != member for each in manifest.members):
        raise BrokenArchiveError("the archive holds no database")
    if manifest.revision not in known_revisions(instance.migrations):
        raise RefusedError(
            f"the archive is of a newer version ({manifest.product}, schema {manifest.revision}); "
            "install that version first"
        )


async def _make_ready(file: Path, config: Config) -> None:
    """Migrate a copy forward and check it, while it is still aside."""
    sqlite.check(file)
    copy = Database(sqlite_url(file))
    try:
        await prepare_database(copy, config)
    finally:
        await copy.close()
    sqlite.settle(file)


def _put_away(data_dir: Path, archive: Path, manifest: Manifest, aside: str) -> None:
    kept = set() if manifest.includes_secret_key else {SECRET_KEY}
    replaced = [e for e in data_dir.iterdir() if e.name not in kept and not _stays(e, archive)]
    if replaced:
        (data_dir / aside).mkdir(mode=0o700)
        for entry in replaced:
            entry.rename(data_dir / aside / entry.name)


def _put_in_place(data_dir: Path, staging: Path) -> None:
    """Move what was restored to its place; the database last, without which there is no instance."""
    files = staging / _FILES
    for entry in sorted(files.iterdir()) if files.is_dir() else ():
        entry.rename(data_dir / entry.name)
    database = staging / _SQLITE_MEMBER
    if database.is_file():
        database.rename(data_dir / SQLITE_FILE)
    descriptor = os.open(data_dir, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _make_folder(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)


def _forget(folder: Path, keep: int) -> None:
    # Their names sort by time.
    archives = sorted(path for path in folder.iterdir() if _NAME.fullmatch(path.name))
    for old in archives[: max(len(archives) - keep, 0)]:
        old.unlink(missing_ok=True)
