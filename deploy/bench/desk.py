"""`python -m deploy.bench desk`: fifty operators at a desk with a year of conversations, on PostgreSQL.

A database is filled (`desk_seed`), the application is started on it, and simulated operators use the
console's own routes: each has the event stream open and looks at the list, at a conversation, at what a
search finds, one after another. Meanwhile citizens write in the web chat, and it is measured when each
console has received the row that shows it. No bot runs: nothing here waits for one.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import secrets
import sys
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg

from accounts.service import AccountService
from api.startup import prepare_database
from database.clock import SystemClock
from database.engine import Database
from deploy.bench.desk_seed import Size, seed
from deploy.bench.scenarios import Times, summary
from deploy.bench.system import processor_seconds
from deploy.bench.visitors import Visitor
from deploy.local.postgres import PrivatePostgres
from deploy.local.runs import Scratch, run_stoppable
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import Supervisor

_SETTINGS = {
    "SERVE_ACTIONS": "false",
    "LOG_LEVEL": "WARNING",
    "ADDRESS_MESSAGES_PER_MINUTE": "1000000",
    "VISITOR_MESSAGES_PER_MINUTE": "1000000",
}
_SEARCHED = (
    "nguyen thi hoa",
    "Nguyễn Thị Hoà",
    "đăng ký khai sinh",
    "tran van dung pleiku",
    "den duong hung vuong",
    "0905123456",
    "rmah",
    '"cap phep xay dung"',
    "chua thay ket qua",
    "ksor thi",
)
_LINK = re.compile(r"/console/conversations/([0-9a-f]{32})")
_NUMBERED = re.compile(r"đèn đường số (\d+)")
_MARK = re.compile(r'data-csrf="([^"]+)"')
_WHOLE_PAGES = 0.25
"""Share of conversations opened by their address, with everything around them; the others by a click."""
_HEARD_SECONDS = 10.0
_NAME = "bench"


@dataclass
class Operator:
    """Somebody at a console."""

    http: aiohttp.ClientSession
    url: str
    user_id: str
    heard: dict[str, float] = field(default_factory=dict)
    """When the console received the row that shows a numbered message."""
    seen: list[str] = field(default_factory=list)
    mark: str = ""
    """The session's own mark, which changes carry."""

    async def enter(self, login: str, link: str) -> None:
        """Set the password by the one-time link, and log in."""
        password = secrets.token_urlsafe(16)
        given = {"token": link, "password": password, "again": password}
        async with self.http.post(f"{self.url}/console/set-password", data=given) as response:
            response.raise_for_status()
        form = {"login": login, "password": password}
        async with self.http.post(f"{self.url}/console/login", data=form, allow_redirects=False) as response:
            if response.status != 303:
                raise RuntimeError(f"not logged in: {response.status}")
        async with self.http.get(f"{self.url}/console") as response:
            found = _MARK.search(await response.text())
        assert found is not None
        self.mark = found[1]

    async def listen(self) -> None:
        """Read the event stream for ever."""
        timeout = aiohttp.ClientTimeout(total=None)
        async with self.http.get(f"{self.url}/console/events", timeout=timeout) as stream:
            async for line in stream.content:
                if line.startswith(b"data: "):
                    now = time.perf_counter()
                    for row in json.loads(line[6:]).get("rows", ()):
                        for number in _NUMBERED.findall(row["html"]):
                            self.heard.setdefault(number, now)

    async def look(self, times: Times, kind: str, path: str, **parameters: str) -> None:
        """Open a page; note under `kind` how long it took, or that the system said it was too busy."""
        started = time.perf_counter()
        async with self.http.get(f"{self.url}{path}", params=parameters) as response:
            body = await response.text()
            is_refused = response.status == 503
            if not is_refused:
                response.raise_for_status()
        times["refused" if is_refused else kind].append(time.perf_counter() - started)
        if path == "/console/list":
            self.seen = _LINK.findall(body) or self.seen

    async def show_presence(self, times: Times, path: str) -> None:
        """Say that this person has the conversation open."""
        started = time.perf_counter()
        headers, form = {"X-CSRF": self.mark}, {"doing": "viewing"}
        async with self.http.post(f"{self.url}{path}/presence", data=form, headers=headers) as response:
            response.raise_for_status()
        times["presence"].append(time.perf_counter() - started)

    async def work(self, until: float, pause: float, times: Times) -> None:
        """Look at one thing after another until a moment."""
        draw = random.Random(self.user_id)  # noqa: S311 - draws what is looked at
        await asyncio.sleep(draw.uniform(0, pause))
        while time.perf_counter() < until:
            show = draw.choice(("waiting", "mine", "all"))
            await self.look(times, "inbox", "/console/list", show=show)
            await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
            if self.seen:
                path = f"/console/conversations/{draw.choice(self.seen)}"
                if draw.random() < _WHOLE_PAGES:
                    await self.look(times, "conversation_page", path)
                else:
                    await self.look(times, "conversation", f"{path}/panel")
                await self.look(times, "beside", f"{path}/person")
                await self.show_presence(times, path)
                await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)
            text = draw.choice(_SEARCHED)
            await self.look(times, "search", "/console/list", show="all", q=text)
            await asyncio.sleep(draw.uniform(0.5, 1.5) * pause)


