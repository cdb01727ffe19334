"""Measures the whole running system: how fast it answers at a steady rate, and how much memory it takes.

Everything is started beside whatever runs, on a copy of the instance, so that nothing of it is kept. Visitors
ask over HTTP and listen by server-sent events, as the chat widget does. Times are what a visitor waits.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import statistics
import sys
import tempfile
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field, replace
from pathlib import Path

import aiohttp

from deploy.local.predict import copy_instance
from deploy.local.stack import ROOT, Stack
from deploy.local.supervisor import ServiceError, Supervisor

_QUESTIONS = (
    "làm giấy khai sinh cho con cần giấy tờ gì",
    "lam can cuoc het bao nhieu tien",
    "đăng ký tạm trú ở đâu",
    "sang ten xe may cu can gi",
    "xin giấy xác nhận độc thân mất mấy ngày",
    "cảm ơn nhiều nhé",
)
_EMERGENCY = "cháy nhà rồi, cứu với"
_PATIENCE_SECONDS = 30.0


@dataclass
class Visitor:
    """One open chat: asks, and waits for what comes by its event stream."""

    http: aiohttp.ClientSession
    url: str
    token: str = ""
    answered: asyncio.Event = field(default_factory=asyncio.Event)
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def open(self) -> None:
        """Open the chat."""
        async with self.http.post(f"{self.url}/chat/session", json={}) as response:
            self.token = (await response.json())["token"]

    async def listen(self) -> None:
        """Read the event stream for ever."""
        timeout = aiohttp.ClientTimeout(total=None)
        parameters = {"token": self.token}
        async with self.http.get(f"{self.url}/chat/events", params=parameters, timeout=timeout) as stream:
            async for line in stream.content:
                is_message = line.startswith(b"data: ") and b'"author"' in line
                if is_message and json.loads(line[6:])["author"] != "citizen":
                    self.answered.set()

    async def ask(self, text: str) -> tuple[float, float]:
        """Say `text`; return the seconds until it was taken and until it was answered.

        Raises:
            TimeoutError: no answer came.
        """
        async with self.busy:
            self.answered.clear()
            started = time.perf_counter()
            body = {"client_id": str(uuid.uuid4()), "text": text}
            headers = {"Authorization": f"Bearer {self.token}"}
            async with self.http.post(f"{self.url}/chat/messages", json=body, headers=headers) as response:
                response.raise_for_status()
            taken = time.perf_counter() - started
            await asyncio.wait_for(self.answered.wait(), _PATIENCE_SECONDS)
            return taken, time.perf_counter() - started


async def steady(stack: Stack, *, rate: float, seconds: float, visitors: int) -> dict[str, list[float]]:
    """Ask `rate` messages a second for `seconds`, every tenth an emergency; return seconds by kind."""
    times: dict[str, list[float]] = defaultdict(list)
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as http:
        chats = [Visitor(http, stack.url) for _ in range(visitors)]
        await asyncio.gather(*(chat.open() for chat in chats))
        listeners = [asyncio.create_task(chat.listen()) for chat in chats]
        for chat in chats[:3]:
            await chat.ask(_QUESTIONS[0])  # the first messages of a process pay for what is loaded late
        started = time.perf_counter()
        tasks = []
        turns = zip(
            itertools.cycle(chats), itertools.cycle(_QUESTIONS), range(int(rate * seconds)), strict=False
        )
        for chat, question, number in turns:
            await asyncio.sleep(max(0.0, started + number / rate - time.perf_counter()))
            is_emergency = number % 10 == 9
            kind = "emergency" if is_emergency else "answer"
            tasks.append((kind, asyncio.create_task(chat.ask(_EMERGENCY if is_emergency else question))))
        for kind, task in tasks:
            try:
                taken, answered = await task
            except TimeoutError:
                times["lost"].append(_PATIENCE_SECONDS)
                continue
            times["taken"].append(taken)
            times[kind].append(answered)
        for listener in listeners:
            listener.cancel()
        await asyncio.gather(*listeners, return_exceptions=True)
    return times


def memory(pid: int) -> float:
    """Return a process's resident memory in MiB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def quantile(values: list[float], share: float) -> float:
    """Return the value below which `share` of `values` lie."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


async def bench(rate: float, seconds: float, visitors: int) -> None:
    """Start the system, measure it, print a table."""
    stack = Stack.from_environment()
    with tempfile.TemporaryDirectory(prefix="1022-bench-") as folder:
        copied = replace(stack, data_dir=Path(folder)).on_free_ports()
        copy_instance(stack.data_dir, copied.data_dir)
        supervisor = Supervisor(ROOT, copied.data_dir / "logs", quiet=True)
        try:
            redis = copied.redis_service()
            assert redis is not None  # on_free_ports asks for one of our own
            started = time.monotonic()
            await supervisor.start(redis)
            await supervisor.start(
                copied.bot_service(), copied.app_service({"ADDRESS_MESSAGES_PER_MINUTE": "100000"})
            )
            print(f"start to ready: {time.monotonic() - started:.1f} s")
            times = await steady(copied, rate=rate, seconds=seconds, visitors=visitors)
            print(f"{rate:g} messages a second for {seconds:g} s, {visitors} open chats; milliseconds")
            print(f"{'':12}{'n':>6}{'p50':>8}{'p95':>8}{'p99':>8}{'mean':>8}")
            for kind, values in times.items():
                figures = [quantile(values, share) for share in (0.5, 0.95, 0.99)] + [statistics.mean(values)]
                print(f"{kind:12}{len(values):>6}" + "".join(f"{value * 1000:>8.0f}" for value in figures))
            for name, pid in supervisor.pids().items():
                print(f"memory {name}: {memory(pid):.0f} MiB")
        finally:
            await supervisor.stop()


def main() -> int:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(prog="bench", description="Measures the whole running system.")
    parser.add_argument("--rate", type=float, default=5.0, help="messages a second")
    parser.add_argument("--seconds", type=float, default=30.0, help="how long")
    parser.add_argument("--visitors", type=int, default=50, help="open chats")
    given = parser.parse_args()
    try:
        asyncio.run(bench(given.rate, given.seconds, given.visitors))
    except (ServiceError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
