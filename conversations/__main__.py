"""`python -m conversations dead list|show|replay`: messages that were given up, and another try for them.

It works on the instance of DATA_DIR (or DATABASE_URL) while that runs or stands still. What citizens said is
shown by `show` only.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

from conversations.dead_letters import DeadLetter, DeadLetters
from database.clock import SystemClock, local
from database.engine import Database, sqlite_url


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="conversations", description="Looks after stored messages.")
    parser.add_argument("--data-dir", type=Path, default=Path(os.environ.get("DATA_DIR") or "var"))
    topics = parser.add_subparsers(dest="topic", required=True)
    dead = topics.add_parser("dead", help="messages that were given up")
    commands = dead.add_subparsers(dest="command", required=True)
    listing = commands.add_parser("list", help="list them, the latest first")
    listing.add_argument(
        "--direction", choices=("in", "out"), help="only what came in, or only what goes out"
    )
    listing.add_argument("--limit", type=int, default=100)
    show = commands.add_parser("show", help="show one of them, its text included")
    show.add_argument("id")
    replay = commands.add_parser("replay", help="try them again")
    which = replay.add_mutually_exclusive_group(required=True)
    which.add_argument("id", nargs="*", default=[])
    which.add_argument("--all", action="store_true", help="every one of them")
    return parser


def _line(letter: DeadLetter) -> str:
    at = local(letter.given_up_at or letter.message.created_at)
    message = letter.message
    return (
        f"{message.id}  {at:%Y-%m-%d %H:%M:%S}  {message.direction:3}  {letter.channel:10}  "
        f"tries {letter.attempts:2}  {letter.error}"
    )


async def _run(options: argparse.Namespace) -> int:
    url = os.environ.get("DATABASE_URL") or sqlite_url(options.data_dir / "1022.sqlite3")
    database = Database(url)
    try:
        letters = DeadLetters(database, SystemClock())
        match options.command:
            case "list":
                found = await letters.list(direction=options.direction, limit=options.limit)
                _say([_line(letter) for letter in found] or ["Nothing was given up."])
                return 0
            case "show":
                letter = await letters.find(options.id)
                if letter is None:
                    _say([f"error: no message {options.id} was given up"], sys.stderr)
                    return 1
                message = letter.message
                _say(
                    [
                        _line(letter),
                        f"conversation {message.conversation_id}, {message.author}:",
                        message.text,
                    ]
                )
                return 0
            case _:
                return await _replay(letters, options)
    finally:
        await database.close()


async def _replay(letters: DeadLetters, options: argparse.Namespace) -> int:
    ids = options.id
    if options.all:
        ids = [letter.message.id for letter in await letters.list(limit=10_000)]
    missing = [message_id for message_id in ids if not await letters.replay(message_id)]
    _say([f"{len(ids) - len(missing)} will be tried again."])
    if missing:
        _say([f"error: not given up: {message_id}" for message_id in missing], sys.stderr)
    return 1 if missing else 0


def _say(lines: Sequence[str], where: TextIO | None = None) -> None:
    print("\n".join(lines), file=where, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return its exit code."""
    return asyncio.run(_run(_parser().parse_args(arguments)))


if __name__ == "__main__":
    sys.exit(main())
