"""Processes that renew one token against each other, and the played Zalo that judges them.

By hand: `python -m tests.connectors.zalo.refresh_race --count 1000 --db postgres`.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from connectors.credentials import ChannelCredentials
from connectors.zalo.channel import ZaloChannel, build_zalo
from connectors.zalo.settings import ZaloSettings
from connectors.zalo.tokens import LEASE
from database.clock import SystemClock
from database.engine import Database, sqlite_url
from deploy.local.postgres import PrivatePostgres
from tests.providers.zalo.server import PlayedZalo

KEY = "race"
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Verdict:
    """What the judge saw."""

    refreshes: int
    most_at_once: int
    used_again: int
    version: int
    state: str
    pair_is_current: bool
    seconds: float


def channel_at(server: str, database: Database, lease: timedelta = LEASE) -> ZaloChannel:
    """Return the channel of a process that renews at a played Zalo."""
    options = PlayedZalo().options
    settings = ZaloSettings(
        app_id=options.app_id, app_secret=options.app_secret, api_url=server, oauth_url=server
    )
    clock = SystemClock()
    return build_zalo(settings, database, clock, ChannelCredentials(database, clock, KEY), lease=lease)


async def renew_until(server: str, url: str, version: int) -> None:
    """Renew the token again and again until it has reached a version."""
    database = Database(url)
    credentials = ChannelCredentials(database, SystemClock(), KEY)
    channel = channel_at(server, database)
    while True:
        stored = await credentials.get("zalo")
        if stored is None or stored.version >= version or stored.state == "needs_login":
            break
        if not await channel.tokens.renew(stored.version):
            await asyncio.sleep(0.001)
    await channel.stop()
    await database.close()


def worker_command(server: str, url: str, version: int) -> list[str]:
    """Return the command of one process that renews."""
    worker = [sys.executable, "-m", "tests.connectors.zalo.refresh_race", "--worker"]
    return [*worker, "--server", server, "--database", url, "--count", str(version)]


async def race(url: str, count: int, processes: int = 2) -> Verdict:
    """Let processes renew one token `count` times in all; return what the judge saw."""
    played = PlayedZalo()
    await played.start()
    database = Database(url)
    await database.create_all()
    credentials = ChannelCredentials(database, SystemClock(), KEY)
    pair = played.state.new_pair()
    values = {"access_token": pair["access_token"], "refresh_token": pair["refresh_token"]}
    await credentials.put("zalo", account="OA", values=values)
    started = time.monotonic()
    workers = [
        await asyncio.create_subprocess_exec(*worker_command(played.url, url, count + 1), cwd=ROOT)
        for _ in range(processes)
    ]
    codes = [await worker.wait() for worker in workers]
    seconds = time.monotonic() - started
    stored = await credentials.get("zalo")
    await database.close()
    await played.stop()
    assert stored is not None and codes == [0] * processes
    state = played.state
    return Verdict(
        refreshes=state.refreshes,
        most_at_once=state.most_refreshing,
        used_again=state.used_again,
        version=stored.version,
        state=stored.state,
        pair_is_current=stored.values["refresh_token"] == state.refresh,
        seconds=round(seconds, 1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(description="Renews one Zalo token in two processes at once.")
    parser.add_argument("--count", type=int, default=1_000)
    parser.add_argument("--db", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--server", help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        asyncio.run(renew_until(arguments.server, arguments.database, arguments.count))
    elif arguments.db == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            print(asyncio.run(race(sqlite_url(Path(folder) / "race.sqlite3"), arguments.count)))
    else:
        with PrivatePostgres() as server:
            print(asyncio.run(race(server.create("race"), arguments.count)))


if __name__ == "__main__":
    main()
