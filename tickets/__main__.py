"""Command: `python -m tickets check` compares every ticket with what its timeline says.

Ends with 1 where one does not stand where its timeline says; their codes are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import sys

from database.clock import SystemClock
from database.engine import Database
from tickets.service import TicketService


async def _check(url: str) -> int:
    database = Database(url)
    try:
        broken = await TicketService(database, SystemClock()).broken()
    finally:
        await database.close()
    for code in broken:
        print(code)  # noqa: T201 - it is what the command is for
    return 1 if broken else 0


def main(arguments: list[str] | None = None) -> int:
    """Run the command; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tickets")
    parser.add_argument("command", choices=["check"])
    parser.add_argument("--database", required=True, help="sqlite+inline:///… or postgresql+asyncpg://…")
    given = parser.parse_args(arguments)
    return asyncio.run(_check(given.database))


if __name__ == "__main__":
    sys.exit(main())