async def bench(given: argparse.Namespace) -> dict[str, Any]:
    """Fill a database where none is given, start the application, measure, and return the figures."""
    size = Size(given.conversations, given.messages)
    figures: dict[str, Any] = {
        "conversations": size.conversations,
        "messages": size.messages,
        "operators": given.operators,
        "cores": os.cpu_count(),
        "load": os.getloadavg(),
    }
    async with AsyncExitStack() as opened:
        url = given.database
        server: PrivatePostgres | None = None
        if url is None:
            server = opened.enter_context(PrivatePostgres(durable=True, keep=given.keep))
            if server.has(_NAME):
                url = server.url(_NAME)
            else:
                url, figures["seed_seconds"] = await _filled(server, size, given.operators)
        accounts = await _operators(url, given.operators)
        await _give_work(url, [user_id for user_id, _, _ in accounts])
        folder = opened.enter_context(Scratch("desk"))
        stack = Stack(data_dir=folder).on_free_ports()
        supervisor = Supervisor(ROOT, stack.data_dir / "logs", quiet=True)
        opened.push_async_callback(supervisor.stop)
        redis = stack.redis_service()
        assert redis is not None  # on_free_ports asks for one of our own
        await supervisor.start(redis)
        await supervisor.start(stack.app_service({**_SETTINGS, "DATABASE_URL": url}))
        async with _at_the_desk(stack.url, accounts) as operators:
            measured = {"app": [supervisor.pids()["app"]], "database": server.pids() if server else []}
            before = _processor(measured)
            figures |= await measure(stack.url, operators, given.seconds, given.pause)
            measured["database"] = server.pids() if server else []
            used = _processor(measured)
            figures["cores_used"] = {name: (used[name] - before[name]) / given.seconds for name in used}
    figures["load_after"] = os.getloadavg()
    return figures


async def measure(url: str, operators: list[Operator], seconds: float, pause: float) -> dict[str, Any]:
    """Let everybody work for a while, with a citizen's message each second; return the times."""
    times: Times = defaultdict(list)
    for operator in operators:  # what is loaded late is loaded now
        await operator.look(defaultdict(list), "first", "/console/list", show="all")
    async with aiohttp.ClientSession() as http:
        citizens = [await _citizen(http, url) for _ in range(5)]
        until = time.perf_counter() + seconds
        async with asyncio.TaskGroup() as working:
            for operator in operators:
                working.create_task(operator.work(until, pause, times))
            number = 0
            while time.perf_counter() < until:
                await _say(citizens[number % len(citizens)], str(number), operators, times)
                number += 1
                await asyncio.sleep(1.0)
    return {"seconds": seconds, "pause": pause, "ms": summary(times)}


async def _citizen(http: aiohttp.ClientSession, url: str) -> Visitor:
    """Return somebody who has written before."""
    visitor = Visitor(http, url)
    await visitor.open()
    await visitor.say("xin chào")
    return visitor


