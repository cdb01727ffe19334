"""`python -m deploy.backup create|check|restore`: save an instance, look at an archive, bring it back.

Which instance it is, say the settings: DATA_DIR and DATABASE_URL.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy.exc import SQLAlchemyError

from api.logs import VERSION
from api.settings import Settings
from database.clock import SystemClock, local
from deploy.backup.archive import Manifest, read_manifest
from deploy.backup.errors import BackupError
from deploy.backup.service import Instance, create, restore

_MEGABYTE = 1_000_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 well, 1 not done."""
    options = _parser().parse_args(arguments)
    try:
        return asyncio.run(_run(options))
    except (BackupError, SQLAlchemyError, OSError) as error:
        print(f"error: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.backup", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    creator = commands.add_parser("create", help="save the instance; it may run meanwhile")
    creator.add_argument("--to", type=Path, required=True, help="folder of the archives")
    creator.add_argument("--keep", type=_at_least_one, help="delete all but so many of the newest archives")
    creator.add_argument(
        "--without-models", action="store_true", help="leave out the search index and the embedding model"
    )
    checker = commands.add_parser("check", help="read an archive whole and say what it holds")
    checker.add_argument("archive", type=Path)
    restorer = commands.add_parser("restore", help="bring the instance back; it must not run")
    restorer.add_argument("--from", dest="archive", type=Path, required=True)
    restorer.add_argument("--replace", action="store_true", help="replace what is there")
    return parser


def _at_least_one(value: str) -> int:
    number = int(value)
    if number < 1:
        raise argparse.ArgumentTypeError("at least one")
    return number


async def _run(options: argparse.Namespace) -> int:
    if options.command == "check":
        _show(options.archive, read_manifest(options.archive))
        return 0
    settings = Settings()
    instance = Instance(settings.data_dir.resolve(), settings.resolved_database_url(), VERSION)
    if options.command == "create":
        archive = await create(
            instance, options.to, SystemClock(), models=not options.without_models, keep=options.keep
        )
        manifest = read_manifest(archive)
        _show(archive, manifest)
        if manifest.includes_secret_key:
            print(
                "It holds personal data and the instance's secret key, unencrypted: keep it as safe as those."
            )
        else:
            print(
                "It holds personal data, unencrypted; the secret key is not in it (it is set from outside)."
            )
        return 0
    manifest = await restore(instance, options.archive, SystemClock(), replace=options.replace)
    print(f"restored: as it was on {local(manifest.created_at):%d.%m.%Y %H:%M:%S}, in {instance.data_dir}")
    if not manifest.includes_models:
        print("The search index is built at the next start, which takes some minutes.")
    return 0


def _show(file: Path, manifest: Manifest) -> None:
    size = file.stat().st_size / _MEGABYTE
    files = len(manifest.members) - 1
    print(f"{file}: whole, {size:.1f} MB")
    print(
        f"of {local(manifest.created_at):%d.%m.%Y %H:%M:%S}, version {manifest.product}, "
        f"{manifest.database} {manifest.database_version}, schema {manifest.revision}, {files} files"
    )


if __name__ == "__main__":
    raise SystemExit(main())
