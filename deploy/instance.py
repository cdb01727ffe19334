"""`python -m deploy.instance prepare|import|admin`: what is done to an instance from outside, once.

    prepare               migrate the database, bring in the starter knowledge base, index what changed
    import --from <path>  import procedures and index them
    admin                 print a link to set the first administrator's password, while nobody has one

Which instance it is, say the settings, secrets in files included. `prepare` may run at any time, beside a
running system too, and does nothing where all is up to date.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from api.first_admin import first_administrator_link
from api.settings import Settings
from api.startup import prepare_database
from database.engine import STORAGE_DOWN, Database

_PAUSE = 1.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 well, 1 not done."""
    parser = argparse.ArgumentParser(prog="python -m deploy.instance", description=__doc__)
    parser.add_argument("--wait", type=float, default=120.0, help="seconds the database is waited for")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("prepare", help="migrate the database, bring the knowledge base up to date")
    importer = commands.add_parser("import", help="import procedures")
    importer.add_argument("--from", dest="source", type=Path, required=True, help="file or folder")
    commands.add_parser("admin", help="print the link for the first administrator")
    options = parser.parse_args(arguments)
    settings = Settings()
    try:
        asyncio.run(_migrate(settings, options.wait))
    except STORAGE_DOWN as error:
        print(f"error: the database cannot be used: {str(error).splitlines()[0]}", file=sys.stderr)
        return 1
    if options.command == "admin":
        return _admin(settings)
    return _knowledge(settings, options.source if options.command == "import" else None)


async def _migrate(settings: Settings, patience: float) -> None:
    database = Database(settings.resolved_database_url())
    gives_up_at = time.monotonic() + patience
    try:
        while True:
            try:
                await prepare_database(database)
                return
            except STORAGE_DOWN:
                if time.monotonic() >= gives_up_at:
                    raise
            await asyncio.sleep(_PAUSE)
    finally:
        await database.close()


def _admin(settings: Settings) -> int:
    link = asyncio.run(first_administrator_link(settings.resolved_public_url()))
    print(link or "somebody has a password already")
    return 0


def _knowledge(settings: Settings, source: Path | None) -> int:
    # Imported here: loading the models takes seconds, and the other commands need none of them.
    from kb_index.__main__ import main as knowledge

    # That command line knows the environment only.
    os.environ["DATABASE_URL"] = settings.resolved_database_url()
    os.environ["EMBEDDING_MODEL"] = settings.embedding_model or ""
    arguments = ["import", "--data-dir", str(settings.data_dir)]
    return knowledge([*arguments, "--from", str(source)] if source is not None else arguments)


if __name__ == "__main__":
    raise SystemExit(main())