async def _say(visitor: Visitor, number: str, operators: list[Operator], times: Times) -> None:
    """Say something; note when the last of the consoles has received the row that shows it."""
    started = time.perf_counter()
    times["taken"].append(await visitor.say(f"đèn đường số {number} trước nhà em hỏng"))
    patience = started + _HEARD_SECONDS
    while not all(number in operator.heard for operator in operators):
        if time.perf_counter() > patience:
            times["not_heard"].append(_HEARD_SECONDS)
            return
        await asyncio.sleep(0.005)
    last = max(operator.heard[number] for operator in operators)
    times["every_screen"].append(last - started)


@asynccontextmanager
async def _at_the_desk(url: str, accounts: list[tuple[str, str, str]]) -> AsyncIterator[list[Operator]]:
    async with AsyncExitStack() as opened:
        operators = []
        for user_id, login, link in accounts:
            jar = aiohttp.CookieJar(unsafe=True)
            http = await opened.enter_async_context(aiohttp.ClientSession(cookie_jar=jar))
            operator = Operator(http, url, user_id)
            await operator.enter(login, link)
            operators.append(operator)
        streams = [asyncio.create_task(operator.listen()) for operator in operators]
        try:
            yield operators
        finally:
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)


async def _operators(url: str, count: int) -> list[tuple[str, str, str]]:
    """Create operators; return id, login and the token of the one-time link of each."""
    database = Database(url)
    try:
        await prepare_database(database)
        accounts = AccountService(database, SystemClock())
        run = secrets.token_hex(4)
        made = []
        for number in range(count):
            login = f"bench-{run}-{number}"
            user, link = await accounts.users.invite(
                login=login, name=f"Trực viên {number + 1}", roles=("operator",), actor="system"
            )
            made.append((user.id, login, link))
        return made
    finally:
        await database.close()


async def _filled(server: PrivatePostgres, size: Size, operators: int) -> tuple[str, dict[str, float]]:
    """Fill a database; return its URL and the seconds each part took. Half filled it has another name."""
    url = server.create(f"{_NAME}-{secrets.token_hex(4)}")
    accounts = await _operators(url, operators)
    seconds = await seed(_plain(url), size, [user_id for user_id, _, _ in accounts])
    return server.rename(url.rpartition("/")[2], _NAME), seconds


async def _give_work(url: str, ids: list[str]) -> None:
    """Share out what people hold among those who work in this run."""
    connection: Any = await asyncpg.connect(_plain(url))
    try:
        await connection.execute(
            "UPDATE conversations c SET assigned_to = ($1::text[])[1 + (n.number % $2)] "
            "FROM (SELECT id, row_number() OVER (ORDER BY id)::int AS number FROM conversations "
            "WHERE owner = 'person') n WHERE n.id = c.id",
            ids,
            len(ids),
        )
    finally:
        await connection.close()


def _processor(pids: dict[str, list[int]]) -> dict[str, float]:
    used: dict[str, float] = defaultdict(float)
    for name, some in pids.items():
        for pid in some:
            # PostgreSQL's own helpers come and go.
            with suppress(FileNotFoundError):
                used[name] += processor_seconds(pid)
    return used


def _plain(url: str) -> str:
    return url.replace("+asyncpg", "")


def main(arguments: list[str]) -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="bench desk", description="Measures the operators' console.")
    parser.add_argument("--conversations", type=int, default=100_000)
    parser.add_argument("--messages", type=int, default=2_000_000)
    parser.add_argument("--operators", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60.0, help="how long they work")
    parser.add_argument("--pause", type=float, default=3.0, help="seconds between two looks of an operator")
    parser.add_argument(
        "--keep",
        type=Path,
        help="folder of the filled database: made if it is not there, used again if it is",
    )
    parser.add_argument("--database", help="one that was filled before (postgresql+asyncpg://…)")
    parser.add_argument("--json", type=Path, help="write all figures here")
    given = parser.parse_args(arguments)
    figures = run_stoppable(bench(given))
    if given.json is not None:
        given.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    for kind, values in figures["ms"].items():
        shown = "".join(f"{values[column]:>9.1f}" for column in ("p50", "p95", "p99", "mean"))
        print(f"{kind:16}{values['n']:>7}{shown}")
    used = ", ".join(f"{name} {cores:.2f}" for name, cores in figures["cores_used"].items())
    print(f"processor cores in use: {used}", file=sys.stderr)
    print(f"load {figures['load']} to {figures['load_after']}", file=sys.stderr)
    return 0
