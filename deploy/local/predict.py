"""Answers evaluation rows with the real pipeline.

Redis and the bot are started beside whatever runs, and the rows go through `api.predict`. The instance itself
is left as it is: predictions work on a copy of its database and knowledge base.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import secrets
import shutil
import signal
import sqlite3
import sys
from dataclasses import replace
from pathlib import Path

from database.engine import sqlite_url
from deploy.local.providers import ProviderChannel, connected_settings, provider_service
from deploy.local.runs import Scratch, run_stoppable
from deploy.local.stack import Stack
from deploy.local.supervisor import ServiceError, Supervisor
from deploy.local.tied import tied

_DATABASE = "1022.sqlite3"


def copy_instance(source: Path, target: Path) -> None:
    """Make `target` an instance that shares the knowledge base of `source` but keeps its own conversations.

    Raises:
        FileNotFoundError: `source` holds no instance.
    """
    if not (source / _DATABASE).is_file():
        raise FileNotFoundError(f"{source} holds no instance; import a knowledge base first (make kb-import)")
    target.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(source / _DATABASE) as live, sqlite3.connect(target / _DATABASE) as copy:
        live.backup(copy)
    for name in ("kb", "models"):
        if (source / name).is_dir():
            shutil.copytree(source / name, target / name)


def stack_of_one_process(stack: Stack, folder: Path) -> Stack:
    """Return a stack on free ports, its data in `folder`, where the application answers the bot's actions."""
    free = replace(stack, data_dir=folder).on_free_ports()
    return replace(free, actions_port=free.app_port)


async def predict(rows: Path, predictions: Path, channel: ProviderChannel | None = None) -> int:
    """Write `predictions` for `rows`, said on the web chat or on `channel`; return the exit code."""
    stack = Stack.from_environment()
    with Scratch("predict") as folder:
        copied = stack_of_one_process(stack, folder)
        copy_instance(stack.data_dir, copied.data_dir)
        supervisor = Supervisor(Path.cwd(), copied.data_dir / "logs", quiet=True)
        try:
            redis = copied.redis_service()
            assert redis is not None  # on_free_ports asks for one of our own
            await supervisor.start(redis)
            await supervisor.start(copied.bot_service())
            files = ["--in", str(rows), "--out", str(predictions), "--data-dir", str(folder)]
            command = ["-m", "api.predict", *files]
            environment = {**os.environ, **copied.environment()}
            if channel is not None:
                port = copied.on_free_ports().app_port
                await supervisor.start(provider_service(channel, port, copied))
                url = sqlite_url(copied.data_dir / _DATABASE)
                logs = copied.data_dir / "logs"
                environment |= await connected_settings(channel, copied, logs, url, secrets.token_hex(32))
                environment["DATABASE_URL"] = url
                command += ["--channel", channel, "--provider", f"http://127.0.0.1:{port}"]
            process = await asyncio.create_subprocess_exec(
                *tied([sys.executable, *command], signal.SIGTERM), env=environment
            )
            return await process.wait()
        finally:
            await supervisor.stop()


def main() -> int:
    """Read the command line and predict."""
    parser = argparse.ArgumentParser(prog="predict", description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--in", dest="rows", type=Path, required=True)
    parser.add_argument("--out", dest="predictions", type=Path, required=True)
    parser.add_argument("--channel", choices=("webchat", "zalo", "messenger"), default="webchat")
    arguments = parser.parse_args()
    channel = None if arguments.channel == "webchat" else arguments.channel
    if not arguments.rows.is_file():
        print(f"error: {arguments.rows} does not exist", file=sys.stderr)
        return 2
    try:
        return run_stoppable(predict(arguments.rows.resolve(), arguments.predictions.resolve(), channel))
    except (ServiceError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
